"""Logging in to the mail server (RFC 4954), with the SASL exchanges of the POP3 side."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from tui_popretr.delivery.smtp.wire import SmtpConnection
from tui_popretr.errors import SmtpLoginFailed, SmtpTemporaryFailure
from tui_popretr.pop3.commands import Auth, SaslCancel, SaslResponse
from tui_popretr.pop3.errors import LocalProtocolError
from tui_popretr.pop3.events import Continuation
from tui_popretr.sasl import Exchange, begin
from tui_popretr.secret import Secret

_SAFE: Final = ("PLAIN", "LOGIN", "CRAM-MD5")
_IN_CLEAR: Final = ("CRAM-MD5", "PLAIN", "LOGIN")


def log_in(wire: SmtpConnection, username: str, password: Secret, *, private: bool) -> None:
    """Log in with the one mechanism that suits best; blocking.

    `private`: nobody can listen (TLS, or this machine). Then the plainest is best, because servers offer challenges
    also for accounts whose password they know only as a hash. Raises DeliveryFailed: SmtpLoginFailed where the
    server does not want us.
    """
    offered = wire.esmtp_features.get("auth", "").upper().split()
    mechanism = next((each for each in (_SAFE if private else _IN_CLEAR) if each in offered), None)
    if mechanism is None:
        raise SmtpLoginFailed(_nothing_usable(wire, offered), advice=_how_to_get_one(wire, offered))
    try:
        exchange = Login(username, password) if mechanism == "LOGIN" else _begin(mechanism, username, password)
        start = exchange.start()
        command: Auth | SaslResponse | SaslCancel = start
        while True:
            line = command.wire().decode("ascii").removesuffix("\r\n")
            reply = wire.ask(line, shown=command.shown(), secrets=command.secrets())
            if reply.code != 334:
                break
            challenge = b"334 " + reply.lines[0]
            command = exchange.answer(Continuation(start, challenge, reply.lines[0]))
    except LocalProtocolError as problem:
        raise SmtpLoginFailed(f"cannot log in to {wire.name}: {problem}") from None
    if reply.ok:
        return
    why = f"{wire.name} did not accept the login ({mechanism}): {exchange.problem or reply}"
    raise SmtpTemporaryFailure(why) if reply.passing else SmtpLoginFailed(why)


def _begin(mechanism: str, username: str, password: Secret) -> Exchange:
    return begin(mechanism, username, password, initial_response=True)


def _nothing_usable(wire: SmtpConnection, offered: Collection[str]) -> str:
    if not offered:
        return f"{wire.name} offers no login, and a <username> is configured"
    return f"{wire.name} offers no login method that is known here"


def _how_to_get_one(wire: SmtpConnection, offered: Collection[str]) -> str:
    if offered or wire.under_tls:
        return "take <username> and <password> out of <smtp> where it takes mail without them"
    return "many servers offer a login under TLS only: add <starttls>Y</starttls>, or use port 465"


class Login(Exchange):
    """Username, then password, each when asked for; never standardised, and the only one that some servers offer."""

    mechanism = "LOGIN"

    def __init__(self, username: str, password: Secret) -> None:
        super().__init__(username, password)
        self._answers = [Secret(username), password]

    def opening(self) -> None:
        """The server begins."""

    def respond(self, challenge: bytes, /) -> SaslResponse:
        # What it asks is not looked at: each server words it differently.
        return SaslResponse(self._answers.pop(0)) if self._answers else super().respond(challenge)
