"""A server whose maildrops are all empty, in a process of its own: `python -m benchmarks.nomail RECORD`.

It says where it listens. Of each session a line goes to the file RECORD when it has ended: when it began and ended, on
the machine's boottime clock, and whose it was.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import time
from pathlib import Path
from typing import Final, TextIO

HOST: Final = "127.0.0.1"
_REPLIES: Final = {
    b"CAPA": b"+OK\r\nUSER\r\nUIDL\r\nPIPELINING\r\nSASL PLAIN\r\n.\r\n",
    b"PASS": b"+OK\r\n",
    b"STAT": b"+OK 0 0\r\n",
    b"LIST": b"+OK\r\n.\r\n",
    b"UIDL": b"+OK\r\n.\r\n",
    b"NOOP": b"+OK\r\n",
}


def boottime() -> float:
    """The clock by which clients are polled."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _Session(asyncio.Protocol):
    def __init__(self, record: TextIO) -> None:
        self._record = record
        self._begun = boottime()
        self._user = b""
        self._heard = b""
        self._asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"+OK ready\r\n")

    def data_received(self, data: bytes) -> None:
        *lines, self._heard = (self._heard + data).split(b"\r\n")
        for line in lines:
            self._transport.write(self._answer(line))

    def connection_lost(self, problem: Exception | None) -> None:
        self._record.write(f"{self._begun:.4f} {boottime():.4f} {self._user.decode()}\n")

    def _answer(self, line: bytes) -> bytes:
        verb, _, argument = line.partition(b" ")
        if self._asked:
            return self._login(line)
        match verb.upper():
            case b"USER":
                self._user = argument
                return b"+OK\r\n"
            case b"AUTH":
                _, _, response = argument.partition(b" ")
                self._asked = not response
                return self._login(response) if response else b"+ \r\n"
            case b"QUIT":
                self._transport.write(b"+OK bye\r\n")
                self._transport.close()
                return b""
            case known:
                return _REPLIES.get(known, b"-ERR\r\n")

    def _login(self, response: bytes) -> bytes:
        self._asked = False
        self._user = base64.b64decode(response).split(b"\0")[1]
        return b"+OK\r\n"


async def _serve(record: TextIO) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Session(record), HOST, 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("w", buffering=1) as record:
        asyncio.run(_serve(record))
