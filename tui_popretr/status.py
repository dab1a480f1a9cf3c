"""What the facts add up to: one immutable view per client, the totals, and the latest messages, notes and sessions.

Dashboards, the control socket, hooks and metrics all read it. Pure: no tasks, no I/O.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import Enum

from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    CapabilitiesLearned,
    ClientFinished,
    ClientInfo,
    ClientPaused,
    ClientQueued,
    ClientsChanged,
    ClientScheduled,
    DeliveriesRead,
    Fact,
    HistoryRead,
    LoginSucceeded,
    MaildropListed,
    MessageDelivered,
    MessageSkipped,
    Noted,
    PastSession,
    RetrievalProgressed,
    SessionAdvanced,
    SessionClosed,
    SessionConnected,
    SessionId,
    SessionResult,
    SessionStarted,
    Stage,
    Standing,
    StandingsRead,
    TlsDetails,
    TlsStarted,
    TokenDetails,
    TokenUsed,
    client_of,
)
from tui_popretr.logs.lines import log_lines

#: Past sessions kept for each client.
PAST = 40
#: Delivered messages and lines of the log kept for their tabs.
KEPT = 2000


class ClientState(Enum):
    """A client's state as a word; its glyph shows it without colour."""

    WAITING = "waiting"
    QUEUED = "queued"
    CONNECTING = "connecting"
    LOGIN = "login"
    LISTING = "listing"
    RETRIEVING = "retrieving"
    CLOSING = "closing"
    PAUSED = "paused"
    FAILED = "failed"
    DONE = "done"
    DISABLED = "disabled"
    #: Only in a dashboard whose daemon is gone.
    UNKNOWN = "unknown"

    @property
    def word(self) -> str:
        return self.value

    @property
    def glyph(self) -> str:
        return _GLYPHS[self]

    @property
    def running(self) -> bool:
        """Whether a session is under way."""
        return self in _RUNNING


_GLYPHS = dict(zip(ClientState, "·…→»≡↓←‖✗✓-?", strict=True))
_RUNNING = frozenset(
    {ClientState.CONNECTING, ClientState.LOGIN, ClientState.LISTING, ClientState.RETRIEVING, ClientState.CLOSING}
)
_STAGES = {
    Stage.CONNECTING: ClientState.CONNECTING,
    Stage.LOGIN: ClientState.LOGIN,
    Stage.LISTING: ClientState.LISTING,
    Stage.RETRIEVING: ClientState.RETRIEVING,
    Stage.CLOSING: ClientState.CLOSING,
}


@dataclass(frozen=True, slots=True)
class ClientView:
    """One client as the dashboard shows it. Times in seconds on the boottime clock, sizes in octets."""

    info: ClientInfo
    state: ClientState = ClientState.WAITING
    due: float | None = None
    session: SessionId | None = None
    session_began: float | None = None
    retrieving_since: float | None = None
    to_retrieve: int = 0
    to_retrieve_octets: int = 0
    received: int = 0
    received_octets: int = 0
    delivered: int = 0  # in this session
    remote: str = ""
    mechanism: str = ""
    token: TokenDetails | None = None
    tls: TlsDetails | None = None
    capabilities: tuple[str, ...] = ()
    last: SessionResult | PastSession | None = None
    past: tuple[SessionResult | PastSession, ...] = ()  # oldest first, at most PAST
    messages: int = 0  # delivered since the program started
    octets: int = 0
    sessions: tuple[tuple[ExitCode, int], ...] = ()  # since the program started, by exit code
    #: Over all processes, from the journal.
    failures_in_a_row: int = 0
    last_success: datetime | None = None
    last_message: datetime | None = None
    kept: int = 0  # messages that arrived cut short, delivered and kept on the server

    @property
    def fraction(self) -> float | None:
        """The part of the octets to retrieve that is received, 0 to 1; None if it is not known."""
        if self.state is not ClientState.RETRIEVING or not self.to_retrieve_octets:
            return None
        return min(1.0, self.received_octets / self.to_retrieve_octets)

    def rate(self, now: float) -> float:
        """Octets a second since the retrieval began. Its first second counts as a whole one: no peak is shown."""
        if self.retrieving_since is None or now <= self.retrieving_since:
            return 0.0
        return self.received_octets / max(1.0, now - self.retrieving_since)


class _Counts:
    """The changes of a client's view by its messages, summed up: a new view for each of thousands is too slow."""

    def __init__(self) -> None:
        self._delivered = self._octets = 0
        self._last: datetime | None = None
        self._progress: RetrievalProgressed | None = None

    def take(self, fact: RetrievalProgressed | MessageDelivered) -> None:
        """Add a fact."""
        if isinstance(fact, RetrievalProgressed):
            self._progress = fact
        else:
            self._delivered += 1
            self._octets += fact.octets
            self._last = fact.at

    def added_to(self, view: ClientView) -> ClientView:
        """Return the view after all facts added."""
        progress = self._progress
        return replace(
            view,
            received=view.received if progress is None else progress.messages,
            received_octets=view.received_octets if progress is None else progress.octets,
            delivered=view.delivered + self._delivered,
            messages=view.messages + self._delivered,
            octets=view.octets + self._octets,
            last_message=self._last or view.last_message,
        )


