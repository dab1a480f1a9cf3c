"""The long line passes on everything, in order, both ways, and no sooner than it should."""

from __future__ import annotations

import random
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.delayproxy import HOST, far_away

PATIENCE = 60.0


class _Echo(socketserver.BaseRequestHandler):
    """Greets, says everything back, and when there is no more, how much it was."""

    def handle(self) -> None:
        self.request.sendall(b"hello")
        octets = 0
        while data := self.request.recv(1 << 16):
            octets += len(data)
            self.request.sendall(data)
        self.request.sendall(b"%d" % octets)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def echoing() -> Iterator[int]:
    with _Server((HOST, 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def read(connection: socket.socket, octets: int) -> bytes:
    """Exactly so many."""
    data = b""
    while len(data) < octets:
        more = connection.recv(octets - len(data))
        assert more, f"the end after {len(data)} octets"
        data += more
    return data


def test_everything_arrives_in_order_also_after_one_has_ended() -> None:
    sent = random.Random(1).randbytes(5_000_000)
    with echoing() as server, far_away(server, 30) as port, socket.create_connection((HOST, port), PATIENCE) as line:

        def send() -> None:
            for at in range(0, len(sent), 70_001):
                line.sendall(sent[at : at + 70_001])
            line.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert read(line, 5) == b"hello"
        assert read(line, len(sent)) == sent
        assert read(line, 7) == b"5000000"
        assert line.recv(1) == b""
        sender.join()


def test_a_reply_takes_a_round_trip_and_a_greeting_two() -> None:
    with echoing() as server, far_away(server, 100) as port:
        begun = time.monotonic()
        with socket.create_connection((HOST, port), PATIENCE) as line:
            read(line, 5)
            greeted = time.monotonic()
            line.sendall(b"x")
            read(line, 1)
            answered = time.monotonic()
    # timers may be early by less than a millisecond
    assert greeted - begun > 0.195
    assert answered - greeted > 0.095


def test_what_is_on_its_way_does_not_wait_for_what_went_before() -> None:
    with echoing() as server, far_away(server, 1000) as port, socket.create_connection((HOST, port), PATIENCE) as line:
        read(line, 5)
        begun = time.monotonic()
        for _ in range(100):
            line.sendall(b"x")
            time.sleep(0.001)
        read(line, 100)
        # one after the other it would take 100 seconds
        assert time.monotonic() - begun < 50


def test_a_connection_that_is_broken_off_ends_at_the_other_end() -> None:
    with echoing() as server, far_away(server, 10) as port:
        for _ in range(3):
            with socket.create_connection((HOST, port), PATIENCE) as line:
                read(line, 5)
                line.sendall(b"something")
        with socket.create_connection((HOST, port), PATIENCE) as line:
            assert read(line, 5) == b"hello"


def test_a_server_that_is_not_there() -> None:
    with socket.create_server((HOST, 0)) as taken:
        nobody = taken.getsockname()[1]
    with far_away(nobody, 10) as port, socket.create_connection((HOST, port), PATIENCE) as line:
        assert line.recv(1) == b""


def test_a_line_of_no_length_is_none() -> None:
    with far_away(12345, 0) as port:
        assert port == 12345


@pytest.mark.parametrize("milliseconds", [10])
def test_many_connections(milliseconds: float) -> None:
    with echoing() as server, far_away(server, milliseconds) as port:
        lines = [socket.create_connection((HOST, port), PATIENCE) for _ in range(50)]
        try:
            for number, line in enumerate(lines):
                line.sendall(b"%03d" % number)
            for number, line in enumerate(lines):
                assert read(line, 8) == b"hello%03d" % number
        finally:
            for line in lines:
                line.close()
