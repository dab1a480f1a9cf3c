"""A network of a test's own, in which nothing but loopback is: connections of one port can be cut in it, and mended."""

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
    """Put this thread, and the threads and processes that it starts, into a new network while the block runs."""
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
    """Let nothing pass any more to this port or from it: silence on connections, no route for new ones."""
    for end in ("dport", "sport"):
        _ip("rule", "add", "pref", "1", "ipproto", "tcp", end, str(port), "unreachable")


def mend(port: int) -> None:
    """Let it pass again."""
    for end in ("dport", "sport"):
        _ip("rule", "del", "pref", "1", "ipproto", "tcp", end, str(port), "unreachable")


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


def _succeed(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
