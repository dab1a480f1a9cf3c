"""A network for one test, with loopback only. Connections of a port can be cut and restored in it."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

_CLONE_NEWNET = 0x40000000  # sched.h
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def own_network() -> Iterator[None]:
    """Put this thread, and the threads and processes that it starts, into a new network during the block."""
    # of this thread alone: /proc/self is the main thread
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _succeed(_libc.unshare(_CLONE_NEWNET))
        try:
            _ip("link", "set", "lo", "up")
            # Rules of ours come before the one that knows this machine's own addresses.
            _ip("rule", "add", "pref", "10", "lookup", "local")
            _ip("rule", "del", "pref", "0")
            yield
        finally:
            _succeed(_libc.setns(before, _CLONE_NEWNET))
    finally:
        os.close(before)


def cut(port: int) -> None:
    """Drop all packets to and from this port: connections fall silent, and new ones find no route."""
    for end in ("dport", "sport"):
        _ip("rule", "add", "pref", "1", "ipproto", "tcp", end, str(port), "unreachable")


def mend(port: int) -> None:
    """Let packets of this port pass again."""
    for end in ("dport", "sport"):
        _ip("rule", "del", "pref", "1", "ipproto", "tcp", end, str(port), "unreachable")


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


def _succeed(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
