"""A name server that answers, fails or stays silent, as the test sets it (RFC 1035)."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from ipaddress import IPv4Address


class Mood(Enum):
    """How a question is answered."""

    SILENT = "no answer"
    FAILING = "SERVFAIL"
    WELL = "127.0.0.1, whatever the name"


_HEADER = struct.Struct(">6H")
_A, _SERVFAIL, _ANSWER = 1, 2, 0x8180  # type A; response code 2; a recursive answer without error


class NameServer:
    """Listens on 127.0.0.1, port 53."""

    def __init__(self) -> None:
        self.mood = Mood.WELL
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))

    def serve(self) -> None:
        """Answer questions until an empty datagram comes."""
        while question := self._socket.recvfrom(512):
            data, client = question
            if not data:
                return
            self.asked += 1
            if self.mood is not Mood.SILENT:
                self._socket.sendto(self._answer(data), client)

    def end(self) -> None:
        """End serve()."""
        self._socket.sendto(b"", self._socket.getsockname())

    def close(self) -> None:
        self._socket.close()

    def _answer(self, data: bytes) -> bytes:
        number = data[:2]
        end = data.index(0, _HEADER.size) + 5  # the name, type and class
        question, kind = data[_HEADER.size : end], int.from_bytes(data[end - 4 : end - 2], "big")
        failing = self.mood is Mood.FAILING
        found = not failing and kind == _A
        header = _HEADER.pack(int.from_bytes(number, "big"), _ANSWER | failing * _SERVFAIL, 1, found, 0, 0)
        # 0xC00C: the name that stands at octet 12; class IN, no time to live
        record = struct.pack(">HHHIH", 0xC00C, _A, 1, 0, 4) + IPv4Address("127.0.0.1").packed
        return header + question + record * found


@contextmanager
def name_server() -> Iterator[NameServer]:
    """Run a name server during the block."""
    server = NameServer()
    thread = threading.Thread(target=server.serve, name="name server")
    thread.start()
    try:
        yield server
    finally:
        server.end()
        thread.join()
        server.close()
