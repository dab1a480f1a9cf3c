"""The client's side of an IMAP dialogue as a pure state machine (skeleton)."""

from __future__ import annotations

from tui_popretr.imap.capabilities import Capabilities
from tui_popretr.imap.commands import Append, Command
from tui_popretr.imap.responses import Response
from tui_popretr.imap.states import State


class Machine:
    """One connection's dialogue, from the greeting on; for implicit TLS, inside it.

        machine.send(Noop())          -> b"a1 NOOP\\r\\n"
        machine.receive(b"a1 OK\\r\\n") -> [Status(OK, command=Noop())]

    A command with a literal is sent up to the literal; the rest is returned by go_on(), after the Continuation.

    APPEND: send(), then for each message content() until its size is reached, and in the end end(). The server cannot
    have the command before end(). Between, `waiting` says that a Continuation is due first.
    """

    def __init__(self) -> None:
        #: What the server offers; None: unknown, as before the login is complete and after TLS has started.
        self.capabilities: Capabilities | None = None

    @property
    def state(self) -> State:
        raise NotImplementedError

    @property
    def outstanding(self) -> int:
        """How many commands have no answer yet."""
        raise NotImplementedError

    @property
    def waiting(self) -> bool:
        """Whether the server has to send a Continuation before anything else can be sent."""
        raise NotImplementedError

    @property
    def unsent(self) -> Append | None:
        """The APPEND that is being sent, without its end."""
        raise NotImplementedError

    def redacted(self, text: bytes) -> bytes:
        raise NotImplementedError

    def send(self, command: Command) -> bytes:
        raise NotImplementedError

    def go_on(self) -> bytes:
        """Return the next part of a command with a literal; b"" if content is next."""
        raise NotImplementedError

    def content(self, data: bytes) -> bytes:
        """Return the bytes to send for a piece of the message."""
        raise NotImplementedError

    def next_message(self) -> bytes:
        """Return what announces the next message of the APPEND; the one before is complete."""
        raise NotImplementedError

    def end(self) -> bytes:
        """Return the bytes that end the APPEND, and expect its answer."""
        raise NotImplementedError

    def tls_started(self) -> None:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError

    def receive(self, data: bytes) -> list[Response]:
        raise NotImplementedError

    def receive_eof(self) -> None:
        raise NotImplementedError