def failures_after(before: int, result: SessionResult) -> int:
    """Return the failures in a row after a session."""
    return before if result.stopped else 0 if result.ok else before + 1


def reduce_standing(standing: Standing, fact: Fact) -> Standing:
    """Return the standing after a fact about this client."""
    match fact:
        case SessionStarted(at=at) if standing.since is None:
            return replace(standing, since=at)
        case MessageDelivered(at=at):
            return replace(standing, last_message=at)
        case MaildropListed(kept=kept):
            return replace(standing, kept=kept)
        case SessionClosed(result=result):
            return replace(
                standing,
                failures_in_a_row=failures_after(standing.failures_in_a_row, result),
                last_success=result.ended if result.ok and not result.stopped else standing.last_success,
                kept=max(standing.kept, result.kept),
            )
        case _:
            return standing


def _counted(sessions: tuple[tuple[ExitCode, int], ...], code: ExitCode) -> tuple[tuple[ExitCode, int], ...]:
    counts = dict(sessions)
    counts[code] = counts.get(code, 0) + 1
    return tuple(counts.items())


def reduce_client(view: ClientView, fact: Fact, now: float) -> ClientView:
    """Return the view after a fact about this client; `now` is in seconds of boottime."""
    match fact:
        case ClientScheduled(due=due):
            failed = view.last is not None and view.last.code is not ExitCode.OK
            return replace(view, state=ClientState.FAILED if failed else ClientState.WAITING, due=due)
        case ClientQueued():
            return replace(view, state=ClientState.QUEUED, due=None)
        case ClientPaused():
            return replace(view, state=ClientState.PAUSED, due=None)
        case ClientFinished():
            failed = view.last is not None and view.last.code is not ExitCode.OK
            return replace(view, state=ClientState.FAILED if failed else ClientState.DONE, due=None)
        case SessionStarted(session=session):
            return replace(
                view,
                state=ClientState.CONNECTING,
                due=None,
                session=session,
                session_began=now,
                retrieving_since=None,
                to_retrieve=0,
                to_retrieve_octets=0,
                received=0,
                received_octets=0,
                delivered=0,
            )
        case SessionAdvanced(stage=stage):
            since = now if stage is Stage.RETRIEVING else view.retrieving_since
            return replace(view, state=_STAGES[stage], retrieving_since=since)
        case SessionConnected(remote=remote, tls=tls):
            return replace(view, remote=remote, tls=tls)
        case TlsStarted(tls=tls):
            return replace(view, tls=tls)
        case CapabilitiesLearned(capabilities=capabilities):
            return replace(view, capabilities=capabilities)
        case LoginSucceeded(mechanism=mechanism):
            return replace(view, mechanism=mechanism, token=None)
        case TokenUsed(token=token):
            return replace(view, token=token)
        case MaildropListed(to_retrieve=count, to_retrieve_octets=octets, kept=kept):
            return replace(view, to_retrieve=count, to_retrieve_octets=octets, kept=kept)
        case RetrievalProgressed() | MessageDelivered():
            counts = _Counts()
            counts.take(fact)
            return counts.added_to(view)
        case SessionClosed(result=result):
            state = view.state if view.info.enabled else ClientState.DISABLED
            return replace(
                view,
                state=state,
                session=None,
                retrieving_since=None,
                last=result,
                past=(*view.past, result)[-PAST:],
                failures_in_a_row=failures_after(view.failures_in_a_row, result),
                last_success=result.ended if result.ok and not result.stopped else view.last_success,
                kept=max(view.kept, result.kept),
                sessions=_counted(view.sessions, result.code),
            )
        case _:
            return view


