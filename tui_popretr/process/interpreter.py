"""The settings of the Python interpreter: the garbage collector and the switching between threads.

They apply to the whole process, so they are all here. Only the program sets them, never a library function.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator
from typing import Final

#: As gc.set_threshold takes them. The program keeps many objects for long, and they have no cycles. With Python's own
#: thresholds, all of them are visited several times a second, and sessions and screen pause for 0.1 s and more.
_THRESHOLDS: Final = (10_000, 50, 20)
#: Seconds between switches of threads while the dashboard draws. Python's 5 ms delay each step of a session as much.
_SWITCH_INTERVAL: Final = 0.0005


def collect_later() -> None:
    """Switch the garbage collector off until collect(). Loading modules makes many objects and no garbage."""
    gc.disable()


def collect() -> None:
    """Switch the garbage collector on; called when the program's modules are loaded."""
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()


@contextlib.contextmanager
def permanent() -> Iterator[None]:
    """The collector never visits the objects that exist at the end of this block: modules that stay loaded."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


@contextlib.contextmanager
def responsive_threads() -> Iterator[None]:
    """In this block, a thread that has work waits only briefly for another that computes."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
