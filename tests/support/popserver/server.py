"""The server: a PopServer with a policy, faults, and a record of what happened."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from typing import NamedTuple

import trio

from tests.support.popserver.faults import Faults
from tests.support.popserver.maildrop import ServedMaildrop
from tests.support.popserver.policy import STD, ServerPolicy
from tests.support.popserver.session import FaultySession, RecordingChannel
from tui_popretr import popserver


class ServerLine(NamedTuple):
    """One line of dialogue as it was on the wire, passwords included: `sender` is "C" or "S".

    Of a multi-line response only the status line is kept.
    """

    connection: int
    sender: str
    text: bytes


class PopServer(popserver.PopServer):
    """A complete POP3 server whose policy and faults may be changed while it serves, as may its `maildrops`.

    For EXTERNAL the context `tls` must ask for client certificates (ssl.CERT_OPTIONAL). `clock` returns seconds;
    ServerPolicy.login_delay is measured with it. With `keep_dialogue` the lines of all sessions are kept in
    `dialogue`.
    """

    maildrops: dict[str, ServedMaildrop]

    def __init__(
        self,
        maildrops: Iterable[ServedMaildrop],
        *,
        policy: ServerPolicy = STD,
        tls: ssl.SSLContext | None = None,
        faults: Faults | None = None,
        keep_dialogue: bool = False,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        super().__init__(maildrops, tls=tls)
        self.policy = policy
        self.faults = Faults() if faults is None else faults
        self.clock = clock
        self.connections = 0
        self.pipelined = 0  # commands that were sent before the previous one's reply
        self.dialogue: list[ServerLine] = []
        self.last_logins: dict[str, float] = {}  # by maildrop
        self._keep_dialogue = keep_dialogue

    def session(self, stream: trio.abc.Stream) -> FaultySession:
        self.connections += 1
        number = self.connections

        def record(sender: str, text: bytes) -> None:
            if self._keep_dialogue:
                self.dialogue.append(ServerLine(number, sender, text))

        return FaultySession(self, RecordingChannel(stream, self.policy.idle_timeout, record))
