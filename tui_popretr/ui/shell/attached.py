"""A daemon as the dashboard's source: a thread reads its control socket, and reconnects when the connection is lost."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Final, NamedTuple

from tui_popretr.answers import Answer
from tui_popretr.clock import Clock, SystemClock
from tui_popretr.commands import Command, Query, Shutdown
from tui_popretr.control import snapshots
from tui_popretr.control.client import (
    SILENT,
    TIMEOUT,
    ConnectionLostError,
    ControlClient,
    DaemonError,
    NoDaemonError,
    RequestRefusedError,
)
from tui_popretr.control.codec import InvalidMessageError, Json, event_from_json, from_json
from tui_popretr.control.messages import Hello
from tui_popretr.control.requests import changes, request_of, request_of_query
from tui_popretr.facts import DialogueLine, Level, Noted
from tui_popretr.mailbox import Connection, Drained, Mailbox
from tui_popretr.status import View
from tui_popretr.ui.shell.watched_lines import WatchedLines

#: Seconds between two attempts to connect.
RETRY: Final = 1.0
#: Facts that wait for the dashboard, at most. Then the socket is not read, and the daemon sends a snapshot later.
MOST_FACTS: Final = 20_000
_ENDED: Final = "the daemon has ended"


class _Asked(NamedTuple):
    """A request that waits for its answer until `deadline`, in seconds of boottime. `read` makes it of the JSON."""

    answer: Future[Any]
    deadline: float
    read: Callable[[object], object]


class AttachedSource:
    """A Source that runs from __enter__ to __exit__.

    A connection is lost if the daemon ends, sends an invalid message, or leaves a request without an answer for
    TIMEOUT seconds. Then the source reports that, and reconnects until a daemon of the same configuration answers.
    """

    def __init__(
        self, first: ControlClient, *, read_only: bool = False, clock: Clock | None = None, retry: float = RETRY
    ) -> None:
        """`first` is a connection to the daemon; `retry` are the seconds between two attempts to connect."""
        self._path = first.path
        self._config = first.hello.config
        self._read_only = read_only
        self._clock = clock or SystemClock()
        self._retry = retry
        self._changed = threading.Condition()
        # All below is changed under the lock of _changed.
        self._client: ControlClient | None = first
        self._watching = False
        self._closed = False
        self._silent = False  # the connection was ended because an answer did not come
        self._lost = "there is no connection to the daemon yet"
        self._mailbox = Mailbox()
        self._facts = 0
        self._view: View | None = None
        self._connection: Connection | None = None
        self._lines = WatchedLines()
        self._asked: dict[int, _Asked] = {}
        self._thread = threading.Thread(target=self._run, args=(first,), name="attached", daemon=True)

    def __enter__(self) -> AttachedSource:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            connected = self._client is not None
            if self._client is not None:
                self._client.interrupt()
            self._changed.notify_all()
        if connected:  # else the thread may wait for a daemon that does not answer
            self._thread.join(RETRY)

    # --- for the dashboard --------------------------------------------------------------------------------------------

    def drain(self) -> Drained:
        with self._changed:
            self._end_silence()
            facts = self._mailbox.drain().facts
            drained = Drained(facts, *self._lines.take(), self._view, self._connection)
            self._view, self._connection, self._facts = None, None, 0
            self._changed.notify_all()
        return drained

    def _end_silence(self) -> None:
        """End the connection to a daemon that leaves a request without an answer for too long."""
        now = self._clock.boottime()
        if self._client is not None and any(each.deadline <= now for each in self._asked.values()):
            self._silent = True
            self._client.interrupt()

    def perform(self, command: Command) -> Future[str]:
        if isinstance(command, Shutdown) and not self._read_only:  # the daemon goes on without this dashboard
            return _refused("an attached dashboard cannot do this")
        return self._request(*request_of(command), TIMEOUT, str, changes=True)

    def ask(self, query: Query) -> Future[Answer]:
        # It may have to wait until a session has ended, however long that takes.
        name, fields, kind = request_of_query(query)
        return self._request(name, fields, math.inf, partial(from_json, kind), changes=changes(query))

    def refusal_of(self, query: Query) -> str:
        return self._refusal(changes=changes(query))

    def _refusal(self, *, changes: bool) -> str:
        if self._read_only and changes:
            return "this dashboard is read-only; attach without --read-only for actions"
        with self._changed:
            away = self._client is None or not self._watching
            return f"{self._lost}, so this cannot be done" if away else ""

    def _request(
        self, name: str, fields: dict[str, object], patience: float, read: Callable[[object], object], *, changes: bool
    ) -> Future[Any]:
        """Send a request; the future has what `read` makes of the answer, or a ValueError. `patience`: seconds."""
        answer: Future[Any] = Future()
        try:
            with self._changed:
                if refusal := self._refusal(changes=changes):
                    raise ValueError(refusal)
                assert self._client is not None
                try:
                    number = self._client.send_at_once(name, **fields)
                except DaemonError as problem:
                    self._silent = not isinstance(problem, ConnectionLostError)
                    raise
                self._asked[number] = _Asked(answer, self._clock.boottime() + patience, read)
        except (ValueError, DaemonError) as problem:
            return _refused(str(problem))
        return answer

    def report(self, text: str) -> None:
        with self._changed:
            self._mailbox(Noted(self.now(), Level.ERROR, None, text))

    @property
    def alive(self) -> bool:
        return True

    def boottime(self) -> float:
        return self._clock.boottime()

    def now(self) -> datetime:
        return self._clock.now()

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _run(self, first: ControlClient) -> None:
        client: ControlClient | None = first
        while True:
            self._lose(self._attend(client))
            client = None
            with self._changed:
                if self._changed.wait_for(lambda: self._closed, self._retry):
                    return

    def _attend(self, client: ControlClient | None) -> str:
        """Connect if there is no connection, take what the daemon sends, and return why the connection ended."""
        try:
            with client or ControlClient(self._path) as connected:
                return self._watch(connected)
        except (NoDaemonError, ConnectionLostError):
            with self._changed:
                return SILENT if self._silent else _ENDED
        except (DaemonError, RequestRefusedError) as problem:
            return str(problem)
        except InvalidMessageError as problem:
            return f"the daemon sent an invalid message: {problem}"
        except Exception as problem:  # noqa: BLE001 - a thread that ended would leave an old state on the screen
            return f"internal error: {problem!r}"

    def _lose(self, reason: str) -> None:
        """Say why there is no connection, and answer the requests that have no answer."""
        with self._changed:
            if reason != self._lost or self._watching:
                self._mailbox(Noted(self.now(), Level.WARNING, None, f"{reason}; the dashboard tries to connect again"))
                short = (_ENDED, "no daemon") if reason == _ENDED else ("no connection to the daemon", "no connection")
                self._connection = Connection(False, (f"! {reason}; reconnecting", *(f"! {each}" for each in short)))
            self._client, self._watching, self._silent, self._lost = None, False, False, reason
            asked, self._asked = self._asked, {}
        for each in asked.values():
            each.answer.set_exception(ValueError(f"the connection broke before the daemon answered: {reason}"))

    def _watch(self, client: ControlClient) -> str:
        """Take what the daemon sends until the connection ends; return the reason. Raises as ControlClient does."""
        hello = client.hello
        if hello.config != self._config:
            return "the daemon that runs now has another configuration"
        with self._changed:
            self._client = client
            if self._closed:
                return _ENDED
        snapshot = client.ask("watch", dialogue=True)
        client.wait_for_ever()
        self._restore(snapshot, Connection(True, self._titles(hello)))
        for message in client.events():
            if "event" in message:
                self._take(message)
            elif "gap" in message:
                self._lines.gap = message["gap"] if isinstance(message["gap"], int) else 0
            elif "snapshot" in message:
                self._restore(message["snapshot"])
            elif "id" in message:
                self._answer(message)
        return _ENDED

    def _titles(self, hello: Hello) -> tuple[str, ...]:
        started = hello.started
        today = started.date() == self.now().date()
        attached = f"attached to {hello.pid}"
        since = f"{attached}, since {started:%H:%M}" if today else f"{attached}, since {started:%Y-%m-%d %H:%M}"
        if self._read_only:
            return f"{since}, read-only", f"{attached}, read-only", "read-only"
        return since, attached, "attached"

    def _restore(self, snapshot: Any, connection: Connection | None = None) -> None:
        if not isinstance(snapshot, Mapping):
            raise InvalidMessageError("a snapshot must be an object")
        view, lines = snapshots.restore(snapshot)
        with self._changed:
            self._mailbox.drain()  # what waited is in the snapshot
            self._facts = 0
            self._view = view
            self._connection = connection or self._connection
            self._watching = True
            self._lines.restore(lines)

    def _take(self, message: Json) -> None:
        fact = event_from_json(message)
        with self._changed:
            if isinstance(fact, DialogueLine):
                self._lines.add([fact])
            elif fact is not None:
                self._mailbox(fact)
                self._facts += 1
                self._changed.wait_for(lambda: self._facts < MOST_FACTS or self._closed)

    def _answer(self, message: Json) -> None:
        number = message["id"]
        if not isinstance(number, int):  # the daemon closes the connection after it
            raise DaemonError(f"the daemon refused the connection: {message.get('error')}")
        with self._changed:
            asked = self._asked.pop(number, None)
        if asked is None:
            return
        if "error" in message:
            asked.answer.set_exception(ValueError(str(message["error"])))
        else:
            try:
                result = asked.read(message.get("ok"))
            except InvalidMessageError as problem:
                asked.answer.set_exception(ValueError(f"the daemon sent an invalid answer: {problem}"))
                raise
            asked.answer.set_result(result)


def _refused(why: str) -> Future[Any]:
    answer: Future[Any] = Future()
    answer.set_exception(ValueError(why))
    return answer
