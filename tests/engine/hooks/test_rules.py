"""Which hooks run: tables of what happened, and of when hooks ran before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tui_popretr.config.choices import HookEvent
from tui_popretr.config.model import HookSettings
from tui_popretr.engine.hooks.rules import ClosedSession, Occurrence, after_session, stale_now
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionResult, Standing, TlsDetails

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
HOUR, DAY = 3600, 86400
OK, LOGIN, UNREACHABLE = ExitCode.OK, ExitCode.LOGIN, ExitCode.UNAVAILABLE


def hook(on: str, after: float = 1.0, every: float = DAY, clients: tuple[str, ...] = ()) -> HookSettings:
    return HookSettings(HookEvent(on), ("true",), after, every, clients)


def session(
    code: ExitCode = OK,
    failures: int = 0,
    *,
    error: str = "",
    messages: int = 0,
    kept: int = 0,
    days: float | None = None,
) -> ClosedSession:
    """A session of client a; `failures` in a row before it; a certificate that expires in `days`, none with 0."""
    failed = code is not OK
    result = SessionResult(
        code, error or ("broken" if failed else ""), "", NOW, NOW, messages, 10 * messages, 0, 0, 0, kept
    )
    before = Standing("a", failures, since=NOW - timedelta(days=100))
    counted = failures if result.stopped else failures + 1 if failed else 0
    after = replace(before, failures_in_a_row=counted, last_message=NOW if messages else None)
    tls = None if not days else TlsDetails("", "", "cn", "", (), NOW + timedelta(days=days))
    return ClosedSession(before, after, result, kept, tls)


@pytest.mark.parametrize(
    ("what", "closed", "ran", "runs", "time"),
    [
        # failed
        (hook("failed"), session(UNREACHABLE), None, True, SECONDS),
        (hook("failed"), session(OK), None, False, None),
        (hook("failed", 3), session(UNREACHABLE, 1), None, False, None),
        (hook("failed", 3), session(UNREACHABLE, 2), None, True, SECONDS),
        (hook("failed", 3), session(UNREACHABLE, 9), SECONDS - DAY + 1, False, SECONDS - DAY + 1),
        (hook("failed", 3), session(UNREACHABLE, 9), SECONDS - DAY, True, SECONDS),
        (hook("failed", every=0), session(UNREACHABLE, 9), SECONDS, True, SECONDS),
        (hook("failed"), session(UNREACHABLE), SECONDS + HOUR, True, SECONDS),  # the clock was set back
        (hook("failed"), session(OK, 3), SECONDS - HOUR, False, SECONDS - HOUR),
        (hook("failed"), session(OK, 3, error="stopped"), SECONDS - HOUR, False, SECONDS - HOUR),
        (hook("failed"), session(LOGIN), None, True, SECONDS),
        # login
        (hook("login"), session(LOGIN), None, True, SECONDS),
        (hook("login"), session(UNREACHABLE), None, False, None),
        (hook("login"), session(LOGIN, 2), SECONDS - HOUR, False, SECONDS - HOUR),
        (hook("login"), session(UNREACHABLE, 2), SECONDS - HOUR, False, SECONDS - HOUR),
        (hook("login"), session(OK, 2), SECONDS - HOUR, False, SECONDS - HOUR),
        # recovered
        (hook("recovered"), session(OK, 1), None, True, None),
        (hook("recovered"), session(OK, 0), None, False, None),
        (hook("recovered", 3), session(OK, 2), None, False, None),
        (hook("recovered", 3), session(OK, 3), None, True, None),
        (hook("recovered"), session(OK, 3, error="stopped"), None, False, None),
        # delivered, kept
        (hook("delivered"), session(OK, messages=2), None, True, None),
        (hook("delivered"), session(UNREACHABLE, messages=2), None, True, None),
        (hook("delivered"), session(OK), None, False, None),
        (hook("kept"), session(OK, kept=1), None, True, None),
        (hook("kept"), session(OK), None, False, None),
        # certificate
        (hook("certificate"), session(OK, days=13.9), None, True, SECONDS),
        (hook("certificate"), session(OK, days=-1), None, True, SECONDS),
        (hook("certificate"), session(OK, days=14), None, False, None),
        (hook("certificate"), session(OK, days=5), SECONDS - HOUR, False, SECONDS - HOUR),
        (hook("certificate"), session(OK, days=90), SECONDS - HOUR, False, SECONDS - HOUR),
        (hook("certificate"), session(UNREACHABLE), SECONDS - HOUR, False, SECONDS - HOUR),
        # stale
        (hook("stale", 7 * DAY), session(OK), None, True, SECONDS),
        (hook("stale", 7 * DAY), session(UNREACHABLE), SECONDS - HOUR, False, SECONDS - HOUR),
        (hook("stale", 7 * DAY), session(UNREACHABLE), SECONDS - DAY, True, SECONDS),
        (hook("stale", 7 * DAY), session(OK, messages=1), SECONDS - HOUR, False, SECONDS - HOUR),
        (hook("stale", 101 * DAY), session(OK), None, False, None),
        # clients
        (hook("failed", clients=("b",)), session(UNREACHABLE), None, False, None),
        (hook("failed", clients=("b", "a")), session(UNREACHABLE), None, True, SECONDS),
    ],
)
def test_after_a_session(
    what: HookSettings, closed: ClosedSession, ran: int | None, runs: bool, time: int | None
) -> None:
    key = ("a", what.key)
    times = {} if ran is None else {key: ran}
    decision = after_session([what], closed, times, NOW)
    assert [each for each, _ in decision.runs] == [what] * runs
    assert decision.times.get(key, ran) == time


@pytest.mark.parametrize(
    ("closed", "event", "expected"),
    [
        (session(UNREACHABLE), "failed", Occurrence(HookEvent.FAILED, "a", "a failed: broken", 0, 1, UNREACHABLE)),
        (
            session(LOGIN, 2),
            "failed",
            Occurrence(HookEvent.FAILED, "a", "a failed 3 times in a row: broken", 0, 3, LOGIN),
        ),
        (session(LOGIN, 2), "login", Occurrence(HookEvent.LOGIN, "a", "a: broken", 0, 3, LOGIN)),
        (
            session(OK, 4, messages=1),
            "recovered",
            Occurrence(HookEvent.RECOVERED, "a", "a works again after 4 failed sessions", 1, 4, OK),
        ),
        (
            session(OK, kept=1),
            "kept",
            Occurrence(HookEvent.KEPT, "a", "a: 1 message arrived cut short, delivered and kept on the server"),
        ),
        (session(OK), "stale", Occurrence(HookEvent.STALE, "a", "a: no mail for 100 days")),
    ],
)
def test_what_a_hook_gets(closed: ClosedSession, event: str, expected: Occurrence) -> None:
    ((_, occurrence),) = after_session([hook(event)], closed, {}, NOW).runs
    assert occurrence == expected


def test_several_hooks_of_one_session() -> None:
    hooks = [hook("failed"), hook("login"), hook("delivered"), hook("recovered")]
    decision = after_session(hooks, session(LOGIN, messages=1), {}, NOW)
    assert [each.on.value for each, _ in decision.runs] == ["failed", "login", "delivered"]


@pytest.mark.parametrize(
    ("age", "every", "ran", "runs", "time"),
    [
        (8 * DAY, DAY, None, True, SECONDS),
        (7 * DAY - 1, DAY, None, False, None),
        (30 * DAY, DAY, SECONDS - DAY + 1, False, SECONDS - DAY + 1),
        (30 * DAY, DAY, SECONDS - DAY, True, SECONDS),
        (30 * DAY, 0, None, True, SECONDS),
        (30 * DAY, 0, SECONDS - 9 * DAY, False, SECONDS - 9 * DAY),  # repeated after sessions only
        (1 * DAY, DAY, SECONDS - 9 * DAY, False, SECONDS - 9 * DAY),
    ],
)
def test_between_sessions(age: float, every: float, ran: int | None, runs: bool, time: int | None) -> None:
    what = hook("stale", 7 * DAY, every)
    key = ("a", what.key)
    standing = Standing("a", last_message=NOW - timedelta(seconds=age), since=NOW - timedelta(days=300))
    decision = stale_now([what, hook("failed")], [standing], {} if ran is None else {key: ran}, NOW)
    assert [each for each, _ in decision.runs] == [what] * runs
    assert decision.times.get(key, ran) == time


def test_failures_and_successes_in_turn() -> None:
    """An account that fails every second hour runs its hook once a day, not at each failure."""
    what = hook("failed")
    times: dict[tuple[str, str], int] = {}
    ran = []
    for hour in range(72):
        closed = session(UNREACHABLE) if hour % 2 else session(OK, 1)
        decision = after_session([what], closed, times, NOW + timedelta(hours=hour))
        times |= decision.times
        ran += [hour] * len(decision.runs)
    assert ran == [1, 25, 49]


def test_a_client_that_has_never_run_is_not_stale() -> None:
    assert stale_now([hook("stale", 1.0)], [Standing("a")], {}, NOW).runs == []
