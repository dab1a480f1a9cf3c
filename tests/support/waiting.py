"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: Seconds that a test waits at most.
PATIENCE: Final = 30.0


def wait_for(condition: Callable[[], object], what: str | Callable[[], object], *, pause: float = 0.005) -> None:
    """Wait until a condition holds; it is checked every `pause` seconds.

    Raises AssertionError after PATIENCE: `what` names the missing condition, or returns the whole message.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(what() if callable(what) else f"{what} did not come within {PATIENCE:g} s")
        time.sleep(pause)
