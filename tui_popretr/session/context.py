"""What all sessions of a process share."""

from __future__ import annotations

from dataclasses import dataclass, field

from tui_popretr.bus import Bus
from tui_popretr.clock import Clock
from tui_popretr.commit.blocking import BlockingWorkers
from tui_popretr.commit.committer import Committer
from tui_popretr.commit.recovery import Recovery
from tui_popretr.config.model import ClientSettings, Paths
from tui_popretr.delivery.filedraft import SPILL
from tui_popretr.facts import SessionId
from tui_popretr.journal.thread import JournalThread
from tui_popretr.process.children import ChildProcesses
from tui_popretr.session.capa import CapaHistories
from tui_popretr.session.pipelining import PipeliningHistory
from tui_popretr.session.services import ConnectionServices
from tui_popretr.session.setup import ConnectionSetup, Connector

#: Octets in memory of messages that are being received: in all sessions together, and in one session at most.
MAX_BUFFERED = 4 * 1024 * 1024
MAX_BUFFERED_IN_SESSION = 256 * 1024


class ReceiveBudget:
    """Memory for messages that are being received, shared among the sessions that are receiving.

    The more of a message is in memory, the less often it is written: each write waits for another thread.
    """

    def __init__(self) -> None:
        self._sessions = 0

    def __enter__(self) -> None:
        self._sessions += 1

    def __exit__(self, *problem: object) -> None:
        self._sessions -= 1

    @property
    def share(self) -> int:
        """The octets of a message that one session may have in memory, at least SPILL."""
        return max(SPILL, min(MAX_BUFFERED_IN_SESSION, MAX_BUFFERED // max(self._sessions, 1)))


@dataclass(frozen=True, slots=True)
class DeliveryServices:
    """The journal, the committer and what sessions learn about servers."""

    journal: JournalThread
    recovery: Recovery
    committer: Committer
    disks: BlockingWorkers
    children: ChildProcesses
    pipelining_history: PipeliningHistory = field(default_factory=PipeliningHistory)
    capa_histories: CapaHistories = field(default_factory=CapaHistories)
    receive_budget: ReceiveBudget = field(default_factory=ReceiveBudget)
    #: Keys of the sinks that were searched for unfinished files of an earlier process.
    cleaned: set[str] = field(default_factory=set)
    #: By client, the failure keys of messages over maxsize of which a warning was logged.
    named: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionContext:
    """The services and settings for sessions. A reload replaces it; a running session keeps the one it began with."""

    bus: Bus
    clock: Clock
    services: DeliveryServices
    connect: Connector
    paths: Paths
    timeout: float  # seconds to wait for a server
    withheld: frozenset[str]  # environment variables that commands do not get
    connections: ConnectionServices

    def setup(self, session: SessionId, client: ClientSettings) -> ConnectionSetup:
        """Return what opens connections for a session of a client."""
        return ConnectionSetup(session, client, self.bus, self.clock, self.connect, self.timeout, self.connections)
