"""The threads and descriptors that a run needs at least, checked before it starts."""

from __future__ import annotations

import contextlib
import os
import resource
import threading
from typing import Final

from tui_popretr.errors import SystemLimit, out_of_threads

#: For the journal, signals, DNS, disks and logs.
THREADS: Final = 8
#: For the event loop, the journal, a connection, a message's file and folder, and the logs.
DESCRIPTORS: Final = 24


def demand() -> None:
    """Check that there are enough for one session. Raises SystemLimit, which names the limit."""
    _demand_descriptors()
    _demand_threads()


def _demand_descriptors() -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(DESCRIPTORS):
            try:
                stack.callback(os.close, os.open("/", os.O_RDONLY | os.O_CLOEXEC))
            except OSError as problem:
                limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
                raise SystemLimit(
                    f"the limit of open files, {limit}, is too low for a run",
                    advice="raise it: ulimit -n, or LimitNOFILE= in a service's unit",
                ) from problem


def _demand_threads() -> None:
    enough = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(THREADS):
            thread = threading.Thread(target=enough.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as problem:
        raise out_of_threads(problem) or problem from problem
    finally:
        enough.set()
        for thread in started:
            thread.join()
