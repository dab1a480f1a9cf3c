"""A daemon as the dashboard's source: a thread reads its control socket, and reconnects when the connection is lost."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import datetime
from types import TracebackType
from typing import Any, Final

from tui_popretr.clock import Clock, SystemClock
from tui_popretr.commands import Command, PauseClient, PollAll, PollClient, Reload, ResumeClient, StopSession
from tui_popretr.control import snapshots
from tui_popretr.control.client import ControlClient, DaemonError, NoDaemonError, RequestRefusedError
from tui_popretr.control.codec import InvalidMessageError, Json, event_from_json
from tui_popretr.facts import DialogueLine, Level, Noted
from tui_popretr.mailbox import LINES, Drained, Mailbox
from tui_popretr.status import View

#: Seconds between two attempts to connect.
RETRY: Final = 1.0
#: Facts that wait for the dashboard, at most. Then the socket is not read, and the daemon sends a snapshot later.
MOST_FACTS: Final = 20_000
#: The latest lines that are looked for in a snapshot, to show none twice.
_KNOWN: Final = 20
_GONE: Final = "the daemon has ended; reconnecting"


class AttachedSource:
    """A Source that runs from __enter__ to __exit__."""

    def __init__(self, first: ControlClient, path: str, *, read_only: bool = False, clock: Clock | None = None) -> None:
        """`first` is a connection to the socket at `path`."""
        self._path = path
        self._config = first.hello.config
        self._read_only = read_only
        self._clock = clock or SystemClock()
        self._changed = threading.Condition()
        # All below is changed under the lock of _changed.
        self._connection: ControlClient | None = first
        self._watching = False
        self._closed = False
        self._mailbox = Mailbox()
        self._facts = 0
        self._view: View | None = None
        self._state: str | None = None
        self._lines: deque[DialogueLine] = deque()
        self._dropped = 0
        self._known: deque[DialogueLine] = deque(maxlen=_KNOWN)
        self._answers: dict[int, Future[str]] = {}
        self._gap = 0
        self._thread = threading.Thread(target=self._run, args=(first,), name="attached", daemon=True)

    def __enter__(self) -> AttachedSource:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            if self._connection is not None:
                self._connection.close()
            self._changed.notify_all()
        self._thread.join(RETRY)

    # --- for the dashboard --------------------------------------------------------------------------------------------

    def drain(self) -> Drained:
        with self._changed:
            facts = self._mailbox.drain().facts
            lines, self._lines = list(self._lines), deque()
            drained = Drained(facts, lines, self._dropped, self._view, self._state)
            self._view, self._state = None, None
            self._dropped = self._facts = 0
            self._changed.notify_all()
        return drained

    def perform(self, command: Command) -> Future[str]:
        answer: Future[str] = Future()
        try:
            if self._read_only:
                raise ValueError("this dashboard is read-only; attach without --read-only for actions")
            request, fields = _request(command)
            with self._changed:
                if self._connection is None or not self._watching:
                    raise ValueError("the daemon has ended, so this cannot be done")
                self._answers[self._connection.send(request, **fields)] = answer
        except (ValueError, DaemonError) as problem:
            answer.set_exception(ValueError(str(problem)))
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

    def _run(self, connection: ControlClient | None) -> None:
        while True:
            why = _GONE
            try:
                if connection is None:
                    connection = ControlClient(self._path)
                if connection.hello.config != self._config:
                    raise DaemonError("the daemon that runs now has another configuration")
                with self._changed:
                    if self._closed:
                        connection.close()
                        return
                    self._connection = connection
                self._watch(connection)
            except NoDaemonError:
                pass
            except (DaemonError, InvalidMessageError, RequestRefusedError) as problem:
                if not self._watching:  # it listens, and is of no use
                    why = f"{problem}; reconnecting"
            finally:
                if connection is not None:
                    connection.close()
            connection = None
            with self._changed:
                self._connection, self._watching = None, False
                self._state = why
                answers, self._answers = self._answers, {}
                if not self._closed:
                    self._changed.wait_for(lambda: self._closed, RETRY)
                closed = self._closed
            for answer in answers.values():
                answer.set_exception(ValueError("the connection broke before the daemon answered"))
            if closed:
                return

    def _watch(self, connection: ControlClient) -> None:
        """Take what the daemon sends until the connection ends. Raises DaemonError and InvalidMessageError."""
        snapshot = connection.ask("watch", dialogue=True)
        connection.wait_for_ever()
        started = connection.hello.started
        today = started.date() == self.now().date()
        since = f"{started:%H:%M}" if today else f"{started:%Y-%m-%d %H:%M}"
        self._restore(snapshot, f"attached to {connection.hello.pid}, since {since}")
        for message in connection.events():
            if "event" in message:
                self._take(message)
            elif "gap" in message:
                self._gap = message["gap"] if isinstance(message["gap"], int) else 0
            elif "snapshot" in message:
                self._restore(message["snapshot"])
            elif "id" in message:
                self._answer(message)

    def _restore(self, snapshot: Any, state: str | None = None) -> None:
        if not isinstance(snapshot, Mapping):
            raise InvalidMessageError("a snapshot must be an object")
        view, lines = snapshots.restore(snapshot)
        with self._changed:
            self._mailbox.drain()  # what waited is in the snapshot
            self._facts = 0
            self._view = view
            self._state = state or self._state
            self._watching = True
            unknown = _behind(list(self._known), lines)
            if len(unknown) == len(lines):
                self._dropped += self._gap
            self._gap = 0
            self._add_lines(unknown)

    def _take(self, message: Json) -> None:
        fact = event_from_json(message)
        with self._changed:
            if isinstance(fact, DialogueLine):
                self._add_lines([fact])
            elif fact is not None:
                self._mailbox(fact)
                self._facts += 1
                self._changed.wait_for(lambda: self._facts < MOST_FACTS or self._closed)

    def _add_lines(self, lines: list[DialogueLine]) -> None:
        self._lines.extend(lines)
        self._known.extend(lines)
        while len(self._lines) > LINES:
            self._lines.popleft()
            self._dropped += 1

    def _answer(self, message: Json) -> None:
        with self._changed:
            answer = self._answers.pop(message["id"], None)
        if answer is None:
            return
        if "error" in message:
            answer.set_exception(ValueError(str(message["error"])))
        else:
            answer.set_result(str(message.get("ok")))


def _behind(known: list[DialogueLine], lines: list[DialogueLine]) -> list[DialogueLine]:
    """Return the lines behind the known ones, or all where the known ones are not among them."""
    if known:
        for end in range(len(lines), 0, -1):
            length = min(len(known), end)
            if lines[end - length : end] == known[-length:]:
                return lines[end:]
    return lines


def _request(command: Command) -> tuple[str, dict[str, object]]:
    """Return the name and the fields of a command's request. Raises ValueError."""
    match command:
        case PollAll():
            return "poll", {"all": True}
        case PollClient(client):
            return "poll", {"client": client}
        case PauseClient(client):
            return "pause", {"client": client}
        case ResumeClient(client):
            return "resume", {"client": client}
        case StopSession(client):
            return "stop", {"client": client}
        case Reload():
            return "reload", {}
        case _:
            raise ValueError("an attached dashboard cannot do this")
