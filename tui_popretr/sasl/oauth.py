"""Logins by OAuth 2 access tokens: OAUTHBEARER (RFC 7628) and the older XOAUTH2 of Google and Microsoft."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from typing import ClassVar

from tui_popretr.sasl.errors import Cancelled, MechanismUnusable
from tui_popretr.sasl.exchange import Exchange
from tui_popretr.sasl.response import Response
from tui_popretr.secret import STARS, Secret
from tui_popretr.text import visible

# RFC 6750 §2.1 allows fewer characters; these cannot end the field either.
_TOKEN = re.compile(r"[\x21-\x7e]+")


class _Bearer(Exchange):
    """The common part: a response with the token and, after a rejection, one that ends the exchange.

    The server explains a rejection in JSON (RFC 7628 §3.2.2); `problem` says it in words.
    """

    #: The response to the explanation, after which the server sends its negative reply.
    acknowledgement: ClassVar[str]

    def prepare(self) -> Response:
        username, token = self._credentials()
        if not _TOKEN.fullmatch(token.reveal()):
            raise MechanismUnusable("the password is not an access token: it has characters that no token can have")
        if "\x01" in username:
            raise MechanismUnusable("the username contains a control character")
        response = Response(Secret(self.message(username, token.reveal())), hide=token)
        self._sent = response.secrets()
        return response

    def check(self, challenge: bytes | None, /) -> bytes:
        # The first challenge is empty, but some servers send a text that is not base64 ("+ go ahead").
        return b"" if self._initial_owed else super().check(challenge)

    @abstractmethod
    def message(self, username: str, token: str) -> str:
        """Return the initial response."""

    def answer(self, challenge: bytes, /) -> Response:
        self.problem = self._explain(challenge)
        return Response(Secret(self.acknowledgement), public=True)

    def _explain(self, challenge: bytes) -> str:
        if not challenge.strip():
            return "the server does not accept the access token"
        try:
            explanation = json.loads(challenge)
        except (ValueError, RecursionError):
            explanation = None
        if not isinstance(explanation, dict):
            raise Cancelled("the server does not accept the access token, and its reason is not JSON")
        details = [
            f"{name} {self._clean(str(value))}"
            for name in ("status", "scope")
            if isinstance(value := explanation.get(name), str | int) and value != ""
        ]
        return "the server does not accept the access token" + (f" ({', '.join(details)})" if details else "")

    def _clean(self, value: str) -> str:
        raw = value.encode("utf-8", "replace")
        for secret in self._sent:
            raw = raw.replace(secret, STARS.encode())
        return visible(raw, 100)


class OAuthBearer(_Bearer):
    """RFC 7628 §3.1."""

    mechanism = "OAUTHBEARER"
    acknowledgement = "\x01"

    def message(self, username: str, token: str) -> str:
        name = username.replace("=", "=3D").replace(",", "=2C")
        host = f"host={self._server.host}\x01" if self._server.host else ""
        port = f"port={self._server.port}\x01" if self._server.port else ""
        return f"n,a={name},\x01{host}{port}auth=Bearer {token}\x01\x01"


class XOAuth2(_Bearer):
    """As documented by Google and Microsoft."""

    mechanism = "XOAUTH2"
    acknowledgement = ""

    def message(self, username: str, token: str) -> str:
        return f"user={username}\x01auth=Bearer {token}\x01\x01"
