"""Hostile servers in a process of their own, for runs whose memory is measured: python -m tests.hostile.endless NAME...

What they do has no end. The process says their ports first, and serves until it is killed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import trio

from tests.hostile.script import CUT, Script, endlessly
from tests.hostile.server import HostileServer
from tests.support.worlds import mail

MAILS: Final = {f"uid-{number}": mail(number) for number in (1, 2, 3)}
SIZE: Final = len(MAILS["uid-1"])
# many at once, so that the server is never what there is to wait for
_LINES: Final = (b"x" * 76 + b"\r\n") * 1000
_FILL: Final = b"x" * 65536


_MANY: Final = b"+OK 2000000000 9\r\n"
_LARGE: Final = f"+OK\r\n1 {SIZE}\r\n2 {20 * 2**20}\r\n3 {SIZE}\r\n.\r\n".encode()
_NONE: Final[dict[str, Script]] = {
    "greeting": {"GREETING": endlessly(b"+OK " + _FILL)},
    "greetings": {"GREETING": endlessly(b"+OK\r\n" * 10000)},
    "status": {"USER": endlessly(b"-ERR " + _FILL)},
    "a challenge": {"AUTH": (b"+ ", endlessly(b"QUJD" * 16384))},
    "challenges": {"AUTH": endlessly(b"+ QUJD\r\n" * 8192)},
    "UIDs": {"STAT": _MANY, "UIDL": (b"+OK\r\n", endlessly(b"1 uid-1\r\n" * 8192))},
    "a UID": {"STAT": _MANY, "UIDL": (b"+OK\r\n", endlessly(_FILL))},
    "UIDs, and a cut": {"STAT": _MANY, "UIDL": (b"+OK\r\n" + b"1 uid-1\r\n" * 1_200_000, CUT)},
    "sizes": {"STAT": _MANY, "LIST": (b"+OK\r\n", endlessly(b"1 5\r\n" * 8192))},
}
_OTHERS: Final[dict[str, Script]] = {
    "lines": {"RETR 2": (b"+OK\r\n", endlessly(_LINES))},
    "a line": {"RETR 2": (b"+OK\r\n", endlessly(_FILL))},
    "what almost ends": {"RETR 2": (b"+OK\r\n", endlessly(b"\r\n.\r" * 16384))},
    "a header": {"RETR 2": (b"+OK\r\n", endlessly(b"From: (\r\n \x1b\r\n" * 5000))},
    "a message that was announced as large": {"LIST": _LARGE, "RETR 2": (b"+OK\r\n", endlessly(_LINES))},
}
_ALL: Final[dict[str, Script]] = {
    "replies to QUIT": {"QUIT": endlessly(b"+OK\r\n" * 10000)},
    "capabilities": {"CAPA": (b"+OK\r\n", endlessly(_LINES))},  # it is asked for them once
    "a capability": {"CAPA": (b"+OK\r\n", endlessly(_FILL))},
}
POLITE: Final = "polite"
SCRIPTS: Final[dict[str, Script]] = {POLITE: {}, **_NONE, **_OTHERS, **_ALL}
#: How many of the three messages come in spite of each stream.
ARRIVING: Final = {**dict.fromkeys(_NONE, 0), **dict.fromkeys(_OTHERS, 2), **dict.fromkeys(_ALL, 3)}


@contextmanager
def serving(names: Sequence[str]) -> Iterator[list[str]]:
    """Run the servers of those names; gives their addresses."""
    command = [sys.executable, "-m", "tests.hostile.endless", *names]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield [f"127.0.0.1:{port}" for port in process.stdout.readline().split()]
        finally:
            process.kill()


async def _serve(names: Sequence[str]) -> None:
    async with trio.open_nursery() as nursery:
        ports = []
        for name in names:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            ports.append(listeners[0].socket.getsockname()[1])
            nursery.start_soon(trio.serve_listeners, HostileServer(MAILS, SCRIPTS[name]).serve, listeners)
        print(*ports, flush=True)


if __name__ == "__main__":
    trio.run(_serve, sys.argv[1:])
