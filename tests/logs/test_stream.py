"""Logs with a reader that may hang: writing never blocks, and lost lines are counted."""

from __future__ import annotations

import os
import pty
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.logs.conftest import OpenLog
from tests.support.clock import FakeClock
from tui_popretr.config.model import LogSettings
from tui_popretr.logs.logfile import PENDING_LIMIT, RETRY_AFTER, LogFile
from tui_popretr.logs.stream import DRAIN_TIMEOUT, QUEUE_LIMIT, LogStream, is_stream

#: Seconds after which a test no longer waits.
DEADLINE = 20.0
LINE = "x" * 99


class Pipe:
    """A pipe as the program's standard error, and the end it is read from."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def fill(self) -> int:
        """Fill it, so that the next write waits; return with how many octets."""
        os.set_blocking(self.writing, False)
        filled = 0
        try:
            while True:
                filled += os.write(self.writing, b"\n" * 4096)
        except BlockingIOError:
            os.set_blocking(self.writing, True)
            return filled

    def read(self, octets: int) -> bytes:
        """Return this number of octets when they have arrived."""
        data = b""
        while len(data) < octets:
            assert select.select([self.reading], [], [], DEADLINE)[0], f"only {len(data)} of {octets} octets came"
            data += os.read(self.reading, octets - len(data))
        return data

    def read_lines(self, last: str) -> list[str]:
        """Return what comes, up to a line that ends so."""
        data = b""
        while not data.endswith(f"{last}\n".encode()):
            assert select.select([self.reading], [], [], DEADLINE)[0], f"{last!r} did not come: {data[-200:]!r}"
            data += os.read(self.reading, 65536)
        return data.decode().splitlines()

    def close_reading(self) -> None:
        reading, self.reading = self.reading, -1
        os.close(reading)

    def close(self) -> None:
        for descriptor in (self.reading, self.writing):
            if descriptor >= 0:
                os.close(descriptor)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


@pytest.fixture
def log(pipe: Pipe, open_log: OpenLog, monkeypatch: pytest.MonkeyPatch) -> LogFile:
    """A log on standard error, which is the pipe."""
    monkeypatch.setattr("tui_popretr.logs.logfile.STANDARD_STREAMS", {"%stderr%": pipe.writing})
    return open_log(LogSettings("%stderr%", flush=0))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which a slow machine must not look like a stuck reader."""
    monkeypatch.setattr("tui_popretr.logs.stream.DRAIN_TIMEOUT", DEADLINE)


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_what_is_a_stream(pipe: Pipe, tmp_path: Path) -> None:
    near, far = socket.socketpair()
    leader, follower = pty.openpty()
    with near, far, (tmp_path / "file").open("w") as file, open(os.devnull, "w") as nowhere:
        assert all(map(is_stream, (pipe.writing, near.fileno(), leader, follower)))
        assert not any(map(is_stream, (file.fileno(), nowhere.fileno())))
    os.close(leader)
    os.close(follower)


def test_lines_come_whole_and_in_order(pipe: Pipe, log: LogFile) -> None:
    expected = [f"{number} {LINE}" for number in range(500)]
    for line in expected:
        log.write(line)
    assert pipe.read_lines(expected[-1]) == expected


