"""What all SASL mechanisms have in common: a command to begin with, then an answer to each challenge (RFC 5034 §4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64decode
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from tui_popretr.pop3.commands import MAX_SASL_LINE, Auth, SaslCancel, SaslResponse
from tui_popretr.pop3.errors import LocalProtocolError
from tui_popretr.pop3.events import Continuation
from tui_popretr.secret import Secret


class Proof(Enum):
    """Whether the server has shown that it knows the password."""

    NOT_ASKED = "the mechanism asks no proof of the server"
    OWED = "the server has not proved yet that it knows the password"
    GIVEN = "the server knows the password"
    WRONG = "the server's proof is wrong"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The server, for mechanisms that name it or bind themselves to the connection with it."""

    host: str = ""
    port: int = 0
    channel_binding: bytes | None = None  # tls-unique (RFC 5929 §3)


class Exchange(ABC):
    """One attempt to log in with one mechanism.

    Send start(), then answer() for every Continuation; the Reply to the Auth command decides, but a +OK is none while
    `proof` is OWED or WRONG. After a SaslCancel `problem` says why; it may also say why the -ERR that follows is to be
    expected. `initial_response` asks for the one-step form where the client speaks first (RFC 5034 §4).
    LocalProtocolError where the mechanism cannot be used with these credentials.
    """

    #: The name in AUTH and CAPA.
    mechanism: ClassVar[str]
    #: The longest challenge that is answered, in octets after decoding.
    max_challenge: ClassVar[int] = MAX_SASL_LINE
    #: answer() may compute for a second or two: not to be called where others would wait for it.
    slow: ClassVar[bool] = False

    def __init__(
        self,
        username: str | None,
        password: Secret | None,
        *,
        initial_response: bool = False,
        server: Endpoint | None = None,
    ) -> None:
        self.problem: str | None = None
        self.proof = Proof.NOT_ASKED
        self._username = username
        self._password = password
        self._initial_response = initial_response
        self._server = server or Endpoint()
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
            challenge = self.read(continuation.payload)
            opening, self._opening = self._opening, None
            return opening if opening is not None else self.respond(challenge)
        except Refusal as refusal:
            self.problem = str(refusal)
            return SaslCancel()

    def read(self, payload: bytes, /) -> bytes:
        """Return the decoded challenge, b"" if the mechanism ignores it. Raises Refusal."""
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
