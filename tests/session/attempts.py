"""Logins that are played with a scripted server, line by line."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
import trio

from tests.support.clock import FakeClock
from tests.support.making import server_settings
from tests.support.passwords import PASSWORD
from tests.support.streams import Peer, memory_connection
from tui_popretr.bus import Bus
from tui_popretr.config.choices import AuthType
from tui_popretr.errors import LoginRejected, PopretrError
from tui_popretr.facts import SessionId
from tui_popretr.pop3 import Capa, apop_digest
from tui_popretr.secret import Secret
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.login import LoginOptions, log_in

USERPASS, APOP, PLAIN = AuthType.USERPASS, AuthType.APOP, AuthType.SASL_PLAIN
CRAM_MD5, EXTERNAL = AuthType.SASL_CRAM_MD5, AuthType.SASL_EXTERNAL
SCRAM_256, SCRAM_1, AUTO = AuthType.SASL_SCRAM_SHA_256, AuthType.SASL_SCRAM_SHA_1, AuthType.AUTO
XOAUTH2, OAUTHBEARER = AuthType.SASL_XOAUTH2, AuthType.SASL_OAUTHBEARER

STAMP = "<1896.697170952@pop.example.test>"
DIGEST = apop_digest(STAMP.encode(), Secret(PASSWORD)).reveal()
RESPONSE = b64encode(b"\0alice\0" + PASSWORD.encode()).decode()

NO = "-ERR no"
#: What each method says, and how it is rejected in the middle of it or at its end.
USER_NO, PASS_NO = [("USER alice", NO)], [("USER alice", "+OK"), (f"PASS {PASSWORD}", NO)]
APOP_NO = [(f"APOP alice {DIGEST}", NO)]
PLAIN_NO, PLAIN_LATE_NO = [("AUTH PLAIN", NO)], [("AUTH PLAIN", "+ "), (RESPONSE, NO)]
CRAM_NO = [("AUTH CRAM-MD5", NO)]
#: And how it succeeds.
USERPASS_OK = [("USER alice", "+OK"), (f"PASS {PASSWORD}", "+OK")]
APOP_OK, PLAIN_OK = [(f"APOP alice {DIGEST}", "+OK")], [("AUTH PLAIN", "+ "), (RESPONSE, "+OK")]


class Attempt:
    """A login to a server that plays its part in a dialogue, and then closes or goes silent."""

    def __init__(
        self, *methods: AuthType, greeting: str = f"+OK ready {STAMP}", address: str = "192.0.2.7", **server: Any
    ) -> None:
        self._server = server_settings(auth_types=methods, **server)
        self._greeting = greeting
        self._address = address
        self.binding: bytes | None = None
        self.options = LoginOptions()
        self.rest: list[str] = []  # what was said beyond the dialogue

    async def against(self, *dialogue: tuple[str, str], hang_up: bool = False) -> str:
        stream, end = memory_connection()
        stream.remote_ip, stream.binding = self._address, self.binding
        peer = Peer(end)
        connection = Pop3Connection(stream, SessionId("a", 1), Bus(), FakeClock(), timeout=30.0)

        async def play() -> None:
            await peer.say(self._greeting)
            await peer.answer(*dialogue)
            if hang_up:
                await peer.close()
            else:
                try:
                    while True:
                        self.rest.append(await peer.heard())
                except EOFError:
                    pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(play)
            try:
                options = self.options
                options.stamp = (await connection.greeting()).stamp
                if dialogue and dialogue[0][0] == "CAPA":
                    await connection.call(Capa())
                return await log_in(connection, self._server, options)
            except PopretrError as problem:
                self.problem = problem
            finally:
                stream.close()
        raise self.problem

    async def fails(self, *dialogue: tuple[str, str], hang_up: bool = False) -> str:
        """Expect LoginRejected and return its words."""
        with pytest.raises(LoginRejected) as caught:
            await self.against(*dialogue, hang_up=hang_up)
        assert self.rest == []
        assert PASSWORD not in str(caught.value)
        assert DIGEST not in str(caught.value)
        return str(caught.value)


def capa(mechanisms: str, *others: str) -> tuple[str, str]:
    """CAPA, answered with a line of SASL mechanisms and others."""
    return "CAPA", "\n".join(["+OK", *others, f"SASL {mechanisms}", "."])
