"""LogFile when the disk fails: no exception, each error reported once, memory bounded, lines written later."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.logs.conftest import OpenLog, banners, everything, lines
from tests.support.clock import FakeClock
from tui_popretr.config.choices import Rotation
from tui_popretr.config.model import LogSettings
from tui_popretr.logs.logfile import PENDING_LIMIT, RETRY_AFTER, LogFile


def test_a_full_disk_is_told_once(open_log: OpenLog, clock: FakeClock, reports: list[str]) -> None:
    log = open_log(LogSettings("/dev/full", flush=0))
    for _ in range(20):
        log.write("line")
        log.write_through(["audit"])
        log.flush()
        clock.advance(RETRY_AFTER)
    assert reports == ["/dev/full: the log cannot be written: the disk is full"]


def test_a_folder_that_cannot_be_made_and_then_can(
    open_log: OpenLog, clock: FakeClock, reports: list[str], tmp_path: Path
) -> None:
    (tmp_path / "var").write_text("a file where a folder should be")
    path = tmp_path / "var" / "logs" / "a.log"
    log = open_log(LogSettings(str(path)))
    assert reports == [f"{path}: the log cannot be written: a part of the path is not a folder"]
    log.write("kept")
    log.write_through(["kept too"])
    (tmp_path / "var").unlink()

    log.flush()
    assert not path.exists(), "it is not tried again at every line"
    assert log.due() == clock.boottime() + RETRY_AFTER
    clock.advance(RETRY_AFTER)
    log.flush()
    assert lines(path) == ["kept", "kept too"]
    assert banners(path) == ["test log: opened again"]
    assert reports[1:] == [f"{path}: the log can be written again"]
    assert log.due() is None

    log.write("as ever")
    assert log.due() == clock.boottime() + 1.0


def test_the_next_write_retries_too(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    log = open_log(LogSettings(str(tmp_path / "var" / "a.log")))
    log.write("one")
    (tmp_path / "var").unlink()
    clock.advance(RETRY_AFTER)
    log.write_through(["two"])
    assert lines(log.path) == ["one", "two"]


def test_reopen_does_not_wait(open_log: OpenLog, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    log = open_log(LogSettings(str(tmp_path / "var" / "a.log")))
    log.write("one")
    (tmp_path / "var").unlink()
    log.reopen()
    assert lines(log.path) == ["one"]


def test_memory_is_bounded_and_the_loss_is_told(
    open_log: OpenLog, clock: FakeClock, reports: list[str], tmp_path: Path
) -> None:
    (tmp_path / "var").write_text("")
    log = open_log(LogSettings(str(tmp_path / "var" / "a.log")))
    line = "x" * 1023
    for _ in range(200):
        log.write(line)
    assert len(log._pending) <= PENDING_LIMIT
    (tmp_path / "var").unlink()
    clock.advance(RETRY_AFTER)
    log.write("the first that works again")
    log.flush()
    lost = 200 - PENDING_LIMIT // 1024
    assert lines(log.path) == [line] * (PENDING_LIMIT // 1024) + ["the first that works again"]
    assert banners(log.path)[-1] == f"test log: {lost} lines missing here: the log could not be written"
    assert everything(log.path)[-1] == "the first that works again", "the gap is marked"
    assert reports[-1] == f"{log.path}: the log can be written again; {lost} lines lost"

    clock.advance(60)
    log.reopen()
    assert "missing" not in banners(log.path)[-1], "the loss is reported once"


def test_of_several_lines_those_that_fit_are_kept(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    log = open_log(LogSettings(str(tmp_path / "var" / "a.log")))
    line = "x" * 1023
    log.write_through([line] * 200)
    (tmp_path / "var").unlink()
    clock.advance(RETRY_AFTER)
    log.flush()
    assert lines(log.path) == [line] * (PENDING_LIMIT // 1024)


def test_what_is_lost_at_closing_is_told(open_log: OpenLog, reports: list[str], tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    log = open_log(LogSettings(str(tmp_path / "var" / "a.log")))
    log.write("one")
    log.write("two")
    log.close()
    assert reports[1:] == [f"{log.path}: the log is closed without its last 2 lines"]
    assert log.due() is None


def test_closing_tries_once_more_without_waiting(open_log: OpenLog, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    log = open_log(LogSettings(str(tmp_path / "var" / "a.log")))
    log.write("one")
    (tmp_path / "var").unlink()
    log.close()
    assert lines(log.path) == ["one"]
    assert banners(log.path)[-1] == "test log: closed"


def test_each_kind_of_trouble_is_told_once(
    open_log: OpenLog, clock: FakeClock, reports: list[str], tmp_path: Path
) -> None:
    (tmp_path / "var").write_text("")
    path = tmp_path / "var" / "a.log"
    log = open_log(LogSettings(str(path), flush=0))
    (tmp_path / "var").unlink()
    path.mkdir(parents=True)
    for _ in range(3):
        clock.advance(RETRY_AFTER)
        log.write("line")
    assert reports == [
        f"{path}: the log cannot be written: a part of the path is not a folder",
        f"{path}: the log cannot be written: there is a folder of that name",
    ]


def test_trouble_that_comes_back_is_told_again(
    open_log: OpenLog, clock: FakeClock, reports: list[str], tmp_path: Path
) -> None:
    (tmp_path / "var").write_text("")
    log = open_log(LogSettings(str(tmp_path / "var" / "a.log"), flush=0))
    (tmp_path / "var").unlink()
    clock.advance(RETRY_AFTER)
    log.write("works")
    (tmp_path / "var" / "a.log").unlink()
    (tmp_path / "var" / "a.log").mkdir()
    log.reopen()
    assert [report.rsplit(": ", 1)[1] for report in reports] == [
        "a part of the path is not a folder",
        "the log can be written again",
        "there is a folder of that name",
    ]


def test_rollover_into_a_folder_that_cannot_be_made(
    open_log: OpenLog, clock: FakeClock, reports: list[str], tmp_path: Path
) -> None:
    log = open_log(LogSettings(str(tmp_path / "%D%" / "a.log"), Rotation.DAILY, flush=0))
    log.write("Monday")
    (tmp_path / "24").write_text("")
    clock.advance(86400)
    log.write("Tuesday")
    assert len(reports) == 1
    (tmp_path / "24").unlink()
    clock.advance(RETRY_AFTER)
    log.flush()
    assert lines(tmp_path / "23" / "a.log") == ["Monday"]
    assert lines(tmp_path / "24" / "a.log") == ["Tuesday"]


@contextmanager
def file_size_limit(octets: int) -> Iterator[None]:
    """Let no file of this process grow beyond `octets`: the next write stops there, the one after it fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_line_cut_by_a_full_disk_is_written_again_whole(
    open_log: OpenLog, clock: FakeClock, reports: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.log"
    log = open_log(LogSettings(str(path)))
    size = path.stat().st_size
    for word in ("one", "two", "three"):
        log.write(word)
    with file_size_limit(size + 10):  # in the middle of "three"
        log.flush()
    assert path.read_bytes()[size:] == b"one\ntwo\nth"
    clock.advance(RETRY_AFTER)
    log.flush()
    assert lines(path) == ["one", "two", "th", "three"]
    assert [report.rsplit(": ", 1)[1] for report in reports] == [
        "the file is larger than the system allows",
        "the log can be written again",
    ]


def test_a_stream_goes_on_where_it_stopped(
    open_log: OpenLog, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, reports: list[str]
) -> None:
    # a terminal that another program has made non-blocking takes part of a write and then refuses
    taken = bytearray()
    rooms = [5, None, 1000]

    def write(descriptor: int, data: bytes) -> int:
        room = rooms.pop(0)
        if room is None:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        taken.extend(data[:room])
        return min(room, len(data))

    log = open_log(LogSettings("%stderr%"))
    monkeypatch.setattr(os, "write", write)
    log.write("one")
    log.write("two")
    log.flush()
    clock.advance(RETRY_AFTER)
    log.flush()
    monkeypatch.undo()
    assert taken == b"one\ntwo\n"
    assert len(reports) == 2


def test_report_may_write_to_the_same_log(clock: FakeClock, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    logs: list[LogFile] = []

    def report(text: str) -> None:
        for log in logs:
            log.write(f"noted: {text}")

    log = LogFile(LogSettings(str(tmp_path / "var" / "a.log")), clock, banner="test log", report=report)
    logs.append(log)
    (tmp_path / "var").unlink()
    clock.advance(RETRY_AFTER)
    log.write("one")
    log.close()
    assert lines(log.path) == ["one", f"noted: {log.path}: the log can be written again"]


def test_no_descriptor_is_left_open(clock: FakeClock, reports: list[str], tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        log = LogFile(LogSettings("/dev/full", flush=0), clock, banner="test log", report=reports.append)
        log.write("line")
        log.close()
        log = LogFile(LogSettings(str(tmp_path / "%DT%"), Rotation.DAILY), clock, banner="b", report=reports.append)
        clock.advance(86400)
        log.write("line")
        log.reopen()
        log.close()
    assert len(os.listdir("/proc/self/fd")) == before
