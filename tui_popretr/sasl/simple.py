"""The mechanisms that say all they have in one or two answers: PLAIN, LOGIN, CRAM-MD5, EXTERNAL; and APOP's digest."""

from __future__ import annotations

import hashlib
import hmac

from tui_popretr.pop3.commands import SaslResponse
from tui_popretr.sasl.exchange import Exchange, Refusal
from tui_popretr.secret import Secret


class _Prompted(Exchange):
    """A mechanism whose answers do not depend on the challenges.

    Servers send prompts as challenges, some of them not in base64 ("+ go ahead"), so challenges are ignored.
    """

    def read(self, _payload: bytes, /) -> bytes:
        return b""


class Plain(_Prompted):
    """Username and password as they are (RFC 4616)."""

    mechanism = "PLAIN"

    def opening(self) -> SaslResponse:
        username, password = self._credentials()
        return SaslResponse(Secret(f"\0{username}\0{password.reveal()}"), hide=password)


class Login(_Prompted):
    """Username and password as they are, one after the other: older than SASL, and described nowhere.

    It has no initial response.
    """

    mechanism = "LOGIN"

    def opening(self) -> None:
        username, password = self._credentials()
        self._answers = [SaslResponse(Secret(username), public=True), SaslResponse(password)]

    def respond(self, challenge: bytes, /) -> SaslResponse:
        return self._answers.pop(0) if self._answers else super().respond(challenge)


class CramMd5(Exchange):
    """A keyed digest of the server's challenge (RFC 2195). It has no initial response."""

    mechanism = "CRAM-MD5"
    max_challenge = 1024

    _answered = False

    def opening(self) -> None:
        self._credentials()

    def respond(self, challenge: bytes, /) -> SaslResponse:
        if self._answered:
            return super().respond(challenge)
        if not challenge:
            raise Refusal("the server's challenge is empty")
        self._answered = True
        username, password = self._credentials()
        digest = hmac.new(_octets(password), challenge, _md5).hexdigest()
        return SaslResponse(Secret(f"{username} {digest}"), hide=Secret(digest))


class External(_Prompted):
    """What the TLS client certificate says (RFC 4422 appendix A); the identity to act as is left to the server."""

    mechanism = "EXTERNAL"

    def opening(self) -> SaslResponse:
        return SaslResponse(Secret(""))


def apop_digest(stamp: bytes, password: Secret) -> Secret:
    """Return APOP's digest of the greeting's stamp, angle brackets included, and the password (RFC 1939 §7)."""
    return Secret(_md5(stamp + _octets(password)).hexdigest())


def _octets(password: Secret) -> bytes:
    return password.reveal().encode("utf-8", "surrogateescape")


# RFC 1939 and RFC 2195 leave no choice; where MD5 is barred by policy these logins would otherwise crash
def _md5(data: bytes = b"") -> hashlib._Hash:
    return hashlib.md5(data, usedforsecurity=False)
