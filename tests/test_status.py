"""The view: facts reduced to what the dashboard shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.clock import FakeClock
from tests.support.dashboard import clients, closed, info, result, retrieving
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    CapabilitiesLearned,
    ClientFinished,
    ClientPaused,
    ClientQueued,
    ClientScheduled,
    Fact,
    HistoryRead,
    Level,
    LoginSucceeded,
    MessageDelivered,
    MessageSkipped,
    Noted,
    PastSession,
    RetrievalProgressed,
    SessionAdvanced,
    SessionConnected,
    SessionId,
    SessionStarted,
    Stage,
    TlsDetails,
    TlsStarted,
)
from tui_popretr.status import KEPT, PAST, ClientState, ClientView, View

CLOCK = FakeClock()
NOW, START = CLOCK.now(), CLOCK.boottime()
A = SessionId("a", 1)
TLS = TlsDetails("TLSv1.3", "AES", "s", "i", ("n",), None)


def view_of(*facts: Fact) -> View:
    view = View()
    view.apply([clients("a", "b"), *facts], START, NOW)
    return view


def client(*facts: Fact) -> ClientView:
    return view_of(*facts).clients["a"]


def delivered(octets: int = 10) -> MessageDelivered:
    return MessageDelivered(A, NOW, 1, "u", octets, "Mailbox=user1", None, None, None)


def past(ended: int, *, messages: int = 1, client: str = "a") -> PastSession:
    at = NOW - timedelta(hours=1) + timedelta(seconds=ended)
    return PastSession(client, at, at, ExitCode.OK, messages, 10 * messages, "")


BAD = closed("a", result(NOW, code=ExitCode.LOGIN, error="no"))
GOOD = closed("a", result(NOW, messages=1))
REJECTED = replace(past(2), code=ExitCode.LOGIN)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ([], ClientState.WAITING),
        ([ClientQueued("a")], ClientState.QUEUED),
        ([ClientPaused("a")], ClientState.PAUSED),
        ([SessionStarted(A, NOW)], ClientState.CONNECTING),
        ([SessionAdvanced(A, Stage.CLOSING)], ClientState.CLOSING),
        ([GOOD, ClientScheduled("a", 5.0)], ClientState.WAITING),
        ([BAD, ClientScheduled("a", 5.0)], ClientState.FAILED),
        ([BAD, GOOD, ClientScheduled("a", 5.0)], ClientState.WAITING),
        ([GOOD, ClientFinished("a")], ClientState.DONE),
        ([BAD, ClientFinished("a")], ClientState.FAILED),
        ([BAD, ClientPaused("a")], ClientState.PAUSED),
        ([HistoryRead((past(1), REJECTED), 0, 0)], ClientState.FAILED),
        ([HistoryRead((REJECTED, past(3)), 0, 0)], ClientState.WAITING),
        ([GOOD, HistoryRead((REJECTED,), 0, 0)], ClientState.WAITING),
        ([ClientPaused("a"), HistoryRead((REJECTED,), 0, 0)], ClientState.PAUSED),
    ],
)
def test_the_state_follows_the_facts(facts: list[Fact], state: ClientState) -> None:
    assert client(*facts).state is state


def test_only_what_waits_for_its_time_is_due() -> None:
    assert client(ClientScheduled("a", 5.0)).due == 5.0
    for fact in (ClientQueued("a"), ClientPaused("a"), ClientFinished("a"), SessionStarted(A, NOW)):
        assert client(ClientScheduled("a", 5.0), fact).due is None


def test_a_session_begins_with_nothing_received() -> None:
    before = retrieving("a", NOW, received=3, of=4, octets=30, of_octets=40)
    again = client(*before, closed("a", result(NOW)), SessionStarted(SessionId("a", 2), NOW))
    assert (again.received, again.to_retrieve, again.fraction, again.rate(START + 5)) == (0, 0, None, 0.0)


def test_fraction_and_rate_are_of_octets() -> None:
    shown = client(*retrieving("a", NOW, received=3, of=4, octets=30, of_octets=40))
    assert shown.fraction == 0.75
    assert shown.rate(START) == 0.0
    assert shown.rate(START + 0.01) == shown.rate(START + 1) == 30.0
    assert shown.rate(START + 10) == 3.0
    more_than_told = client(*retrieving("a", NOW, received=4, of=4, octets=50, of_octets=40))
    assert more_than_told.fraction == 1.0


def test_the_connection_is_known_for_the_details() -> None:
    shown = client(
        SessionConnected(A, NOW, "1:1", "2:2", None),
        TlsStarted(A, TLS),
        CapabilitiesLearned(A, ("TOP",)),
        LoginSucceeded(A, "APOP"),
    )
    assert (shown.remote, shown.tls, shown.capabilities, shown.mechanism) == ("2:2", TLS, ("TOP",), "APOP")


def test_totals_count_deliveries_and_begin_anew_at_midnight() -> None:
    view = view_of(HistoryRead((), 5, 500), delivered(10), delivered(20))
    assert (view.messages_today, view.octets_today) == (7, 530)
    assert (view.clients["a"].messages, view.clients["a"].octets) == (2, 30)
    view.apply([], START, NOW + timedelta(days=1))
    assert (view.messages_today, view.octets_today) == (0, 0)
    assert view.clients["a"].messages == 2


def test_totals_count_running_and_failed() -> None:
    script = retrieving("b", NOW, received=1, of=2, octets=100, of_octets=200)
    view = view_of(BAD, ClientScheduled("a", 5.0), *script)
    assert (view.running, view.failed, view.rate(START + 10)) == (1, 1, 10.0)


def test_many_facts_at_once_come_to_the_same_as_one_by_one() -> None:
    session = SessionId("a", 1)
    message = delivered(100)
    facts: list[Fact] = [
        SessionStarted(session, NOW),
        RetrievalProgressed(session, 1, 100),
        message,
        message,
        SessionAdvanced(session, Stage.RETRIEVING),
        RetrievalProgressed(session, 2, 200),
        clients("b", "a"),
        message,
        SessionStarted(SessionId("a", 2), NOW),
        message,
        RetrievalProgressed(session, 3, 300),
    ]
    at_once, one_by_one = View(), View()
    for view in (at_once, one_by_one):
        view.apply([clients("a", "b", "gone")], 0.0, NOW)
    at_once.apply(facts, 1.0, NOW)
    for fact in facts:
        one_by_one.apply([fact], 1.0, NOW)
    assert at_once.clients == one_by_one.clients
    assert (at_once.clients["a"].delivered, at_once.clients["a"].messages, at_once.clients["a"].received) == (1, 4, 3)


def test_mail_of_a_removed_client_is_still_counted() -> None:
    view = View()
    view.apply([clients("a", "b")], 0.0, NOW)
    assert view.apply([delivered(100), clients("b")], 1.0, NOW) == {"a", "b"}
    assert set(view.clients) == {"b"}
    assert (view.messages_today, view.octets_today) == (1, 100)


def test_history_stands_before_what_has_happened_since() -> None:
    view = view_of(GOOD, HistoryRead((past(1), past(2), past(3, client="gone")), 0, 0))
    shown = view.clients["a"]
    assert [each.ended for each in shown.past] == [past(1).ended, past(2).ended, NOW]
    assert shown.last is not None
    assert shown.last.ended == NOW


def test_a_failed_session_is_in_the_log() -> None:
    (note,) = view_of(closed("a", result(NOW, code=ExitCode.LOGIN, error="login rejected"))).notes
    assert (note.level, note.client) == (Level.ERROR, "a")
    assert note.text.startswith("failed: login rejected")


def test_what_is_kept_is_bounded() -> None:
    view = view_of()
    for _ in range(KEPT + 5):
        view.apply([GOOD, delivered(), Noted(NOW, Level.INFO, None, "x")], START, NOW)
    assert len(view.clients["a"].past) == PAST
    assert [len(each) for each in (view.mails, view.notes, view.closed)] == [KEPT] * 3


def test_the_changed_clients_are_named() -> None:
    view = View()
    assert view.apply([clients("a", "b")], START, NOW) == {"a", "b"}
    assert view.apply([ClientQueued("a"), Noted(NOW, Level.INFO, "b", "x")], START, NOW) == {"a"}
    assert view.apply([clients("b", "c")], START, NOW) == {"a", "b", "c"}
    assert view.apply([ClientQueued("a")], START, NOW) == set()
    assert view.apply([MessageSkipped(A, 1, "u", 1, "r", False)], START, NOW) == set()


def test_a_reload_keeps_what_is_known_in_the_new_order() -> None:
    view = view_of(GOOD, ClientScheduled("a", 5.0))
    view.apply([clients("b", info("a", server="new:1"))], START, NOW)
    assert list(view.clients) == ["b", "a"]
    assert view.clients["a"].info.server == "new:1"
    assert view.clients["a"].due == 5.0
    assert view.clients["a"].last is not None


def test_a_client_disabled_by_a_reload_finishes_its_session() -> None:
    def states(*facts: Fact) -> list[ClientState]:
        view.apply(facts, START, NOW)
        return [each.state for each in view.clients.values()]

    view = view_of(ClientScheduled("a", 5.0), SessionStarted(SessionId("b", 1), NOW))
    disabled = clients(info("a", enabled=False), info("b", enabled=False))
    assert states(disabled) == [ClientState.DISABLED, ClientState.CONNECTING]
    assert view.clients["a"].due is None
    assert states(closed("b", result(NOW))) == [ClientState.DISABLED, ClientState.DISABLED]
    assert states(clients("a", "b"), ClientScheduled("a", 9.0))[0] is ClientState.WAITING


def test_each_state_has_a_word_and_a_glyph_of_its_own() -> None:
    assert len({each.word for each in ClientState}) == len({each.glyph for each in ClientState}) == len(ClientState)


@pytest.mark.parametrize(
    ("state", "then"),
    [
        (ClientState.FAILED, ClientState.FAILED),
        (ClientState.DONE, ClientState.DONE),
        (ClientState.DISABLED, ClientState.DISABLED),
        *((each, ClientState.UNKNOWN) for each in ClientState if each.running),
        (ClientState.WAITING, ClientState.UNKNOWN),
        (ClientState.QUEUED, ClientState.UNKNOWN),
        (ClientState.PAUSED, ClientState.UNKNOWN),
    ],
)
def test_without_the_daemon_nothing_runs(state: ClientState, then: ClientState) -> None:
    view = View()
    last = result(NOW, messages=3)
    session = SessionId("a", 1)
    client = ClientView(info("a"), state, 5.0, session, 1.0, 2.0, to_retrieve=3, received=1, last=last, messages=7)
    view.clients["a"] = client
    view.forget_running()
    assert view.clients["a"] == replace(client, state=then, due=None, session=None, retrieving_since=None)
    assert (view.running, view.rate(9.0)) == (0, 0.0)