class View:
    """All clients, the totals, and what the tabs list."""

    def __init__(self) -> None:
        self.clients: dict[str, ClientView] = {}
        #: Messages delivered and messages left on the server, with local times.
        self.mails: deque[tuple[datetime, MessageDelivered | MessageSkipped]] = deque(maxlen=KEPT)
        self.notes: deque[Noted] = deque(maxlen=KEPT)
        self.closed: deque[tuple[str, SessionResult | PastSession]] = deque(maxlen=KEPT)
        self.messages_today = 0
        self.octets_today = 0
        self._today: date | None = None
        #: The times of the latest apply(): seconds of boottime, and local time.
        self.now = 0.0
        self.wall = datetime.min.replace(tzinfo=UTC)

    def apply(self, facts: Iterable[Fact], now: float, wall: datetime) -> set[str]:
        """Add facts, in their order; return the ids of the clients that changed.

        `now` is in seconds of boottime, `wall` is the local time.
        """
        changed: set[str] = set()
        if self._today is not None and wall.date() != self._today:
            self.messages_today = self.octets_today = 0
        self._today = wall.date()
        self.now, self.wall = now, wall
        counts: defaultdict[str, _Counts] = defaultdict(_Counts)
        for fact in facts:
            client = client_of(fact)
            if client is not None and client in self.clients:
                changed.add(client)
                if isinstance(fact, RetrievalProgressed | MessageDelivered):
                    counts[client].take(fact)
                else:
                    self._add_counts(client, counts)
                    self.clients[client] = reduce_client(self.clients[client], fact, now)
            self.notes.extend(log_lines(fact, lambda: wall))
            match fact:
                case ClientsChanged(infos=infos):
                    changed |= self._set_clients(infos)
                case StandingsRead(standings=standings):
                    changed |= self._set_standings(standings)
                case HistoryRead():
                    changed |= self._add_history(fact)
                case DeliveriesRead(deliveries=deliveries):
                    self._add_deliveries(deliveries)
                case MessageDelivered(octets=octets):
                    self.messages_today += 1
                    self.octets_today += octets
                    self.mails.append((fact.at, fact))
                case MessageSkipped():
                    self.mails.append((wall, fact))
                case SessionClosed(session=session, result=result):
                    self.closed.append((session.client, result))
                case _:
                    pass
        for client in tuple(counts):
            self._add_counts(client, counts)
        return changed

    def forget_running(self) -> None:
        """Forget what only a running daemon can know: sessions, next runs, and what is paused."""
        for id_, client in self.clients.items():
            lasting = client.state in (ClientState.FAILED, ClientState.DONE, ClientState.DISABLED)
            state = client.state if lasting else ClientState.UNKNOWN
            self.clients[id_] = replace(client, state=state, due=None, session=None, retrieving_since=None)

    def _add_counts(self, client: str, counts: dict[str, _Counts]) -> None:
        """Add a client's counts to its view, unless a reload has removed the client."""
        if client in counts:
            counted = counts.pop(client)
            if client in self.clients:
                self.clients[client] = counted.added_to(self.clients[client])

    @property
    def running(self) -> int:
        return sum(client.state.running for client in self.clients.values())

    @property
    def failed(self) -> int:
        return sum(client.state is ClientState.FAILED for client in self.clients.values())

    def rate(self, now: float) -> float:
        """Octets a second of all sessions that are retrieving."""
        return sum(client.rate(now) for client in self.clients.values() if client.retrieving_since is not None)

    def _set_clients(self, infos: Iterable[ClientInfo]) -> set[str]:
        clients: dict[str, ClientView] = {}
        for info in infos:
            known = self.clients.get(info.id)
            client = ClientView(info) if known is None else replace(known, info=info)
            if not info.enabled and not client.state.running:
                client = replace(client, state=ClientState.DISABLED, due=None)
            clients[info.id] = client
        changed = set(clients) | set(self.clients)
        self.clients = clients
        return changed

    def _set_standings(self, standings: Iterable[Standing]) -> set[str]:
        known = [each for each in standings if each.client in self.clients]
        for each in known:
            self.clients[each.client] = replace(
                self.clients[each.client],
                failures_in_a_row=each.failures_in_a_row,
                last_success=each.last_success,
                last_message=each.last_message,
                kept=each.kept,
            )
        return {each.client for each in known}

    def _add_deliveries(self, deliveries: Sequence[MessageDelivered]) -> None:
        """Add what was delivered before all that is known, as far as there is room."""
        room = KEPT - len(self.mails)
        self.mails.extendleft([(fact.at, fact) for fact in reversed(deliveries)][:room])

    def _add_history(self, fact: HistoryRead) -> set[str]:
        self.messages_today += fact.messages_today
        self.octets_today += fact.octets_today
        changed: set[str] = set()
        for past in fact.sessions:
            self.closed.append((past.client, past))
            view = self.clients.get(past.client)
            if view is not None:
                last = view.last if isinstance(view.last, SessionResult) else past
                own = [each for each in view.past if isinstance(each, SessionResult)]
                earlier = [each for each in view.past if isinstance(each, PastSession)]
                both: tuple[SessionResult | PastSession, ...] = (*earlier, past, *own)
                state = view.state
                if state in (ClientState.WAITING, ClientState.FAILED):
                    state = ClientState.WAITING if last.code is ExitCode.OK else ClientState.FAILED
                self.clients[past.client] = replace(view, state=state, last=last, past=both[-PAST:])
                changed.add(past.client)
        return changed
