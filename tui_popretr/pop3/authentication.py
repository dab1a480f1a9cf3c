"""The SASL profile of POP3: an exchange as an AUTH command and its continuations (RFC 5034 §4)."""

from __future__ import annotations

from tui_popretr.pop3.commands import Auth, SaslCancel, SaslResponse
from tui_popretr.pop3.errors import LocalProtocolError
from tui_popretr.pop3.events import Continuation
from tui_popretr.sasl import Cancelled, Exchange, MechanismUnusable, decode_challenge


class Authentication:
    """One AUTH command.

    Send start(), then answer() for each Continuation. `exchange` has the problem and the server's proof.
    `initial_response` asks for the form with one step where the client begins.
    """

    def __init__(self, exchange: Exchange, *, initial_response: bool = False) -> None:
        self.exchange = exchange
        self._initial_response = initial_response

    def start(self) -> Auth:
        """Return the command. An initial response that is too long for its line answers the first continuation."""
        mechanism, initial = self.exchange.mechanism, self.exchange.initial
        one_step = self._initial_response and initial is not None and Auth.fits(mechanism, initial)
        return Auth(mechanism, self.exchange.start(initial_response=one_step))

    def answer(self, continuation: Continuation) -> SaslResponse | SaslCancel:
        """Return the answer to a challenge; SaslCancel if the client cannot continue."""
        try:
            return SaslResponse(self.exchange.respond(decode_challenge(continuation.payload)))
        except Cancelled:
            return SaslCancel()
        except MechanismUnusable as problem:
            raise LocalProtocolError(str(problem)) from None
