"""The SASL profile of IMAP: an exchange as an AUTHENTICATE command and its continuations (RFC 9051 §6.2.2)."""

from __future__ import annotations

from tui_popretr.imap.commands import Authenticate, SaslCancel, SaslResponse
from tui_popretr.imap.responses import Continuation
from tui_popretr.sasl import Cancelled, Exchange, decode_challenge


class Authentication:
    """One AUTHENTICATE command: send start(), then answer() for each continuation. Both raise MechanismUnusable.

    `initial_response`: the server takes one with the command (RFC 4959). `exchange.problem` says why the login failed,
    where the exchange knows it.
    """

    def __init__(self, exchange: Exchange, *, initial_response: bool) -> None:
        self.exchange = exchange
        self._initial_response = initial_response

    def start(self) -> Authenticate:
        """Return the command."""
        return Authenticate(self.exchange.mechanism, self.exchange.start(initial_response=self._initial_response))

    def answer(self, challenge: Continuation) -> SaslResponse | SaslCancel:
        """Return the answer to a challenge; SaslCancel if the client cannot continue."""
        try:
            return SaslResponse(self.exchange.respond(decode_challenge(challenge.payload)))
        except Cancelled:
            return SaslCancel()
