"""A log whose file is removed or renamed while it is written: it goes on in a file of its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.logs.conftest import OpenLog, banners, lines
from tests.support.clock import FakeClock
from tui_popretr.config.model import LogSettings
from tui_popretr.logs.appender import Appender
from tui_popretr.logs.logfile import LogFile


def removed(path: Path) -> None:
    path.unlink()


def renamed(path: Path) -> None:
    path.rename(path.with_suffix(".old"))


def renamed_and_created(path: Path) -> None:
    renamed(path)
    path.touch(0o640)


def replaced(path: Path) -> None:
    other = path.with_suffix(".new")
    other.touch()
    other.rename(path)


def removed_with_its_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


KINDS = [removed, renamed, renamed_and_created, replaced, removed_with_its_folder]


def write_through(log: LogFile, clock: FakeClock, line: str) -> None:
    log.write_through([line])


def write_a_second_later(log: LogFile, clock: FakeClock, line: str) -> None:
    clock.advance(1.0)
    log.write(line)
    log.flush()


def write_before_closing(log: LogFile, clock: FakeClock, line: str) -> None:
    log.write(line)
    log.close()


@pytest.mark.parametrize("lose", KINDS)
@pytest.mark.parametrize("write", [write_through, write_a_second_later, write_before_closing])
@pytest.mark.parametrize("max_size", [None, 100_000])
def test_what_comes_afterwards_is_in_a_file_of_its_name(
    open_log: OpenLog,
    clock: FakeClock,
    reports: list[str],
    tmp_path: Path,
    lose: Callable[[Path], None],
    write: Callable[[LogFile, FakeClock, str], None],
    max_size: int | None,
) -> None:
    path = tmp_path / "logs/a.log"
    log = open_log(LogSettings(str(path), max_size=max_size))
    log.write_through(["before"])
    log.write("waiting")
    lose(path)
    write(log, clock, "after")
    assert lines(path) == ["waiting", "after"]
    assert banners(path)[0] == "test log: opened"
    old = path.with_suffix(".old")
    if old.exists():
        assert lines(old) == ["before"]
        assert banners(old)[-1] == "test log: closed"
    assert reports == []


def test_write_through_never_writes_only_to_a_removed_file(
    open_log: OpenLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is removed between the look and the write, three times in a row."""
    path = tmp_path / "a.log"
    log = open_log(LogSettings(str(path)))
    write, times = os.write, [0]

    def remove_and_write(descriptor: int, data: bytes) -> int:
        if b"line" in data and times[0] < 3:
            times[0] += 1
            path.unlink()
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", remove_and_write)
    log.write_through(["line"])
    assert times == [3]
    assert lines(path) == ["line"]


def test_it_is_looked_at_no_more_than_once_a_second(
    open_log: OpenLog, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log"), flush=0))
    log.write("first")
    looks: list[Appender] = []
    lost = Appender.lost

    def look(file: Appender) -> bool:
        looks.append(file)
        return lost(file)

    monkeypatch.setattr(Appender, "lost", look)
    for _ in range(100):
        log.write("line")
    assert looks == []
    clock.advance(1.0)
    log.write("line")
    assert len(looks) == 1


def test_a_renamed_file_is_written_if_no_new_one_can_be_made(
    open_log: OpenLog, clock: FakeClock, reports: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.log"
    log = open_log(LogSettings(str(path)))
    log.write_through(["one"])
    renamed(path)
    path.mkdir()
    log.write_through(["two"])
    assert lines(path.with_suffix(".old")) == ["one", "two"]
    assert reports == []


def test_lines_are_kept_if_a_removed_file_cannot_be_made_again(
    open_log: OpenLog, clock: FakeClock, reports: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.log"
    log = open_log(LogSettings(str(path)))
    path.unlink()
    path.mkdir()
    log.write_through(["one"])
    assert reports == [f"{path}: the log cannot be written: there is a folder of that name"]
    path.rmdir()
    clock.advance(10)
    log.write_through(["two"])
    assert lines(path) == ["one", "two"]


@pytest.mark.parametrize("field", ["st_ino", "st_nlink"])
def test_inode_numbers_that_change_each_time_are_ignored(
    open_log: OpenLog, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """As FUSE and network file systems may do it: no new file is begun for that, and no link counts as none."""
    fstat, number = os.fstat, [0]

    def strange(descriptor: int) -> os.stat_result:
        number[0] += 1
        position = {"st_ino": 1, "st_nlink": 3}[field]
        values = list(fstat(descriptor))
        values[position] = number[0] if field == "st_ino" else 0
        return os.stat_result(values)

    monkeypatch.setattr(os, "fstat", strange)
    log = open_log(LogSettings(str(tmp_path / "a.log")))
    for _ in range(5):
        log.write_through(["line"])
        clock.advance(2)
    assert lines(tmp_path / "a.log") == ["line"] * 5
    assert banners(tmp_path / "a.log") == ["test log: opened"]


def test_reopening_leaves_nothing_in_a_removed_file(open_log: OpenLog, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = open_log(LogSettings(str(path)))
    log.write("waiting")
    path.unlink()
    log.reopen()
    assert lines(path) == ["waiting"]
