"""SASL exchanges (RFC 5034, RFC 4422) without I/O: a command to begin with, then an answer to each challenge.

A mechanism is a subclass of Exchange, registered under its name; begin() makes one by name.
"""

from __future__ import annotations

import hashlib
import hmac
from abc import ABC, abstractmethod
from base64 import b64decode
from typing import ClassVar

from tui_popretr.pop3.commands import Auth, SaslCancel, SaslResponse
from tui_popretr.pop3.errors import LocalProtocolError
from tui_popretr.pop3.events import Continuation
from tui_popretr.secret import Secret
from tui_popretr.text import visible

EXCHANGES: dict[str, type[Exchange]] = {}


class Exchange(ABC):
    """One attempt to log in with one mechanism.

    Send start(), then answer() for every Continuation; the Reply to the Auth command decides. After a SaslCancel
    `problem` says why. `initial_response` asks for the one-step form where the client speaks first (RFC 5034 §4).
    LocalProtocolError where the mechanism needs credentials that are not given.
    """

    #: The name in AUTH and CAPA.
    mechanism: ClassVar[str]
    #: The longest challenge that is answered, in octets after decoding.
    max_challenge: ClassVar[int] = 12_288

    def __init__(self, username: str | None, password: Secret | None, *, initial_response: bool = False) -> None:
        self.problem: str | None = None
        self._username = username
        self._password = password
        self._initial_response = initial_response
        self._opening = self.opening()

    @abstractmethod
    def opening(self) -> SaslResponse | None:
        """Return what the client says first, None where the mechanism begins with the server."""

    def respond(self, _challenge: bytes, /) -> SaslResponse:
        """Answer a decoded challenge, or raise Refusal."""
        raise Refusal("the server goes on asking where the mechanism has nothing more to say")

    def start(self) -> Auth:
        """Return the command that begins the exchange."""
        opening = self._opening
        if opening is None or not self._initial_response:
            return Auth(self.mechanism)
        auth = Auth(self.mechanism, opening.data, opening.hide)
        if not auth.split:
            self._opening = None
        return auth

    def answer(self, continuation: Continuation) -> SaslResponse | SaslCancel:
        """Return the answer to a challenge: a response, or the end of the exchange, told in `problem`."""
        try:
            if self.problem is not None:
                raise Refusal(self.problem)
            challenge = self._decode(continuation.payload)
            opening, self._opening = self._opening, None
            return opening if opening is not None else self.respond(challenge)
        except Refusal as refusal:
            self.problem = str(refusal)
            return SaslCancel()

    def _decode(self, payload: bytes) -> bytes:
        try:
            challenge = b64decode(payload.strip(b" "), validate=True)
        except ValueError:
            raise Refusal("the server's challenge is not base64") from None
        if len(challenge) > self.max_challenge:
            raise Refusal("the server's challenge is too long")
        return challenge

    def _credentials(self) -> tuple[str, Secret]:
        if not self._username or self._password is None:
            raise LocalProtocolError(f"{self.mechanism} needs a username and a password")
        if "\0" in self._username or "\0" in self._password.reveal():
            raise LocalProtocolError("the username or password contains a NUL")
        return self._username, self._password


class Refusal(Exception):
    """The exchange cannot go on; str(error) says why."""


def register(exchange: type[Exchange]) -> type[Exchange]:
    """Make a mechanism known to begin(); for use as a decorator."""
    EXCHANGES[exchange.mechanism] = exchange
    return exchange


def begin(mechanism: str, username: str | None, password: Secret | None, *, initial_response: bool = False) -> Exchange:
    """Return a new exchange for a mechanism by name. LocalProtocolError as Exchange, or if there is none such."""
    if mechanism not in EXCHANGES:
        raise LocalProtocolError(f"there is no SASL mechanism {visible(mechanism)} here")
    return EXCHANGES[mechanism](username, password, initial_response=initial_response)


@register
class Plain(Exchange):
    """Username and password as they are (RFC 4616)."""

    mechanism = "PLAIN"

    def opening(self) -> SaslResponse:
        username, password = self._credentials()
        return SaslResponse(Secret(f"\0{username}\0{password.reveal()}"), hide=password)


@register
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


@register
class External(Exchange):
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
