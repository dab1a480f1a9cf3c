"""The logs of a process follow its settings and facts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.clock import FakeClock
from tests.support.making import engine_settings
from tests.support.worlds import RunClock
from tui_popretr.bus import Bus
from tui_popretr.config.model import LogSettings, Settings
from tui_popretr.engine.logfiles import LogFiles
from tui_popretr.facts import Dialogue, Direction, Level, Noted, SessionId


class Logs:
    """A logbook in a folder."""

    def __init__(self, folder: Path, fallback: LogSettings | None = None) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.bus = Bus()
        self.reports: list[str] = []
        self.book = LogFiles(self.bus, self.clock, self.reports.append, fallback)

    def place(self, name: str) -> LogSettings:
        return LogSettings(str(self.folder / name), flush=0.0)

    def settings(self, **logs: LogSettings | None) -> Settings:
        return engine_settings(self.folder, **logs)

    def everything(self) -> Settings:
        return self.settings(audit=self.place("audit"), transcript=self.place("transcript"), trace=self.place("trace"))

    def happen(self, text: str) -> None:
        """Something is said, noted and delivered."""
        self.bus.publish(Noted(self.clock.now(), Level.INFO, None, f"noted {text}"))
        self.bus.publish_dialogue(Dialogue(SessionId("a", 1), self.clock.now(), [(Direction.OUT, f"said {text}")]))
        self.book.audit([f"delivered {text}"])

    def lines(self, name: str) -> list[str]:
        """A log's last two words a line, without banners; none where there is no file."""
        path = self.folder / name
        lines = path.read_text().splitlines() if path.exists() else []
        return [" ".join(line.split(" ")[-2:]) for line in lines if not line.startswith("#")]

    def banners(self, name: str) -> list[str]:
        lines = (self.folder / name).read_text().splitlines()
        return [line.rpartition(": ")[2] for line in lines if line.startswith("#")]


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


def test_each_log_gets_what_belongs_into_it(logs: Logs) -> None:
    logs.book.apply(logs.everything())
    logs.happen("x")
    assert [logs.lines(name) for name in ("trace", "transcript", "audit")] == [["noted x"], ["said x"], ["delivered x"]]


def test_logs_that_are_not_configured_are_off(logs: Logs) -> None:
    logs.book.apply(logs.settings())
    logs.happen("x")
    assert not logs.bus.wants_dialogue
    assert list(logs.folder.iterdir()) == []


def test_the_trace_has_a_fallback_that_its_own_setting_replaces(tmp_path: Path) -> None:
    logs = Logs(tmp_path, LogSettings(str(tmp_path / "fallback"), flush=0.0))
    logs.book.apply(logs.settings())
    logs.happen("x")
    logs.book.apply(logs.everything())
    logs.happen("y")
    assert logs.lines("fallback") == ["noted x"]
    assert logs.lines("trace") == ["noted y"]


def test_errors_also_go_to_the_fallback_log(tmp_path: Path) -> None:
    logs = Logs(tmp_path, LogSettings(str(tmp_path / "fallback"), flush=0.0))
    logs.book.apply(logs.everything())
    logs.bus.publish(Noted(logs.clock.now(), Level.ERROR, None, "great trouble"))
    assert logs.lines("fallback") == logs.lines("trace") == ["great trouble"]


def test_the_trace_has_a_level(logs: Logs) -> None:
    logs.book.apply(logs.settings(trace=replace(logs.place("trace"), level="warn")))
    logs.happen("x")
    logs.bus.publish(Noted(logs.clock.now(), Level.WARNING, None, "look out"))
    assert logs.lines("trace") == ["look out"]


def test_the_same_settings_again_reopen_the_files_by_name(logs: Logs) -> None:
    logs.book.apply(logs.everything())
    logs.happen("x")
    for name in ("trace", "transcript", "audit"):
        (logs.folder / name).rename(logs.folder / f"{name}.1")
    logs.book.apply(logs.everything())
    logs.happen("y")
    assert [logs.lines(name) for name in ("trace", "transcript", "audit")] == [["noted y"], ["said y"], ["delivered y"]]
    assert [logs.lines(f"{name}.1") for name in ("trace", "audit")] == [["noted x"], ["delivered x"]]


def test_other_settings_close_the_old_files(logs: Logs) -> None:
    logs.book.apply(logs.everything())
    logs.happen("x")
    logs.book.apply(logs.settings(audit=logs.place("other")))
    logs.happen("y")
    assert [logs.lines(name) for name in ("trace", "transcript", "audit")] == [["noted x"], ["said x"], ["delivered x"]]
    assert logs.lines("other") == ["delivered y"]
    assert all(logs.banners(name) == ["opened", "closed"] for name in ("trace", "transcript", "audit"))
    assert not logs.bus.wants_dialogue


def test_closing_writes_everything_out(logs: Logs) -> None:
    lazy = replace(logs.place("transcript"), flush=3600.0)
    logs.book.apply(logs.settings(transcript=lazy))
    logs.happen("x")
    assert logs.lines("transcript") == []
    logs.book.close()
    assert logs.lines("transcript") == ["said x"]
    assert not logs.bus.wants_dialogue
    logs.happen("y")
    logs.book.close()
    assert logs.lines("transcript") == ["said x"]


@pytest.mark.parametrize("name", ["audit", "transcript"])
def test_lines_that_are_lost_at_the_end_are_in_the_trace(logs: Logs, name: str) -> None:
    (logs.folder / name).symlink_to("/dev/full")
    logs.book.apply(logs.settings(**{name: logs.place(name)}, trace=logs.place("trace")))
    logs.happen("x")
    logs.book.close()
    assert "the log is closed without its last 1 line" in (logs.folder / "trace").read_text()


def test_an_audit_line_does_not_wait_for_the_flush(logs: Logs) -> None:
    logs.book.apply(logs.settings(audit=replace(logs.place("audit"), flush=3600.0)))
    logs.book.audit(["delivered x", "delivered y"])
    logs.book.audit([])
    assert logs.lines("audit") == ["delivered x", "delivered y"]


@trio_test
async def test_a_quiet_log_reaches_the_disk_within_its_flush(tmp_path: Path, autojump_clock: MockClock) -> None:
    logs = Logs(tmp_path)
    clock = RunClock()
    logs.book = LogFiles(logs.bus, clock, logs.reports.append, None)
    logs.book.apply(logs.settings(transcript=replace(logs.place("transcript"), flush=2.0)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(logs.book.run)
        await trio.sleep(10.0)
        logs.happen("x")
        await trio.sleep(1.9)
        assert logs.lines("transcript") == []
        await trio.sleep(0.5)
        assert logs.lines("transcript") == ["said x"]
        nursery.cancel_scope.cancel()
    logs.book.close()


@trio_test
async def test_an_unwritable_log_is_reported_and_retried(tmp_path: Path, autojump_clock: MockClock) -> None:
    logs = Logs(tmp_path)
    logs.book = LogFiles(logs.bus, RunClock(), logs.reports.append, None)
    in_the_way = tmp_path / "sub"
    in_the_way.write_bytes(b"")
    logs.book.apply(logs.settings(audit=logs.place("sub/audit")))
    logs.book.audit(["delivered x"])
    assert len(logs.reports) == 1
    assert "cannot be written" in logs.reports[0]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(logs.book.run)
        in_the_way.unlink()
        await trio.sleep(10.0)
        nursery.cancel_scope.cancel()
    assert logs.lines("sub/audit") == ["delivered x"]
    assert len(logs.reports) == 2
    logs.book.close()