def test_nobody_reads(pipe: Pipe, log: LogFile, clock: FakeClock, reports: list[str]) -> None:
    """Writing never blocks; lines that do not fit are counted, and reported when the reader continues."""
    filled = pipe.fill()
    count = (QUEUE_LIMIT + PENDING_LIMIT) // 100 + 300
    for number in range(count):
        log.write(f"{number:04} {LINE[:94]}")
    assert reports == ["%stderr%: the log cannot be written: its reader has stopped reading"]
    pipe.read(filled)
    kept = (QUEUE_LIMIT // 100 + PENDING_LIMIT // 100) * 100
    first = pipe.read(QUEUE_LIMIT // 100 * 100)
    stream = log._blocked_stream
    assert stream is not None
    eventually(lambda: not stream._queue)
    clock.advance(RETRY_AFTER)
    log.flush()
    log.write("as ever")
    came = (first + pipe.read(kept - len(first) + len("as ever\n"))).decode().splitlines()
    assert [line[:4] for line in came[:-1]] == [f"{number:04}" for number in range(kept // 100)]
    assert came[-1] == "as ever"
    lost = count - kept // 100
    assert lost > 0
    assert reports[1:] == [f"%stderr%: the log can be written again; {lost} lines lost"]


@pytest.mark.usefixtures("patient")
def test_lines_are_with_the_system_when_write_through_returns(pipe: Pipe, log: LogFile) -> None:
    for number in range(200):
        log.write_through([f"line {number}"])
        assert select.select([pipe.reading], [], [], 0)[0]
        assert os.read(pipe.reading, 65536) == f"line {number}\n".encode()


def test_write_through_waits_only_once_for_a_stuck_reader(pipe: Pipe, log: LogFile) -> None:
    filled = pipe.fill()
    log.write_through(["first"])
    stream = log._file
    assert isinstance(stream, LogStream)
    assert stream._stuck
    began = time.monotonic()
    for _ in range(100):
        log.write_through(["more"])
    assert time.monotonic() - began < 50 * DRAIN_TIMEOUT, "it waited each time"
    pipe.read(filled)
    eventually(lambda: not stream._queue)
    assert not stream._stuck, "it waits again when lines move"


@pytest.mark.usefixtures("patient")
def test_closing_writes_what_waits(pipe: Pipe, log: LogFile, reports: list[str]) -> None:
    filled = pipe.fill()
    log.write("the last words")
    reader = threading.Thread(target=pipe.read, args=(filled,))
    reader.start()
    log.close()
    reader.join()
    assert pipe.read_lines("the last words") == ["the last words"]
    assert reports == []


def test_closing_does_not_wait_for_ever(pipe: Pipe, log: LogFile, reports: list[str]) -> None:
    pipe.fill()
    log.write("the last")
    log.write("words")
    log.close()
    assert reports == ["%stderr%: the log is closed without its last 2 lines"]


def test_the_reader_is_gone(pipe: Pipe, log: LogFile, clock: FakeClock, reports: list[str]) -> None:
    pipe.close_reading()
    log.write("one")
    stream = log._file
    assert isinstance(stream, LogStream)
    eventually(lambda: stream._problem)
    for _ in range(5):
        log.write("more")
        clock.advance(RETRY_AFTER)
    assert reports == ["%stderr%: the log cannot be written: broken pipe"]
    log.close()
    assert reports[1:] == ["%stderr%: the log is closed without its last 6 lines"]


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bool]]:
    """What was tried to be written, and whether the system took it or wanted to be asked later."""
    tried: list[tuple[bytes, bool]] = []
    system = os.write

    def write(descriptor: int, data: bytes) -> int:
        try:
            written = system(descriptor, data)
        except BlockingIOError:
            tried.append((bytes(data), False))
            raise
        tried.append((bytes(data), True))
        return written

    monkeypatch.setattr(os, "write", write)
    return tried


def test_a_terminal_that_another_program_has_made_non_blocking(
    pipe: Pipe, log: LogFile, reports: list[str], attempts: list[tuple[bytes, bool]]
) -> None:
    filled = pipe.fill()
    os.set_blocking(pipe.writing, False)
    attempts.clear()
    log.write("one")
    eventually(lambda: attempts)
    pipe.read(filled)
    assert pipe.read_lines("one") == ["one"]
    eventually(lambda: len(attempts) > 1)
    assert attempts == [(b"one\n", False), (b"one\n", True)]
    assert reports == []


def test_lines_that_others_lines_cannot_part(pipe: Pipe, log: LogFile, attempts: list[tuple[bytes, bool]]) -> None:
    """Writes of at most PIPE_BUF octets are atomic (POSIX)."""
    filled = pipe.fill()
    attempts.clear()
    for number in range(200):
        log.write(f"{number} {LINE}")
    pipe.read(filled)
    pipe.read_lines(f"199 {LINE}")
    eventually(lambda: sum(len(data) for data, _ in attempts) == sum(len(f"{n} {LINE}\n") for n in range(200)))
    assert all(data.endswith(b"\n") and len(data) <= select.PIPE_BUF for data, _ in attempts)


def test_a_named_pipe(open_log: OpenLog, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        before = set(os.listdir("/proc/self/fd"))
        log = open_log(LogSettings(str(path), flush=0))
        for _ in range(3):
            log.write("line")
            log.reopen()
        log.close()
        eventually(lambda: set(os.listdir("/proc/self/fd")) <= before)
        lines = os.read(reading, 65536).decode().splitlines()
    finally:
        os.close(reading)
    assert [line for line in lines if not line.startswith("# ")] == ["line"] * 3


def test_without_a_thread_lines_are_kept_and_written_later(
    open_log: OpenLog, clock: FakeClock, reports: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as none_left:
        none_left.setattr(threading.Thread, "start", start)
        log = open_log(LogSettings(str(path), flush=0))
        log.write("one")
    assert reports == [f"{path}: the log cannot be written: no thread can be started to write it"]
    clock.advance(RETRY_AFTER)
    log.write("two")
    log.close()
    assert os.read(reading, 65536).splitlines()[-3:-1] == [b"one", b"two"]
    os.close(reading)
