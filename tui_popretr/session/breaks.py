"""What has broken a connection of a session, and whether the session connects again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from tui_popretr.errors import PopretrError
from tui_popretr.session.failures import Failures
from tui_popretr.session.pipelining import RECONNECT_UNPIPELINED, Pipelining
from tui_popretr.session.plan import Listed
from tui_popretr.session.report import SessionReport

#: How often a session connects again after its connection broke.
RECONNECTIONS = 1
#: Logged when a message broke the connection.
RECONNECT_AFTER_MESSAGE = "connecting once more to go on after it"
#: Logged when CAPA after the login broke the connection.
RECONNECT_WITHOUT_CAPA = "connecting once more, without CAPA after the login"


class Cause(Enum):
    """What may have broken a connection. Anything else is the server's or the network's fault: it ends the session."""

    #: CAPA after the login. The next connection does without it.
    SECOND_CAPA = auto()
    #: Several commands in flight, at the login or the listing. The next connection sends one command at a time.
    FIRST_PIPELINING = auto()
    #: Several commands in flight, later. If the message has failed before, the failure counts against it nevertheless:
    #: otherwise it could break connections for ever.
    PIPELINING = auto()
    #: A message that the server ended too early, so that the rest of it arrived in place of a reply. Such a message is
    #: delivered, kept, and not retrieved again.
    CUT_SHORT = auto()
    #: The message whose reply was expected: the failure counts against it, and the next connection skips it.
    MESSAGE = auto()


@dataclass(frozen=True, slots=True)
class Suspect:
    """The message at which a connection broke. Its failures are counted under `key`.

    `deletion`: it was delivered already, and only its deletion was left.
    """

    listed: Listed
    key: str
    deletion: bool


class ConnectionBrokeError(Exception):
    """A connection broke, and the session may connect again."""

    def __init__(self, problem: PopretrError, cause: Cause, suspect: Suspect | None = None) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.cause = cause
        self.suspect = suspect


class Reconnections:
    """Decides whether a session connects again: RECONNECTIONS times, and once for each message that was cut short."""

    def __init__(self, pipelining: Pipelining, failures: Failures, report: SessionReport) -> None:
        self._pipelining = pipelining
        self._failures = failures
        self._report = report
        self._left = RECONNECTIONS
        self._cut_short: set[str] = set()  # failure keys of messages that broke a connection by being cut short
        #: Whether a DELE has broken a connection, so that all messages are retrieved before the next one.
        self.deletions_last = False

    @property
    def last(self) -> frozenset[str]:
        """The failure keys of messages that may have broken a connection, and are retrieved last."""
        return self._pipelining.last

    async def record_outcome(self) -> None:
        """Record what the last connection, which did not break, has shown about PIPELINING. Raises JournalError."""
        if (conclusion := await self._pipelining.record_outcome()) is not None:
            self._report.warn(conclusion)

    async def decide(self, maildrop: int, broke: ConnectionBrokeError) -> str:
        """Return the text for the log if the session connects again; else raises the error. Raises JournalError."""
        cause, suspect = broke.cause, broke.suspect
        if cause is Cause.PIPELINING and suspect is not None and suspect.key in self._failures.known:
            cause = Cause.MESSAGE
        text = RECONNECT_AFTER_MESSAGE
        match cause:
            case Cause.SECOND_CAPA:
                text = RECONNECT_WITHOUT_CAPA
            case Cause.CUT_SHORT:
                assert suspect is not None
                self._left += suspect.key not in self._cut_short
                self._cut_short.add(suspect.key)
                if suspect.listed.uid is None:  # recognised only after RETR, which would break the connection again
                    self._failures.broke.add(suspect.key)
            case Cause.PIPELINING | Cause.FIRST_PIPELINING:
                key = suspect.key if suspect else None
                self._pipelining.suspect_server(key, at_first=cause is Cause.FIRST_PIPELINING)
                text = RECONNECT_UNPIPELINED
            case Cause.MESSAGE:
                await self.count_against_message(maildrop, broke)
        if not self._left:
            raise broke.problem from broke
        self._left -= 1
        return text

    async def count_against_message(self, maildrop: int, broke: ConnectionBrokeError) -> bool:
        """Count the failure against the message that broke the connection; return whether there was one."""
        suspect, problem = broke.suspect, broke.problem
        if suspect is None or broke.cause is Cause.CUT_SHORT:
            return False
        self._failures.broke.add(suspect.key)
        if suspect.deletion:
            self.deletions_last = True
            self._failures.add(suspect.key, suspect.listed.size, str(problem))
            self._report.deletion_failed(suspect.listed, problem)
        else:
            self._report.failed(suspect.listed, problem, count=True)
        await self._failures.count(maildrop)
        return True
