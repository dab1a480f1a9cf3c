"""The mechanisms with one or two responses: PLAIN, LOGIN, CRAM-MD5, EXTERNAL."""

from __future__ import annotations

import hashlib
import hmac

from tui_popretr.sasl.errors import Cancelled
from tui_popretr.sasl.exchange import Exchange
from tui_popretr.sasl.response import Response, octets
from tui_popretr.secret import Secret


class _Prompted(Exchange):
    """A mechanism whose responses do not depend on the challenges.

    Servers send prompts as challenges, some of them not in base64 ("+ go ahead"), so challenges are ignored.
    """

    def check(self, _challenge: bytes | None, /) -> bytes:
        return b""


class Plain(_Prompted):
    """Username and password in one response (RFC 4616)."""

    mechanism = "PLAIN"

    def prepare(self) -> Response:
        username, password = self._credentials()
        return Response(Secret(f"\0{username}\0{password.reveal()}"), hide=password)


class Login(_Prompted):
    """Username and password in two responses. No RFC defines it. It has no initial response."""

    mechanism = "LOGIN"

    def prepare(self) -> None:
        username, password = self._credentials()
        self._responses = [Response(Secret(username), public=True), Response(password)]

    def answer(self, challenge: bytes, /) -> Response:
        return self._responses.pop(0) if self._responses else super().answer(challenge)


class CramMd5(Exchange):
    """A keyed digest of the server's challenge (RFC 2195). It has no initial response."""

    mechanism = "CRAM-MD5"
    max_challenge = 1024

    _answered = False

    def prepare(self) -> None:
        self._credentials()

    def answer(self, challenge: bytes, /) -> Response:
        if self._answered:
            return super().answer(challenge)
        if not challenge:
            raise Cancelled("the server's challenge is empty")
        self._answered = True
        username, password = self._credentials()
        digest = hmac.new(octets(password), challenge, _md5).hexdigest()
        return Response(Secret(f"{username} {digest}"), hide=Secret(digest))


class External(_Prompted):
    """The identity in the TLS client certificate (RFC 4422 appendix A); no other identity is requested."""

    mechanism = "EXTERNAL"

    def prepare(self) -> Response:
        return Response(Secret(""))


# RFC 2195 prescribes MD5; without this flag, systems whose policy bars MD5 raise an error.
def _md5(data: bytes = b"") -> hashlib._Hash:
    return hashlib.md5(data, usedforsecurity=False)
