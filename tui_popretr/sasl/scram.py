"""SCRAM (RFC 5802, RFC 7677): a login in which the server also proves that it knows the password."""

from __future__ import annotations

import re
import secrets

from tui_popretr.sasl.errors import Cancelled, MechanismUnusable
from tui_popretr.sasl.exchange import Exchange, Proof
from tui_popretr.sasl.response import Response
from tui_popretr.secret import Secret
from tui_popretr.text import visible

#: The most iterations that a server may ask for: three times today's recommendation, some seconds of a slow CPU.
MAX_ITERATIONS = 2_000_000

# RFC 5802 §7. Other texts are not repeated: they may contain what the server knows of the password.
_ERRORS = frozenset(
    {
        "invalid-encoding",
        "extensions-not-supported",
        "invalid-proof",
        "channel-bindings-dont-match",
        "server-does-support-channel-binding",
        "channel-binding-not-supported",
        "unsupported-channel-binding-type",
        "unknown-user",
        "invalid-username-encoding",
        "no-resources",
        "other-error",
    }
)
# Octets that are not UTF-8 arrive as surrogates.
_NOT_UNICODE = re.compile("[\ud800-\udfff]")
_ITERATIONS = re.compile(r",i=([0-9]{1,20})")


class Scram(Exchange):
    """The common part. Username and password are prepared by SASLprep (RFC 4013).

    `proof` is OWED until the server's signature is verified. With a channel binding, the mechanisms without -PLUS send
    the flag that the client supports it. A server that offered -PLUS then refuses the login, because an attacker
    between the two has removed the offer (RFC 5802 §6).
    """

    max_challenge = 4096
    slow = True

    _challenges = 0

    def prepare(self) -> Response:
        from scramp import ScramClient, ScramException  # imported here because it loads slowly and few need it

        username, password = self._credentials()
        if _NOT_UNICODE.search(username + password.reveal()):
            raise MechanismUnusable(
                "the username or password is not UTF-8, which SCRAM needs: set another password at the server, or name"
                " another login method in authtypes"
            )
        binding = self._server.channel_binding
        try:
            self._client = ScramClient(
                [self.mechanism],
                username,
                password.reveal(),
                channel_binding=None if binding is None else ("tls-unique", binding),
                c_nonce=self.nonce(),
            )
            first = self._client.get_client_first()
        except ScramException:
            raise MechanismUnusable("the username or password has characters that SCRAM does not allow") from None
        self.proof = Proof.OWED
        return Response(Secret(first))

    def nonce(self) -> str:
        """Return the client's part of the nonce."""
        return secrets.token_urlsafe(24)

    def answer(self, challenge: bytes, /) -> Response:
        self._challenges += 1
        if self._challenges > 2:
            return super().answer(challenge)
        try:
            message = challenge.decode()
        except UnicodeDecodeError:
            raise Cancelled("the server's SCRAM message is not text") from None
        if message.startswith("e="):
            self.problem = f"the server reports {message[2:] if message[2:] in _ERRORS else 'an error'}"
            return Response(Secret(""))  # a negative reply follows
        return self._prove(message) if self._challenges == 1 else self._verify(message)

    def _prove(self, message: str) -> Response:
        from scramp import ScramException

        if any(int(each) > MAX_ITERATIONS for each in _ITERATIONS.findall(message)):
            raise Cancelled(f"the server asks for more than {MAX_ITERATIONS:,} iterations")
        try:
            self._client.set_server_first(message)
            final: str = self._client.get_client_final()
        except ScramException as problem:
            words = visible(str(problem.args[0]), 120).rstrip(".")
            raise Cancelled(f"the server's SCRAM message is wrong ({words})") from None
        return Response(Secret(final), hide=Secret(final.rpartition(",p=")[2]))

    def _verify(self, message: str) -> Response:
        from scramp import ScramException

        try:
            self._client.set_server_final(message)
        except ScramException:
            self.proof = Proof.WRONG
            raise Cancelled("the server's signature is wrong: it does not know the password") from None
        self.proof = Proof.GIVEN
        return Response(Secret(""))


class ScramSha1(Scram):
    mechanism = "SCRAM-SHA-1"


class ScramSha256(Scram):
    mechanism = "SCRAM-SHA-256"


class _Plus(Scram):
    """With channel binding, which detects an attacker between two TLS connections."""

    def prepare(self) -> Response:
        if self._server.channel_binding is None:
            raise MechanismUnusable(f"{self.mechanism} needs a channel binding")
        return super().prepare()


class ScramSha1Plus(_Plus):
    mechanism = "SCRAM-SHA-1-PLUS"


class ScramSha256Plus(_Plus):
    mechanism = "SCRAM-SHA-256-PLUS"
