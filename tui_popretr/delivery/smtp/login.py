"""Logging in to the mail server (RFC 4954)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from tui_popretr.delivery.smtp.wire import SmtpConnection
from tui_popretr.errors import SmtpLoginFailed, SmtpTemporaryFailure
from tui_popretr.sasl import Cancelled, Exchange, MechanismUnusable, begin, decode_challenge
from tui_popretr.secret import STARS, Secret
from tui_popretr.smtp.reply import Reply

_SAFE: Final = ("PLAIN", "LOGIN", "CRAM-MD5")
_IN_CLEAR: Final = ("CRAM-MD5", "PLAIN", "LOGIN")
# Octets of a command without CRLF. RFC 5321 §4.5.3.1.4 allows 510; a shorter line costs one round trip at most.
_LONGEST_COMMAND: Final = 253


def log_in(wire: SmtpConnection, username: str, password: Secret, *, private: bool) -> None:
    """Log in with the best mechanism; blocking.

    `private`: the connection cannot be read by others (TLS, or this machine). PLAIN is then preferred, because servers
    offer challenges also for accounts with a hashed password, where they fail. Raises DeliveryFailed; SmtpLoginFailed
    if the server refuses the login.
    """
    offered = wire.esmtp_features.get("auth", "").upper().split()
    mechanism = next((each for each in (_SAFE if private else _IN_CLEAR) if each in offered), None)
    if mechanism is None:
        raise SmtpLoginFailed(_nothing_usable(wire, offered), advice=_how_to_get_one(wire, offered))
    try:
        exchange = begin(mechanism, username, password)
        reply = _authenticate(wire, exchange)
    except MechanismUnusable as problem:
        raise SmtpLoginFailed(f"cannot log in to {wire.name}: {problem}") from None
    if reply.ok:
        return
    why = f"{wire.name} did not accept the login ({mechanism}): {exchange.problem or reply}"
    raise SmtpTemporaryFailure(why) if reply.passing else SmtpLoginFailed(why)


def _authenticate(wire: SmtpConnection, exchange: Exchange) -> Reply:
    """Send AUTH and the response to each challenge; return the final reply."""
    line = f"AUTH {exchange.mechanism}"
    initial = exchange.initial
    one_step = initial is not None and len(line) + 1 + len(initial.encoded()) <= _LONGEST_COMMAND
    response = exchange.start(initial_response=one_step)
    if response is None:
        reply = wire.ask(line)
    else:
        text = response.encoded().decode("ascii")
        reply = wire.ask(f"{line} {text}", shown=f"{line} {STARS}", secrets=response.secrets())
    while reply.code == 334:
        try:
            response = exchange.respond(decode_challenge(reply.lines[0]))
        except Cancelled:
            reply = wire.ask("*")
        else:
            reply = wire.ask(response.encoded().decode("ascii"), shown=STARS, secrets=response.secrets())
    return reply


def _nothing_usable(wire: SmtpConnection, offered: Collection[str]) -> str:
    if not offered:
        return f"{wire.name} offers no login, and a <username> is configured"
    return f"{wire.name} offers no login method that is known here"


def _how_to_get_one(wire: SmtpConnection, offered: Collection[str]) -> str:
    if offered or wire.under_tls:
        return "take <username> and <password> out of <smtp> where it takes mail without them"
    return "many servers offer a login under TLS only: add <starttls>Y</starttls>, or use port 465"
