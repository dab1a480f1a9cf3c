"""The destination of a session: its sink, and what earlier sessions or processes left unfinished there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from tui_popretr.commit.blocking import BlockingWorker
from tui_popretr.commit.lookup import recovery_text
from tui_popretr.commit.queue import AnyDraft, DeliveryQueue
from tui_popretr.commit.remote import RemoteQueue
from tui_popretr.config.choices import CapaUse, Eol
from tui_popretr.config.model import ClientSettings, SmtpDestination
from tui_popretr.delivery.filesink import FileSink
from tui_popretr.delivery.remote import RemoteSink, SearchableSink
from tui_popretr.delivery.sinks import SinkEnvironment, rejected_sink, sink_for
from tui_popretr.errors import DeliveryFailed, PopretrError
from tui_popretr.facts import Dialogue, Direction, Level, Noted, SessionId
from tui_popretr.hosts import POP3_PORT, with_port
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Doubt, Maildrop
from tui_popretr.logs.audit import audit_text
from tui_popretr.mail.received import received_header
from tui_popretr.session.context import ReceiveBudget, SessionContext
from tui_popretr.session.destination_login import DestinationLogin
from tui_popretr.session.maildrop import AcceptedRecipients, MaildropJournal
from tui_popretr.session.plan import Fetch, Policy, Verify
from tui_popretr.wording import plural


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """Where the messages of a connection go, and what is recorded about them."""

    maildrop: int  # the journal's number for it
    eol: Eol
    open: Callable[[], AnyDraft]  # makes a draft, with a new id for its record
    lane: DeliveryQueue
    disk: BlockingWorker
    receive_budget: ReceiveBudget
    accepted: AcceptedRecipients  # the recipients that have a message already
    received: Callable[[], bytes]  # the Received header for a message that arrives now, b"" if omitted
    audit: Callable[[str, str | None, int, str | None], str]  # (destination, Message-ID, octets, sender) -> text
    policy: Policy
    now: Callable[[], datetime]
    clock: float  # the seconds of the MaildropClock
    debug: Callable[[str], None]  # logs a line
    resolve: Callable[[int, Doubt], Awaitable[None]]  # records the result for an UNPROVEN record in the journal
    utf8: bool  # the server sends messages in UTF-8 mode
    utf8_advice: str  # how to enable that mode, as " (...)"; "" if no setting prevents it
    #: For messages that the sink refuses for good; None: they stay on the server.
    rejected: DeliveryContext | None = None

    def of(self, job: Fetch | Verify) -> DeliveryContext:
        """Return the context for the message of a job."""
        return self.rejected if self.rejected is not None and isinstance(job, Fetch) and job.refusal else self

    def stop_sending(self) -> None:
        """Cancel what is being sent to a server or command, and what waits for it."""
        if isinstance(self.lane, RemoteQueue):
            self.lane.stop()

    def disk_of(self, draft: AnyDraft) -> BlockingWorker:
        """Return the worker of a draft's sink."""
        # With `rejected`, only drafts of the folder for rejected messages have a final path.
        return self.disk if self.rejected is None or draft.final is None else self.rejected.disk


