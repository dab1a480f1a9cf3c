"""Which sessions `poll --wait` still waits for. Pure.

The daemon sends events from before a poll before its answer, and later ones after it. So the session of a polled
client is the next one that ends after the answer, whether it was running already or the poll started it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tui_popretr.control.codec import known_event
from tui_popretr.errors import ExitCode, worst
from tui_popretr.facts import ClientsChanged, SessionClosed, SessionStarted
from tui_popretr.wording import session_result


class PolledSessions:
    """The sessions of polled clients, fed with all messages that follow a snapshot."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self._read(snapshot)
        self._awaited: set[str] = set()
        self._codes: list[ExitCode] = []

    def _read(self, snapshot: dict[str, Any]) -> None:
        self._clients = {each["id"] for each in snapshot["clients"] if each["state"] != "disabled"}
        self._running = {each["id"] for each in snapshot["clients"] if each["progress"] is not None}

    @property
    def ended(self) -> bool:
        """Whether all have ended."""
        return not self._awaited

    @property
    def exit_code(self) -> ExitCode:
        """The worst exit code of those that have ended."""
        return worst(self._codes)

    def polled(self, client: object) -> None:
        """A poll of a client was accepted; None: of all clients."""
        self._awaited |= self._clients if client is None else {str(client)}

    def take(self, message: dict[str, Any]) -> Iterator[str]:
        """Take a message; yield a line for each awaited session that it ends."""
        if "snapshot" in message:  # after a gap: the end of a session may have been in it
            yield from self._take_snapshot(message["snapshot"])
        match known_event(message):
            case SessionStarted(session=session):
                self._running.add(session.client)
            case SessionClosed(session=session, result=result):
                self._running.discard(session.client)
                if session.client in self._awaited:
                    yield self._end(session.client, result.code, session_result(result))
            case ClientsChanged(clients=clients):
                self._clients = set(clients)
                yield from self._end_removed()

    def _take_snapshot(self, snapshot: dict[str, Any]) -> Iterator[str]:
        self._read(snapshot)
        waiting = self._awaited - self._running
        for each in snapshot["clients"]:
            id_, last = each["id"], each["last"]
            if id_ in waiting and each["state"] != "queued" and last is not None:
                yield self._end(id_, ExitCode(last["code"]), last["result"])
        yield from self._end_removed()

    def _end_removed(self) -> Iterator[str]:
        """End the wait for clients that a reload has removed or disabled."""
        for client in self._awaited - self._clients - self._running:
            yield self._end(client, ExitCode.UNAVAILABLE, "was removed from the configuration")

    def _end(self, client: str, code: ExitCode, text: str) -> str:
        self._awaited.discard(client)
        self._codes.append(code)
        return f"{client}: {text}"
