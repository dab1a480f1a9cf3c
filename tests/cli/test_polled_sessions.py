"""Which sessions `poll --wait` waits for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.dashboard import closed, result
from tui_popretr.cli.polled_sessions import PolledSessions
from tui_popretr.control.codec import event_to_json
from tui_popretr.errors import ExitCode
from tui_popretr.facts import ClientsChanged, Fact, SessionId, SessionStarted

NOW = FakeClock().now()


def snapshot(*ids: str, running: tuple[str, ...] = (), code: int | None = None, state: str = "waiting") -> Any:
    last = None if code is None else {"code": code, "result": "before"}
    return {
        "clients": [
            {"id": each, "state": state, "progress": {} if each in running else None, "last": last} for each in ids
        ]
    }


def end(client: str, code: ExitCode = ExitCode.OK) -> Fact:
    return closed(client, result(NOW, code=code, error="" if code is ExitCode.OK else "no"))


def take(sessions: PolledSessions, fact: Fact) -> list[str]:
    return list(sessions.take({"n": 1, **event_to_json(fact)}))


def test_the_next_end_after_the_answer_counts() -> None:
    sessions = PolledSessions(snapshot("a", "b", running=("a",)))
    assert take(sessions, end("a", ExitCode.LOGIN)) == []  # before the answer
    sessions.polled("a")
    assert take(sessions, end("b", ExitCode.LOGIN)) == []  # was not polled
    assert not sessions.ended
    assert take(sessions, end("a")) == ["a: no new messages"]
    assert (sessions.ended, sessions.exit_code) == (True, ExitCode.OK)


def test_all_clients_but_disabled_ones() -> None:
    both = {"clients": [*snapshot("a", "b")["clients"], *snapshot("c", state="disabled")["clients"]]}
    sessions = PolledSessions(both)
    sessions.polled(None)
    take(sessions, end("b", ExitCode.TEMPORARY))
    assert not sessions.ended
    take(sessions, end("a", ExitCode.LOGIN))
    assert (sessions.ended, sessions.exit_code) == (True, ExitCode.LOGIN)


@pytest.mark.parametrize(
    ("running", "state", "code", "ended"),
    [
        ((), "waiting", 77, True),
        (("a",), "retrieving", 77, False),
        ((), "queued", 77, False),
        ((), "waiting", None, False),
    ],
)
def test_an_end_in_a_gap(running: tuple[str, ...], state: str, code: int | None, ended: bool) -> None:
    sessions = PolledSessions(snapshot("a"))
    sessions.polled("a")
    assert list(sessions.take({"gap": 5})) == []
    lines = list(sessions.take({"snapshot": snapshot("a", running=running, code=code, state=state)}))
    assert (lines == ["a: before"], sessions.ended) == (ended, ended)
    assert sessions.exit_code == (77 if ended else 0)


def test_a_client_that_a_reload_removes() -> None:
    sessions = PolledSessions(snapshot("a", "b"))
    sessions.polled("a")
    sessions.polled("b")
    take(sessions, SessionStarted(SessionId("b", 2), NOW))
    assert take(sessions, ClientsChanged(("c",))) == ["a: was removed from the configuration"]
    assert take(sessions, end("b")) == ["b: no new messages"]
    assert (sessions.ended, sessions.exit_code) == (True, ExitCode.UNAVAILABLE)


@pytest.mark.parametrize("after", [snapshot("b"), snapshot("a", state="disabled")])
def test_a_reload_in_a_gap_ends_the_wait(after: Any) -> None:
    sessions = PolledSessions(snapshot("a"))
    sessions.polled("a")
    assert list(sessions.take({"snapshot": after})) == ["a: was removed from the configuration"]
    assert (sessions.ended, sessions.exit_code) == (True, ExitCode.UNAVAILABLE)


def test_events_of_a_later_version_are_ignored() -> None:
    sessions = PolledSessions(snapshot("a"))
    sessions.polled("a")
    for message in ({"event": "coffee_made"}, {"event": "session_closed", "session": 5}, {"id": 3, "ok": "x"}):
        assert list(sessions.take(message)) == []
    assert not sessions.ended
