"""How much is sent at once to a server that offers PIPELINING (RFC 2920). What does not work is remembered."""

from __future__ import annotations

from tui_popretr.delivery.smtp.connection import SmtpConnection
from tui_popretr.facts import Direction

#: Servers, by address, that do not answer commands that are sent together. For this process.
_one_by_one: set[str] = set()
#: Servers that do not answer commands that are sent together with the end of a message.
_end_alone: set[str] = set()


class Pipelining:
    """Of one server, for one session."""

    def __init__(self, server: str) -> None:
        """`server` is its address."""
        self._server = server
        #: One command at a time.
        self.one_by_one = server in _one_by_one
        #: The end of a message without the first commands of the next one.
        self.end_alone = server in _end_alone

    def reduce_to_one_by_one(self, connection: SmtpConnection) -> None:
        self.one_by_one = True
        connection.say(Direction.EVENT, ["PIPELINING does not work: one command at a time from now on"])

    def reduce_to_end_alone(self, connection: SmtpConnection) -> None:
        self.end_alone = True
        what = "PIPELINING does not work after the end of a message: nothing is sent with it from now on"
        connection.say(Direction.EVENT, [what])

    def remember(self) -> None:
        """Remember what was reduced for later sessions: the server has accepted an envelope in this way."""
        if self.one_by_one:
            _one_by_one.add(self._server)
        if self.end_alone:
            _end_alone.add(self._server)


def forget() -> None:
    """Forget all servers. For tests."""
    _one_by_one.clear()
    _end_alone.clear()
