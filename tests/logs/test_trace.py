"""The trace: which facts become lines, how they read, and where they go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.logs.conftest import OpenLog, lines
from tests.support.clock import FakeClock, local
from tests.support.making import session_result
from tui_popretr.config.model import LogSettings
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    ClientFinished,
    ClientQueued,
    ConfigurationRejected,
    ConfigurationReloaded,
    DialogueLine,
    Direction,
    Fact,
    Level,
    MessageSkipped,
    Noted,
    SessionClosed,
    SessionId,
)
from tui_popretr.logs.trace import TraceLog, parse_level

AT = local(2026, 11, 23, 7, 27, 59, 107)
SESSION = SessionId("id1", 3)
Trace = Callable[..., list[str]]


@pytest.fixture
def trace(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> Trace:
    """Returns the lines that facts become."""

    def trace_them(*facts: Fact, level: Level | None = Level.INFO, journal: bool = False) -> list[str]:
        log = open_log(LogSettings(str(tmp_path / "trace.log"), flush=0))
        subscriber = TraceLog(log, clock, level=level, journal=journal)
        for fact in facts:
            subscriber(fact)
        return lines(log.path)

    return trace_them


def closed(code: ExitCode = ExitCode.OK, error: str = "", advice: str = "", **numbers: int) -> SessionClosed:
    return SessionClosed(SESSION, session_result(AT, code, error, advice, **numbers))


def test_notes(trace: Trace) -> None:
    assert trace(
        Noted(AT, Level.WARNING, "id1", "text"),
        Noted(AT, Level.INFO, None, "started"),
    ) == ["2026-11-23 07:27:59.107 WARNING id1: text", "2026-11-23 07:27:59.107 INFO started"]


@pytest.mark.parametrize(
    ("level", "written"),
    [
        (Level.DEBUG, ["debug", "info", "warning", "error"]),
        (Level.INFO, ["info", "warning", "error"]),
        (Level.WARNING, ["warning", "error"]),
        (Level.ERROR, ["error"]),
        (None, []),
    ],
)
def test_levels(trace: Trace, level: Level | None, written: list[str]) -> None:
    texts = trace(*(Noted(AT, each, None, each.value) for each in Level), level=level)
    assert [text.rsplit(" ", 1)[1] for text in texts] == written


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("ERR", Level.ERROR),
        ("error", Level.ERROR),
        ("Warn", Level.WARNING),
        ("warning", Level.WARNING),
        (" info ", Level.INFO),
        ("debug", Level.DEBUG),
        ("trc", Level.DEBUG),
        ("TRC5", Level.DEBUG),
        ("all", Level.DEBUG),
        ("off", None),
    ],
)
def test_level_names(name: str, level: Level | None) -> None:
    assert parse_level(name) is level


@pytest.mark.parametrize("name", ["", "TRC6", "loud", "3"])
def test_unknown_level_names(name: str) -> None:
    with pytest.raises(ValueError, match="use one of"):
        parse_level(name)


@pytest.mark.parametrize(
    ("fact", "line"),
    [
        (closed(messages=3, octets=12_345, deleted=3), "INFO id1: 3 messages, 12.3 kB, deleted 3"),
        (closed(error="stopped by the user"), "INFO id1: no new messages; stopped by the user"),
        (
            closed(ExitCode.LOGIN, "login rejected", "check username and password"),
            "ERROR id1: failed: login rejected (check username and password)",
        ),
        (closed(ExitCode.TEMPORARY, "connection lost"), "WARNING id1: failed: connection lost"),
        (
            closed(ExitCode.TEMPORARY, "1 message skipped", messages=2, octets=2_000_000, deleted=2, failed=1),
            "WARNING id1: failed: 1 message skipped; before that 2 messages, 2 MB, deleted 2, failed 1",
        ),
        (
            MessageSkipped(SESSION, 7, "u7", 26_000_000, "-ERR locked", True),
            "WARNING id1: message 7 (UID u7, 26 MB) stays on the server: -ERR locked",
        ),
        (
            ConfigurationReloaded(("a", "b"), (), ("c",)),
            "INFO configuration reloaded: added a, b; changed c",
        ),
        (ConfigurationReloaded((), (), ()), "INFO configuration reloaded: no client has changed"),
    ],
)
def test_facts_that_tell_the_story(trace: Trace, fact: Fact, line: str) -> None:
    assert trace(fact) == [f"2026-11-23 07:27:59.107 {line}"]


def test_the_end_of_the_runs_is_a_detail(trace: Trace) -> None:
    assert trace(ClientFinished("id1")) == []
    assert trace(ClientFinished("id1"), level=Level.DEBUG) == [
        "2026-11-23 07:27:59.107 DEBUG id1: has completed all its runs"
    ]


def test_every_problem_of_a_rejected_configuration(trace: Trace) -> None:
    assert trace(ConfigurationRejected(("a.xml:1:2: error: x", "a.xml:3:4: error: y"))) == [
        "2026-11-23 07:27:59.107 ERROR configuration not reloaded, the old one stays in force:",
        "2026-11-23 07:27:59.107 ERROR a.xml:1:2: error: x",
        "2026-11-23 07:27:59.107 ERROR a.xml:3:4: error: y",
    ]


def test_other_facts_are_no_news(trace: Trace) -> None:
    assert (
        trace(
            MessageSkipped(SESSION, 7, "u7", 26, "larger than maxsize", False),
            ClientQueued("id1"),
            DialogueLine(SESSION, AT, Direction.OUT, "NOOP"),
            level=Level.DEBUG,
        )
        == []
    )


def test_a_text_stays_one_line(trace: Trace) -> None:
    assert trace(Noted(AT, Level.ERROR, None, "a\nb\x1b[2J")) == ["2026-11-23 07:27:59.107 ERROR a\\x0ab\\x1b[2J"]


def test_the_journal_gets_priorities_and_no_time(trace: Trace) -> None:
    assert trace(*(Noted(AT, each, "id1", "x") for each in Level), level=Level.DEBUG, journal=True) == [
        "<7>DEBUG id1: x",
        "<6>INFO id1: x",
        "<4>WARNING id1: x",
        "<3>ERROR id1: x",
    ]


def test_without_a_file_lines_reach_stderr_at_once(
    open_log: OpenLog, clock: FakeClock, capfd: pytest.CaptureFixture[str]
) -> None:
    TraceLog(open_log(LogSettings("%stderr%", flush=0)), clock)(Noted(AT, Level.INFO, None, "started"))
    assert capfd.readouterr().err == "2026-11-23 07:27:59.107 INFO started\n"
