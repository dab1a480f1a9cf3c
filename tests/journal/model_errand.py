"""What a session is to do, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.journal.model_server import Farewell
from tui_popretr.errors import PopretrError
from tui_popretr.session.plan import Listed, Policy


@dataclass(frozen=True, slots=True)
class Errand:
    """A session to be run: of which account, under which settings, and what the server does in it."""

    account: int
    policy: Policy
    port: int = 110
    after: int = 0  # it begins after so many turns of the others
    farewell: Farewell = Farewell.OK
    rash: bool = False  # the server deletes also when the connection is cut, against RFC 1939 §6


@dataclass(slots=True)
class Tally:
    """What a session has come to so far."""

    delivered: int = 0
    octets: int = 0
    problem: PopretrError | None = None


class BrokenError(Exception):
    """The connection was cut within a message."""

    def __init__(self, suspect: Listed) -> None:
        super().__init__()
        self.suspect = suspect
