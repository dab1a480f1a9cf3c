"""The parts common to all SASL mechanisms: an exchange of challenges and responses (RFC 4422 §3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from tui_popretr.sasl.errors import Cancelled, MechanismUnusable
from tui_popretr.sasl.response import MAX_LINE, Response
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

    Call start(), then respond() for each challenge. The server's final reply decides, but a positive one counts only
    if `proof` is NOT_ASKED or GIVEN. `problem` says why the client cancelled; it may also explain a negative reply that
    is still to come. MechanismUnusable if the mechanism cannot be used with these credentials.
    """

    #: The registered name.
    mechanism: ClassVar[str]
    #: The longest challenge that is answered, in octets.
    max_challenge: ClassVar[int] = MAX_LINE
    #: respond() may compute for one or two seconds: call it in a thread.
    slow: ClassVar[bool] = False

    def __init__(self, username: str | None, password: Secret | None, server: Endpoint | None = None) -> None:
        self.problem: str | None = None
        self.proof = Proof.NOT_ASKED
        self._username = username
        self._password = password
        self._server = server or Endpoint()
        #: The initial response, None if the server begins.
        self.initial = self.prepare()
        self._initial_owed = self.initial is not None

    @abstractmethod
    def prepare(self) -> Response | None:
        """Check the credentials; return the initial response, None if the server begins."""

    def start(self, *, initial_response: bool = True) -> Response | None:
        """Return the response to send together with the mechanism's name, if there is one.

        With initial_response=False it answers the server's first challenge instead.
        """
        if not initial_response:
            return None
        self._initial_owed = False
        return self.initial

    def respond(self, challenge: bytes | None) -> Response:
        """Return the response to a decoded challenge, None for one that cannot be decoded. May raise Cancelled.

        After that, each further challenge raises Cancelled for the same reason.
        """
        try:
            if self.problem is not None:
                raise Cancelled(self.problem)
            checked = self.check(challenge)
            if self._initial_owed and self.initial is not None:
                self._initial_owed = False
                return self.initial
            return self.answer(checked)
        except Cancelled as reason:
            self.problem = str(reason)
            raise

    def check(self, challenge: bytes | None, /) -> bytes:
        """Return the challenge, b"" if the mechanism ignores it. May raise Cancelled."""
        if challenge is None:
            raise Cancelled("the server's challenge is not base64")
        if len(challenge) > self.max_challenge:
            raise Cancelled("the server's challenge is too long")
        return challenge

    def answer(self, _challenge: bytes, /) -> Response:
        """Return the response to a challenge that was checked. May raise Cancelled."""
        raise Cancelled("the server continues after the mechanism's last response")

    def _credentials(self) -> tuple[str, Secret]:
        if not self._username or self._password is None:
            raise MechanismUnusable(f"{self.mechanism} needs a username and a password")
        if "\0" in self._username or "\0" in self._password.reveal():
            raise MechanismUnusable("the username or password contains a NUL")
        return self._username, self._password
