"""Hangs inside the program's own process; installed before the start, by `patch` (tests.program.process)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tui_popretr import faultpoints
from tui_popretr.process import children, signals
from tui_popretr.process.children import ChildProcesses


def for_ever(marker: str) -> None:
    """Create the file `marker`, and never return."""
    Path(marker).touch()
    threading.Event().wait()


def resolver(host: str, marker: str) -> None:
    """Make the look-up of `host` hang, as with a dead name server."""
    getaddrinfo: Callable[..., Any] = socket.getaddrinfo

    def hang(wanted: Any, *more: Any) -> Any:
        # trio asks first, without a thread, whether it is an address
        if wanted in (host, host.encode()) and not more[-1] & socket.AI_NUMERICHOST:
            for_ever(marker)
        return getaddrinfo(wanted, *more)

    vars(socket)["getaddrinfo"] = hang


def step(name: str, marker: str) -> None:
    """Make the thread that does this step of a message's way hang after it."""

    def hang(reached: faultpoints.Step) -> None:
        if reached.name == name:
            for_ever(marker)

    faultpoints.action = hang


def starts() -> None:
    """Delay the registration of started commands until an immediate end has begun."""
    register = ChildProcesses.register

    def hang(commands: ChildProcesses, group: int) -> None:
        commands._closed.wait()
        register(commands, group)

    vars(children)["_START_TIMEOUT"] = 30.0
    setattr(ChildProcesses, "register", hang)  # noqa: B010 - not for mypy


def disk(fifo: str, marker: str) -> None:
    """Make the disk hang from the first fsync of a message on: the file's thread, and the journal's at its next commit.

    That fsync creates `marker`, and hangs when `fifo` is opened for writing.
    """
    hangs = threading.Event()

    def hang(reached: faultpoints.Step) -> None:
        if reached is faultpoints.Step.WRITTEN:
            Path(marker).touch()
            Path(fifo).read_bytes()
            hangs.set()
        if hangs.is_set() and threading.current_thread() is not threading.main_thread():  # which uses no disk
            threading.Event().wait()

    faultpoints.action = hang


def no_forced_end() -> None:
    """Leave the end of the program to its own deadlines."""
    vars(signals)["_STOP_TIMEOUT"] = 3600.0
