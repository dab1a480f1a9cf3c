"""SCRAM (RFC 5802, RFC 7677): a login in which the server has to prove, too, that it knows the password."""

from __future__ import annotations

import re
import secrets

from tui_popretr.pop3.commands import SaslResponse
from tui_popretr.pop3.errors import LocalProtocolError
from tui_popretr.sasl.exchange import Exchange, Proof, Refusal
from tui_popretr.secret import Secret
from tui_popretr.text import visible

#: The most rounds of hashing that a server may ask for: three times what is advised today, some seconds of a slow CPU.
MAX_ITERATIONS = 2_000_000

# RFC 5802 §7. Whatever else a server says there is not repeated: it may be what it knows of the password
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
# octets that are not UTF-8
_NOT_UNICODE = re.compile("[\ud800-\udfff]")
_ITERATIONS = re.compile(r",i=([0-9]{1,20})")


class Scram(Exchange):
    """The common part. Username and password are prepared by SASLprep (RFC 4013) and must pass it.

    `proof` is OWED until the server's signature was verified. With a channel binding, the mechanisms without -PLUS tell
    the server that they would have used it: one whose -PLUS was struck out on the way then refuses (RFC 5802 §6).
    """

    max_challenge = 4096
    slow = True

    _challenges = 0

    def opening(self) -> SaslResponse:
        from scramp import ScramClient, ScramException  # loaded by those who need it, for a quick start of the others

        username, password = self._credentials()
        if _NOT_UNICODE.search(username + password.reveal()):
            raise LocalProtocolError(
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
            raise LocalProtocolError("the username or password has characters that SCRAM does not allow") from None
        self.proof = Proof.OWED
        return SaslResponse(Secret(first))

    def nonce(self) -> str:
        """Return our part of the nonce."""
        return secrets.token_urlsafe(24)

    def respond(self, challenge: bytes, /) -> SaslResponse:
        self._challenges += 1
        if self._challenges > 2:
            return super().respond(challenge)
        try:
            message = challenge.decode()
        except UnicodeDecodeError:
            raise Refusal("the server's SCRAM message is not text") from None
        if message.startswith("e="):
            self.problem = f"the server says {message[2:] if message[2:] in _ERRORS else 'that there is an error'}"
            return SaslResponse(Secret(""))  # and then comes its -ERR
        return self._prove(message) if self._challenges == 1 else self._verify(message)

    def _prove(self, message: str) -> SaslResponse:
        from scramp import ScramException

        if any(int(each) > MAX_ITERATIONS for each in _ITERATIONS.findall(message)):
            raise Refusal(f"the server asks for more than {MAX_ITERATIONS:,} rounds of hashing")
        try:
            self._client.set_server_first(message)
            final: str = self._client.get_client_final()
        except ScramException as problem:
            words = visible(str(problem.args[0]), 120).rstrip(".")
            raise Refusal(f"the server's SCRAM message is wrong ({words})") from None
        return SaslResponse(Secret(final), hide=Secret(final.rpartition(",p=")[2]))

    def _verify(self, message: str) -> SaslResponse:
        from scramp import ScramException

        try:
            self._client.set_server_final(message)
        except ScramException:
            self.proof = Proof.WRONG
            raise Refusal("the server's signature is wrong: it does not know the password") from None
        self.proof = Proof.GIVEN
        return SaslResponse(Secret(""))


class ScramSha1(Scram):
    mechanism = "SCRAM-SHA-1"


class ScramSha256(Scram):
    mechanism = "SCRAM-SHA-256"


class _Plus(Scram):
    """With the TLS connection bound in: who sits in the middle of two of them is found out."""

    def opening(self) -> SaslResponse:
        if self._server.channel_binding is None:
            raise LocalProtocolError(f"{self.mechanism} needs a channel binding")
        return super().opening()


class ScramSha1Plus(_Plus):
    mechanism = "SCRAM-SHA-1-PLUS"


class ScramSha256Plus(_Plus):
    mechanism = "SCRAM-SHA-256-PLUS"