class Storage:
    """The destination of one session. `warn` gets a text for each recovery."""

    def __init__(
        self, client: ClientSettings, session: SessionId, context: SessionContext, warn: Callable[[str], None]
    ) -> None:
        self._client = client
        self._session = session
        self._context = context
        self._services = services = context.services
        self._warn = warn
        paths, journal = context.paths, services.journal.id
        login = DestinationLogin(client.destination, context.connections)
        environment = SinkEnvironment(
            paths.tmp,
            paths.announce_host,
            login.password,
            self._publish_dialogue,
            context.withheld,
            services.children,
            context.connections.contexts,
            login.other_password,
            login.tokens,
            login.other_tokens,
        )
        self._sink = sink_for(client, journal, environment)
        key = self._sink.key
        # Messages for a server or a command that are too large for memory are in a file.
        remote = isinstance(self._sink, RemoteSink)
        self._disk = services.disks.of(self._sink.lane, paths.tmp) if remote else services.disks.of(key, key)
        self._rejected = rejected_sink(client, journal)
        #: Why a message may have arrived at its destination and stays on the server.
        self.unanswered: PopretrError | None = None
        self._in_doubt: set[str] = set()  # their Message-IDs

    @property
    def saves_rejected(self) -> bool:
        """Whether there is a folder for messages that the sink refuses for good."""
        return self._rejected is not None

    def delivery(
        self, maildrop: int, journal: MaildropJournal, policy: Policy, *, remote_ip: str, utf8: bool
    ) -> DeliveryContext:
        """Return the context for the messages of one connection, to `remote_ip`. Call make_ready() first."""
        client, server, services, clock = self._client, self._client.server, self._services, self._context.clock

        def received() -> bytes:
            if client.omit_received:
                return b""
            paths = self._context.paths
            return received_header(
                server.host,
                remote_ip,
                paths.announce_host,
                paths.product_name,
                _protocol(client),
                client.recip,
                clock.now(),
            )

        def audit(destination: str, message_id: str | None, octets: int, sender: str | None) -> str:
            user = server.username
            return audit_text(server.address, server.tls is not None, user, destination, message_id, octets, sender)

        def debug(text: str) -> None:
            self._context.bus.publish(Noted(clock.now(), Level.DEBUG, client.id, text))

        lane = services.committer.lane(self._sink)
        if isinstance(lane, RemoteQueue):
            lane.in_doubt = set(self._in_doubt)
        context = DeliveryContext(
            maildrop=maildrop,
            eol=self._sink.eol,
            open=self._opener(self._sink),
            lane=lane,
            disk=self._disk,
            receive_budget=services.receive_budget,
            accepted=journal.accepted,
            received=received,
            audit=audit,
            policy=policy,
            now=clock.now,
            clock=journal.seconds,
            debug=debug,
            resolve=journal.resolve,
            utf8=utf8,
            utf8_advice=' (remove capa="never" for one run)' if client.capa is CapaUse.NEVER else "",
        )
        sink = self._rejected
        if sink is None:
            return context
        disk = services.disks.of(sink.key, sink.key)
        lane = services.committer.lane(sink)
        rejected = replace(context, eol=sink.eol, open=self._opener(sink), lane=lane, disk=disk)
        return replace(context, rejected=rejected)

    def _opener(self, sink: FileSink | RemoteSink) -> Callable[[], AnyDraft]:
        """Return the function that makes the drafts of a sink."""
        next_id, now = self._services.journal.next_id, self._context.clock.now
        if isinstance(sink, RemoteSink):
            return lambda: sink.open(next_id())
        return lambda: sink.open(next_id(), now())

    async def open_maildrop(self) -> int:
        """Return the maildrop's number in the journal, after recovering deliveries that were interrupted.

        Call ask() next. Raises JournalError, and DeliveryFailed if a message may have been delivered into a folder and
        this cannot be checked.
        """
        services, server = self._services, self._client.server
        for recovered in await services.recovery.recover():
            self._warn(recovery_text(recovered))
        key = Maildrop.of(server.host, server.port, server.account, self._sink.key)
        if elsewhere := await services.journal.run(lambda journal: journal.kept_elsewhere(key)):
            self._warn(_moved(*elsewhere[0], self._client.id))
        maildrop, recoveries = await services.recovery.open_maildrop(key)
        for recovered in recoveries:
            self._warn(recovery_text(recovered))
            if recovered.error is not None:  # it may have been delivered; retrieving it now could deliver it twice
                raise recovered.error
        if not isinstance(self._sink, RemoteSink):
            await self._clean(self._sink, self._disk)
        if (rejected := self._rejected) is not None:
            await self._clean(rejected, services.disks.of(rejected.key, rejected.key))
        return maildrop

    async def ask(self, maildrop: int) -> None:
        """Ask a server for the messages of which it is not known whether they have arrived. Raises JournalError."""
        if not isinstance(self._sink, SearchableSink):
            return
        self.unanswered = None
        self._in_doubt.clear()
        for recovered in await self._services.recovery.ask(maildrop, self._sink.find):
            self._warn(recovery_text(recovered))
            if recovered.error is not None:
                self.unanswered = self.unanswered or recovered.error
                self._in_doubt.add(recovered.record.identity.searchable or "")

    async def _clean(self, sink: FileSink, disk: BlockingWorker) -> None:
        """Remove unfinished files of an earlier process, once per sink and process. Raises JournalError."""
        services = self._services
        if sink.key in services.cleaned:
            return
        services.cleaned.add(sink.key)
        try:
            known = await services.journal.run(_unfinished_files)
        except BaseException:
            services.cleaned.discard(sink.key)
            raise
        try:
            await disk.run(sink.clean_orphans, known)
        except DeliveryFailed as problem:  # not essential; a sink that cannot be used fails later
            self._warn(str(problem))

    async def make_ready(self, octets: int) -> None:
        """Check that a message of this size can be stored. Raises DeliveryFailed, PasswordUnavailable."""
        if isinstance(self._sink, RemoteSink):
            await self._sink.prepare(octets)
        else:
            await self._disk.run(self._sink.make_ready, octets)

    async def close(self) -> None:
        """Close what the sink has opened, such as a connection to an SMTP server."""
        if isinstance(self._sink, RemoteSink):
            await self._sink.close()

    # --- called by sinks ----------------------------------------------------------------------------------------------

    def _publish_dialogue(self, direction: Direction, texts: Iterable[str]) -> None:
        if self._context.bus.wants_dialogue:
            said = [(direction, text) for text in texts]
            self._context.bus.publish_dialogue(Dialogue(self._session, self._context.clock.now(), said))


def _moved(earlier: Maildrop, count: int, client: str) -> str:
    """Return the warning that a new maildrop may be an earlier one at another address."""
    where = f"{earlier.host} port 110 or 995" if earlier.port == POP3_PORT else with_port(earlier.host, earlier.port)
    return (
        f"the journal has no mail at this address, but {plural(count, 'message')} of the same user and destination at"
        f" {where}: what of it is still on the server is retrieved again. To prevent it, end the program, and run"
        f' "tui-popretr mark-seen CONFIG --client {client}" before the next run (for newonly="Y"; it marks all mail'
        " that is there)"
    )


def _unfinished_files(journal: Journal) -> list[str]:
    return [record.tmp for _, record in journal.delivering() if record.tmp is not None]


def _protocol(client: ClientSettings) -> str:
    """Return the protocol for the Received header."""
    if isinstance(client.destination, SmtpDestination):
        return "POP-to-SMTP"
    return "POP3" if client.server.tls is None else "POP3S"
