"""LogFile when all goes well: what reaches the disk, when, under which name and with which banners."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.logs.conftest import OpenLog, banners, everything, lines
from tests.support.clock import FakeClock, local
from tui_popretr.config.choices import Rotation
from tui_popretr.config.model import LogSettings

# --- buffering ------------------------------------------------------------------------------------------------------


def test_lines_are_buffered_until_flush(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log")))
    log.write("one")
    log.write("zwei äöü")
    assert lines(log.path) == []
    log.flush()
    assert lines(log.path) == ["one", "zwei äöü"]


def test_a_full_buffer_is_written(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log"), buffer=20))
    log.write("123456789")
    assert lines(log.path) == []
    log.write("123456789")
    assert lines(log.path) == ["123456789", "123456789"]


def test_flush_zero_writes_each_entry_at_once(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log"), flush=0))
    log.write("one")
    assert lines(log.path) == ["one"]
    assert log.due() is None


def test_due_counts_from_the_first_unflushed_line(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log"), flush=2.0))
    assert log.due() is None
    log.write("one")
    clock.advance(1.5)
    log.write("two")
    assert log.due() == 1002.0
    clock.set(wall=local(2031, 1, 1))
    assert log.due() == 1002.0, "the wall clock has nothing to do with it"
    log.flush()
    assert log.due() is None
    clock.advance(1)
    log.write("three")
    assert log.due() == 1004.5


def test_write_through_takes_what_was_buffered_with_it(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log"), flush=3600, buffer=1_000_000))
    log.write("one")
    log.write_through(["two", "three"])
    assert lines(log.path) == ["one", "two", "three"]
    assert log.due() is None


def test_a_text_that_is_no_unicode_is_written_all_the_same(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log"), flush=0))
    log.write("File=/mail/\udcff")
    assert lines(log.path) == ["File=/mail/\\udcff"]


# --- files ----------------------------------------------------------------------------------------------------------


def test_files_and_all_new_folders_are_private(open_log: OpenLog, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    before = os.umask(0)
    try:
        open_log(LogSettings(str(tmp_path / "var" / "logs" / "a.log")))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "var" / "logs" / "a.log").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "var" / "logs").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_an_existing_file_is_continued(open_log: OpenLog, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("earlier\n")
    path.chmod(0o640)
    log = open_log(LogSettings(str(path), flush=0))
    log.write("later")
    assert lines(path) == ["earlier", "later"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640, "what an administrator allowed stays"


def test_a_torn_last_line_is_ended_first(open_log: OpenLog, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("whole\ntor")
    log = open_log(LogSettings(str(path), flush=0))
    log.write("new")
    assert lines(path) == ["whole", "tor", "new"]


def test_banners_at_opening_and_closing(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log")))
    log.write("one")
    clock.advance(1)
    log.close()
    log.write("too late")
    log.flush()
    log.close()
    assert everything(log.path) == [
        "# 2026-11-23 07:27:59.107 test log: opened",
        "one",
        "# 2026-11-23 07:28:00.107 test log: closed",
    ]
    assert log.due() is None


def test_two_logs_may_share_a_file(open_log: OpenLog, tmp_path: Path) -> None:
    settings = LogSettings(str(tmp_path / "a.log"), buffer=50)
    first, second = open_log(settings), open_log(settings)
    for number in range(50):
        first.write(f"first {number}")
        second.write(f"second {number}")
    first.flush()
    second.flush()
    written = lines(settings.path)
    assert [line for line in written if line.startswith("first")] == [f"first {number}" for number in range(50)]
    assert [line for line in written if line.startswith("second")] == [f"second {number}" for number in range(50)]


def test_reopen_after_the_file_was_renamed_away(open_log: OpenLog, tmp_path: Path) -> None:
    path, moved = tmp_path / "a.log", tmp_path / "a.log.old"
    log = open_log(LogSettings(str(path)))
    log.write("one")
    path.rename(moved)
    log.write("two")
    log.reopen()
    log.write("three")
    log.flush()
    assert lines(moved) == ["one", "two"]
    assert banners(moved) == ["test log: opened", "test log: closed"]
    assert lines(path) == ["three"]
    assert banners(path) == ["test log: opened"]


def test_reopen_keeps_a_name_made_from_the_time(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "%DT%.log"), flush=0))
    clock.advance(100)
    log.reopen()
    assert [entry.name for entry in tmp_path.iterdir()] == ["20261123_072759.log"]


@pytest.mark.parametrize(("path", "stream"), [("%stdout%", 0), ("%stderr%", 1)])
def test_standard_streams_have_no_banner_and_no_rotation(
    open_log: OpenLog,
    clock: FakeClock,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    stream: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    for settings in (LogSettings(path, Rotation.MINUTE), LogSettings(path, max_size=5)):
        log = open_log(settings)
        log.write("one")
        clock.advance(3600)
        log.write("two")
        log.reopen()
        log.close()
    assert capfd.readouterr()[stream] == "one\ntwo\n" * 2
    assert capfd.readouterr()[1 - stream] == ""
    os.fstat(stream + 1)  # still open
    assert list(tmp_path.iterdir()) == []


# --- rotation by time -----------------------------------------------------------------------------------------------


def test_rollover_is_told_in_both_files(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    clock.set(wall=local(2026, 12, 31, 23, 59, 59, 900))
    log = open_log(LogSettings(str(tmp_path / "Y%Y%" / "a-%DT%.log"), Rotation.MONTHLY))
    old, new = tmp_path / "Y2026" / "a-202612.log", tmp_path / "Y2027" / "a-202701.log"
    log.write("last year")
    clock.advance(0.1)
    log.write("this year")
    log.close()
    assert lines(old) == ["last year"]
    assert banners(old) == ["test log: opened", f"test log: continued in {new}"]
    assert lines(new) == ["this year"]
    assert banners(new) == [f"test log: continued from {old}", "test log: closed"]
    assert everything(old)[-1].startswith("# ")
    assert everything(new)[0].startswith("# ")
    assert log.path == str(new)


@pytest.mark.parametrize(
    ("rotation", "before", "after", "names"),
    [
        (
            Rotation.MINUTE,
            local(2026, 11, 23, 7, 59, 59),
            local(2026, 11, 23, 8, 0, 0),
            ["20261123_0759", "20261123_0800"],
        ),
        (
            Rotation.HOURLY,
            local(2026, 11, 23, 7, 59, 59),
            local(2026, 11, 23, 8, 0, 0),
            ["20261123_0700", "20261123_0800"],
        ),
        (Rotation.DAILY, local(2026, 11, 30, 23, 59, 59), local(2026, 12, 1, 0, 0, 0), ["20261130", "20261201"]),
        (Rotation.WEEKLY, local(2027, 1, 3, 23, 59, 59), local(2027, 1, 4, 0, 0, 0), ["20261228", "20270104"]),
        (Rotation.YEARLY, local(2026, 12, 31, 23, 59, 59), local(2027, 1, 1, 0, 0, 0), ["2026", "2027"]),
        (Rotation.NEVER, local(2026, 12, 31, 23, 59, 59), local(2027, 1, 1, 0, 0, 0), ["20261231_235959"]),
    ],
)
def test_every_rotation_turns_with_its_period(
    open_log: OpenLog,
    clock: FakeClock,
    tmp_path: Path,
    rotation: Rotation,
    before: datetime,
    after: datetime,
    names: list[str],
) -> None:
    clock.set(wall=before + timedelta(milliseconds=999))
    log = open_log(LogSettings(str(tmp_path / "%DT%"), rotation, flush=0))
    log.write("before", clock.now())
    log.write("after", after)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == names
    assert lines(tmp_path / names[0])[0] == "before"
    assert lines(tmp_path / names[-1])[-1] == "after"


def test_audit_lines_rotate_too(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "%DT%"), Rotation.DAILY))
    log.write_through(["one"])
    clock.advance(86400)
    log.write_through(["two"])
    assert lines(tmp_path / "20261123") == ["one"]
    assert lines(tmp_path / "20261124") == ["two"]


def test_a_quiet_period_gets_no_file(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "%DT%"), Rotation.DAILY, flush=0))
    clock.advance(3 * 86400)
    log.flush()
    log.write("after three days")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["20261123", "20261126"]


def test_a_name_without_a_time_token_stays(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log"), Rotation.DAILY, flush=0))
    clock.advance(86400)
    log.write("tomorrow")
    assert everything(tmp_path / "a.log")[1:] == ["tomorrow"], "no rollover banner where nothing rolls over"


def test_a_straggler_does_not_bring_the_old_file_back(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    clock.set(wall=local(2026, 11, 23, 23, 59, 59))
    log = open_log(LogSettings(str(tmp_path / "%DT%"), Rotation.DAILY, flush=0))
    log.write("new day", local(2026, 11, 24, 0, 0, 0))
    log.write("straggler", local(2026, 11, 23, 23, 59, 59, 999))
    assert lines(tmp_path / "20261124") == ["new day", "straggler"]


def test_a_wall_clock_set_back_brings_the_old_file_back(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    clock.set(wall=local(2099, 1, 1))
    log = open_log(LogSettings(str(tmp_path / "%DT%"), Rotation.DAILY, flush=0))
    clock.set(wall=local(2026, 11, 23))
    log.write("the clock is right again")
    assert lines(tmp_path / "20261123") == ["the clock is right again"]


def _changes(
    first: datetime, second: datetime, rotation: Rotation, log_to: Path, open_log: OpenLog, clock: FakeClock
) -> list[str]:
    clock.set(wall=first)
    log = open_log(LogSettings(str(log_to / "%DT%"), rotation, flush=0))
    log.write("before")
    clock.set(wall=second)
    log.write("after")
    return sorted(entry.name for entry in log_to.iterdir())


def test_summer_time_begins(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    change = local(2026, 3, 29, 1, 59, 59, offset=1), local(2026, 3, 29, 3, 0, 0, offset=2)
    assert _changes(*change, Rotation.DAILY, tmp_path / "d", open_log, clock) == ["20260329"]
    assert _changes(*change, Rotation.HOURLY, tmp_path / "h", open_log, clock) == ["20260329_0100", "20260329_0300"]


def test_summer_time_ends(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    change = local(2026, 10, 25, 2, 59, 59, offset=2), local(2026, 10, 25, 2, 0, 0, offset=1)
    assert _changes(*change, Rotation.DAILY, tmp_path / "d", open_log, clock) == ["20261025"]
    assert _changes(*change, Rotation.HOURLY, tmp_path / "h", open_log, clock) == ["20261025_0200"]
    assert _changes(*change, Rotation.MINUTE, tmp_path / "m", open_log, clock) == ["20261025_0200", "20261025_0259"]
    assert lines(tmp_path / "m" / "20261025_0200") == ["after"]


# --- rotation by size -----------------------------------------------------------------------------------------------


def test_size_rotation_numbers_the_files(open_log: OpenLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a short path: it is part of the banners, which count
    path = Path("a.log")
    log = open_log(LogSettings(str(path), max_size=200, flush=0))
    for number in range(12):
        log.write(f"{number:02}" * 20)  # 41 octets each
    # the opening banner leaves room for three lines in the first, the longer ones of a rollover for fewer or one
    assert len(lines(path)) == 3
    names = ["a.log", *(f"a.log.{number}" for number in range(1, len(list(tmp_path.iterdir()))))]
    assert {entry.name for entry in tmp_path.iterdir()} == set(names)
    together = [line for name in names for line in lines(tmp_path / name)]
    assert together == [f"{number:02}" * 20 for number in range(12)]
    assert banners(path)[-1] == f"test log: continued in {path}.1"
    assert banners(f"{path}.1")[0] == f"test log: continued from {path}"
    for entry in tmp_path.iterdir():
        assert sum(len(line) + 1 for line in everything(entry)[:-1]) <= 200


def test_buffered_lines_count_for_the_size(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log"), max_size=200, buffer=10_000))
    for _ in range(8):
        log.write("x" * 40)
    log.close()
    assert (tmp_path / "a.log.1").exists()
    assert len(lines(tmp_path / "a.log")) < 5


def test_maxfile_overrides_rot(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "%DT%"), Rotation.MINUTE, max_size=100_000, flush=0))
    clock.advance(3600)
    log.write("an hour later")
    assert [entry.name for entry in tmp_path.iterdir()] == ["20261123_072759"]


def test_with_a_time_token_the_next_file_has_the_time(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "%DT%"), max_size=150, flush=0))
    log.write("x" * 90)
    log.write("y" * 90)  # within the same second: the name is taken
    clock.advance(1)
    log.write("z" * 90)
    names = ["20261123_072759", "20261123_072759.1", "20261123_072800"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == names
    assert [lines(tmp_path / name)[0][0] for name in names] == ["x", "y", "z"]


def test_a_line_larger_than_maxfile_gets_one_file_not_many(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log"), max_size=10, flush=0))
    log.write("x" * 500)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.log"]
    log.write("y" * 500)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.log", "a.log.1"]


def test_a_restart_goes_on_with_the_newest_number(open_log: OpenLog, tmp_path: Path) -> None:
    # a.log and .1 .. .8 were removed to make room
    (tmp_path / "a.log.9").write_text("x" * 99 + "\n")
    (tmp_path / "a.log.10").write_text("short\n")
    (tmp_path / "a.log.gz").write_text("other\n")
    settings = LogSettings(str(tmp_path / "a.log"), max_size=100, flush=0)
    assert open_log(settings).path == f"{settings.path}.10"
    (tmp_path / "a.log.10").write_text("x" * 99 + "\n")
    assert open_log(settings).path == f"{settings.path}.11"


def test_what_others_append_counts_too(open_log: OpenLog, tmp_path: Path) -> None:
    settings = LogSettings(str(tmp_path / "a.log"), max_size=400, flush=0)
    first, second = open_log(settings), open_log(settings)
    for _ in range(20):
        first.write("x" * 50)
        second.write("y" * 50)
    together = [line for entry in tmp_path.iterdir() for line in lines(entry)]
    assert together.count("x" * 50) == together.count("y" * 50) == 20
    for entry in tmp_path.iterdir():
        # as of its own last write each knows the size: at most one line and the rollover banners more
        assert sum(len(line) + 1 for line in lines(entry)) <= 400 + 51


# --- threads --------------------------------------------------------------------------------------------------------


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Makes the interpreter change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless_threads")
def test_many_threads_write_whole_lines(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "a.log"), buffer=100, max_size=20_000))
    threads = 4
    each = 300
    start = threading.Barrier(threads + 1)

    def work(name: int) -> None:
        start.wait()
        for number in range(each):
            if number % 3:
                log.write(f"{name} {number}")
            else:
                log.write_through([f"{name} {number}"])

    workers = [threading.Thread(target=work, args=(name,)) for name in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    for _ in range(20):
        log.flush()
        log.reopen()
    for worker in workers:
        worker.join()
    log.close()
    newest_last = sorted(tmp_path.iterdir(), key=lambda entry: int(entry.suffix[1:]) if entry.suffix != ".log" else 0)
    written = [line for entry in newest_last for line in lines(entry)]
    assert len(written) == threads * each
    for name in range(threads):
        assert [line for line in written if line.startswith(f"{name} ")] == [f"{name} {n}" for n in range(each)]
