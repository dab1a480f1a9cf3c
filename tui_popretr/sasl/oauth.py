"""Logins by OAuth 2 access tokens: OAUTHBEARER (RFC 7628) and XOAUTH2, which came before it."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from typing import ClassVar

from tui_popretr.pop3.commands import SaslResponse
from tui_popretr.pop3.errors import LocalProtocolError
from tui_popretr.sasl.exchange import Exchange, Refusal
from tui_popretr.secret import STARS, Secret
from tui_popretr.text import visible

# RFC 6750 §2.1, and a little more that does no harm; what would end the field is not among it
_TOKEN = re.compile(r"[\x21-\x7e]+")


class _Bearer(Exchange):
    """The common part: a first answer with the token; then, after a rejection, one that ends the exchange.

    The server explains a rejection in JSON (RFC 7628 §3.2.2); `problem` says it in words.
    """

    #: The answer to the explanation, which lets the server come to its -ERR.
    acknowledgement: ClassVar[str]

    def opening(self) -> SaslResponse:
        username, token = self._credentials()
        if not _TOKEN.fullmatch(token.reveal()):
            raise LocalProtocolError("the password is no access token: it has characters that none can have")
        if "\x01" in username:
            raise LocalProtocolError("the username contains a control character")
        response = SaslResponse(Secret(self.message(username, token.reveal())), hide=token)
        self._sent = response.secrets()
        return response

    def read(self, payload: bytes, /) -> bytes:
        # the first challenge is empty, but some servers send a text that is not base64 ("+ go ahead")
        return b"" if self._opening is not None else super().read(payload)

    @abstractmethod
    def message(self, username: str, token: str) -> str:
        """Return the first answer."""

    def respond(self, challenge: bytes, /) -> SaslResponse:
        self.problem = self._words(challenge)
        return SaslResponse(Secret(self.acknowledgement), public=True)

    def _words(self, challenge: bytes) -> str:
        if not challenge.strip():
            return "the server does not accept the access token"
        try:
            told = json.loads(challenge)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise Refusal("the server does not accept the access token, and its reason is not JSON")
        details = [
            f"{name} {self._clean(str(value))}"
            for name in ("status", "scope")
            if isinstance(value := told.get(name), str | int) and value != ""
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
    """As Google and Microsoft describe it."""

    mechanism = "XOAUTH2"
    acknowledgement = ""

    def message(self, username: str, token: str) -> str:
        return f"user={username}\x01auth=Bearer {token}\x01\x01"
