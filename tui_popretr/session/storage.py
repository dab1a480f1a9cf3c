"""Where the messages of a session go: its sink, and what earlier sessions or processes left unfinished there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import trio

from tui_popretr.bus import Bus
from tui_popretr.clock import Clock
from tui_popretr.commit.blocking import BlockingWorker, BlockingWorkers
from tui_popretr.commit.committer import Committer
from tui_popretr.commit.keeper import JournalKeeper, recovery_text
from tui_popretr.commit.lane import Lane
from tui_popretr.config.model import ClientSettings, Paths, SmtpDestination
from tui_popretr.delivery.sink import Sink
from tui_popretr.delivery.sinks import SinkEnvironment, rejected_sink, sink_for
from tui_popretr.errors import DeliveryFailed
from tui_popretr.facts import Dialogue, Direction, SessionId
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Maildrop
from tui_popretr.process.children import ChildProcesses
from tui_popretr.secret import Secret
from tui_popretr.session.capa import CapaHistories
from tui_popretr.session.incoming import DeliveryContext, ReceiveBudget
from tui_popretr.session.passwords import Passwords
from tui_popretr.session.pipelining import PipeliningHistory

#: Seconds for what the sink has to say at the end (QUIT to an SMTP server).
QUIT_TIMEOUT = 1.0

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DeliveryServices:
    """What the storage of all sessions of a process shares."""

    keeper: JournalKeeper
    committer: Committer
    disks: BlockingWorkers
    cleaned: set[str]  # keys of the sinks that were searched for unfinished files of a process that died
    pipelining_history: PipeliningHistory = field(default_factory=PipeliningHistory)
    capa_histories: CapaHistories = field(default_factory=CapaHistories)
    receive_budget: ReceiveBudget = field(default_factory=ReceiveBudget)
    children: ChildProcesses = field(default_factory=ChildProcesses)
    passwords: Passwords = field(default_factory=Passwords)


class Storage:
    """The destination of one session. `warn` is told in words what was recovered."""

    def __init__(
        self,
        client: ClientSettings,
        session: SessionId,
        services: DeliveryServices,
        bus: Bus,
        clock: Clock,
        paths: Paths,
        withheld: frozenset[str],
        warn: Warn,
    ) -> None:
        """`withheld`: environment variables that commands do not get. Raises JournalError where there is no journal."""
        self._client = client
        self._session = session
        self._services = services
        self._bus = bus
        self._clock = clock
        self._warn = warn
        self._token = trio.lowlevel.current_trio_token()
        means = SinkEnvironment(paths.tmp, paths.announce_host, self._password, self._said, withheld, services.children)
        self.sink = sink_for(client, services.keeper.journal.id, means)
        key = self.sink.key
        # Who talks to a server or a program does so under deadlines of its own.
        self.disk = BlockingWorker(key, 1, None) if self.sink.remote else services.disks.of(key, key)
        self._rejected = rejected_sink(client, services.keeper.journal.id)

    @property
    def lane(self) -> Lane:
        """The lane of the sink's messages; known for certain after make_ready()."""
        return self._services.committer.lane(self.sink)

    @property
    def saves_rejected(self) -> bool:
        """Whether there is a folder for messages that the sink refuses for good."""
        return self._rejected is not None

    def for_rejected(self, delivery: DeliveryContext) -> DeliveryContext | None:
        """Return `delivery` with the folder for messages that the sink refuses for good, None where there is none."""
        sink, services = self._rejected, self._services
        if sink is None:
            return None
        return replace(
            delivery, sink=sink, lane=services.committer.lane(sink), disk=services.disks.of(sink.key, sink.key)
        )

    async def open_maildrop(self) -> int:
        """Find the maildrop in the journal, and finish what an earlier session or process left unfinished in it.

        Raises JournalError; DeliveryFailed where a message may have been delivered and it cannot be seen.
        """
        services, server = self._services, self._client.server
        await recover_journal(services, self._warn)
        key = Maildrop.of(server.host, server.port, server.account, self.sink.key)
        maildrop, recoveries = await services.keeper.open_maildrop(key)
        for recovered in recoveries:
            self._warn(recovery_text(recovered))
            if recovered.error is not None:  # it may have been delivered: retrieving it now might be the second time
                raise recovered.error
        await self._clean(self.sink, self.disk)
        if (rejected := self._rejected) is not None:
            await self._clean(rejected, services.disks.of(rejected.key, rejected.key))
        return maildrop

    async def _clean(self, sink: Sink, disk: BlockingWorker) -> None:
        """Remove unfinished files of a process that died, once in each process. Raises JournalError."""
        services = self._services
        if sink.key in services.cleaned:
            return
        services.cleaned.add(sink.key)
        try:
            known = await services.keeper.run(_unfinished_files)
        except BaseException:
            services.cleaned.discard(sink.key)
            raise
        try:
            await disk.run(sink.clean_orphans, known)
        except DeliveryFailed as problem:  # no part of the promise; whether mail can be stored shows later
            self._warn(str(problem))

    async def make_ready(self, octets: int) -> None:
        """See that a message of so many octets can be stored. Raises DeliveryFailed, PasswordUnavailable."""
        try:
            await self.disk.run(self.sink.make_ready, octets)
        except trio.Cancelled:
            self.sink.interrupt()  # or it would go on connecting
            raise

    async def close(self) -> None:
        """End what the sink has opened (a connection to an SMTP server)."""
        if self.sink.remote:
            with trio.move_on_after(QUIT_TIMEOUT, shield=True), contextlib.suppress(DeliveryFailed):
                await self.disk.run(self.sink.close)

    # --- for sinks, in their threads ----------------------------------------------------------------------------------

    def _password(self) -> Secret:
        destination = self._client.destination
        assert isinstance(destination, SmtpDestination)
        return trio.from_thread.run(self._services.passwords.obtain, destination.password, trio_token=self._token)

    def _said(self, direction: Direction, text: str) -> None:
        if self._bus.wants_dialogue:
            dialogue = Dialogue(self._session, self._clock.now(), [(direction, text)])
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._bus.publish_dialogue, dialogue)


async def recover_journal(services: DeliveryServices, warn: Warn) -> None:
    """Where a write to the journal has failed, find out what is in it before it is relied upon (SPEC 5)."""
    if not services.keeper.sound:
        await services.committer.wait_until_none_publishing()
        for recovered in await services.keeper.reopen_if_broken():
            warn(recovery_text(recovered))
    await services.committer.abort_undecided()


def _unfinished_files(journal: Journal) -> list[str]:
    return [record.tmp for _, record in journal.delivering() if record.tmp is not None]
