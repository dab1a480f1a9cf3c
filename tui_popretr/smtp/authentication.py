"""The SASL profile of SMTP: an exchange as an AUTH command and its 334 replies (RFC 4954 §4)."""

from __future__ import annotations

from typing import Final

from tui_popretr.sasl import Cancelled, Exchange, decode_challenge
from tui_popretr.smtp.commands import Auth, SaslCancel, SaslResponse
from tui_popretr.smtp.reply import Reply

#: The mechanisms that are used, best first. CRAM-MD5 fails for accounts of which the server has only a hash of the
#: password, although it is offered. So it is preferred only where others can read the connection.
MECHANISMS_IN_PRIVATE: Final = ("PLAIN", "LOGIN", "CRAM-MD5")
MECHANISMS_IN_CLEAR: Final = ("CRAM-MD5", "PLAIN", "LOGIN")

#: The mechanisms for access tokens, best first.
MECHANISMS_OF_TOKENS: Final = ("OAUTHBEARER", "XOAUTH2")


class Authentication:
    """One AUTH command: send start(), then answer() for each 334. Both raise MechanismUnusable.

    `exchange.problem` says why the login failed, where the exchange knows it.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def start(self) -> Auth:
        """Return the command. An initial response that is too long for its line answers the first challenge."""
        mechanism, initial = self.exchange.mechanism, self.exchange.initial
        one_step = initial is not None and Auth.fits(mechanism, initial)
        return Auth(mechanism, self.exchange.start(initial_response=one_step))

    def answer(self, challenge: Reply) -> SaslResponse | SaslCancel:
        """Return the answer to a challenge; SaslCancel if the client cannot continue."""
        try:
            return SaslResponse(self.exchange.respond(decode_challenge(challenge.lines[0])))
        except Cancelled:
            return SaslCancel()
