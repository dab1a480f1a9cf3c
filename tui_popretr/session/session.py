"""A session: from connecting to QUIT's +OK, with a reconnection where a message broke the connection.

After a connection breaks, the session connects again, RECONNECTIONS times at most. Each message that was cut short and
thereby broke the connection allows one more, because the journal knows such a message from then on. Deletions that
failed in an earlier session get separate connections at the end.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import trio

from tui_popretr import faultpoints
from tui_popretr.bus import Bus
from tui_popretr.clock import Clock
from tui_popretr.commit.accepted import AcceptedRecipients
from tui_popretr.commit.pending import PendingDelivery
from tui_popretr.config.choices import CapaUse
from tui_popretr.config.model import ClientSettings, Paths, SmtpDestination
from tui_popretr.errors import (
    CommandRefused,
    ConnectionCut,
    DeliveryFailed,
    JournalError,
    MessageRefused,
    PasswordUnavailable,
    PopretrError,
    ProtocolViolation,
    ServerStalled,
    SessionStopped,
    out_of_threads,
)
from tui_popretr.facts import (
    Fact,
    Level,
    MaildropListed,
    MessageDelivered,
    MessagesDeleted,
    MessageSkipped,
    Noted,
    RetrievalProgressed,
    SessionAdvanced,
    SessionClosed,
    SessionId,
    SessionResult,
    SessionStarted,
    Stage,
)
from tui_popretr.faultpoints import Step
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Doubt, MaildropClock, deletion_key
from tui_popretr.logs.audit import audit_text
from tui_popretr.logs.lines import message
from tui_popretr.mail.received import received_header
from tui_popretr.pop3 import (
    Capabilities,
    Quit,
)
from tui_popretr.session.capa import CapaMemory
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.counters import SessionCounters
from tui_popretr.session.failures import Failures
from tui_popretr.session.incoming import DeliveryContext
from tui_popretr.session.opening import AFTER_LOGIN, Opening
from tui_popretr.session.pipelining import RECONNECT_UNPIPELINED, Pipelining, broke_by_pipelining
from tui_popretr.session.plan import Fetch, Listed, Plan, Policy, Verify, make_plan
from tui_popretr.session.retrieval import Observer, Retrieval, Suspect
from tui_popretr.session.services import ConnectionServices
from tui_popretr.session.setup import ConnectionSetup, Connector
from tui_popretr.session.storage import DeliveryServices, Storage, recover_journal
from tui_popretr.text import visible
from tui_popretr.wording import plural

#: How often a session connects again after its connection broke.
RECONNECTIONS = 1
#: How many deletions that failed before are tried in one session, each in a separate connection.
MAX_SEPARATE_DELETIONS = 3
#: So many messages that failed are told one by one; the result has their number.
MAX_REPORTS = 100
#: Seconds for QUIT's answer, and for the journal's note of what failed, when the session was told to end.
QUIT_TIMEOUT = 1.0
#: What is said where a message broke the connection.
RECONNECT_AFTER_MESSAGE = "connecting once more to go on after it"
#: What is said where CAPA after the login broke the connection.
RECONNECT_WITHOUT_CAPA = "connecting once more, without CAPA after the login"


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What all sessions of a process share."""

    bus: Bus
    clock: Clock
    services: DeliveryServices
    connect: Connector
    paths: Paths
    timeout: float
    withheld: frozenset[str]  # environment variables that commands do not get
    connections: ConnectionServices = field(default_factory=ConnectionServices)


class _ConnectionBrokeError(Exception):
    """The connection broke while the maildrop was being listed, or while messages were coming.

    `broke_by_pipelining`: several commands were in flight, which may be the cause. `listing`: during the listing.
    `cut_short`: the message that the server ended too early, so that the rest of it broke the connection.
    `at_capa`: at CAPA after the login, for which the next connection does not ask.
    """

    def __init__(
        self,
        problem: PopretrError,
        suspect: Suspect | None = None,
        *,
        broke_by_pipelining: bool,
        listing: bool = False,
        at_capa: bool = False,
        cut_short: Listed | None = None,
    ) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.suspect = suspect
        self.broke_by_pipelining = broke_by_pipelining
        self.listing = listing
        self.at_capa = at_capa
        self.cut_short = cut_short


class Session(Observer):
    """One run of one client. run() never raises but for cancellation; what went wrong is in its result."""

    def __init__(self, client: ClientSettings, run: int, context: SessionContext) -> None:
        self.id = SessionId(client.id, run)
        self._client = client
        self._context = context
        self._publish: Callable[[Fact], None] = context.bus.publish
        self._setup = ConnectionSetup(
            self.id, client, context.bus, context.clock, context.connect, context.timeout, context.connections
        )
        self._counters = SessionCounters()
        self._failures = Failures(context.services.keeper, context.clock)
        self._reconnections = RECONNECTIONS
        self._cut_short: set[str] = set()  # trouble keys of messages that broke a connection by being cut short
        self._reported: set[str] = set()  # trouble keys of messages that were already reported to stay
        self._deletions_last = False  # a DELE has broken a connection
        self._separate_deletions: list[Verify] = []
        self._preparing = trio.CancelScope()  # until there is something to retrieve
        self._quitting = trio.CancelScope()  # while QUIT's answer is awaited
        self._retrieval: Retrieval | None = None
        self._stopping = False
        self._abandoned: PopretrError | None = None
        self._destination_error: PopretrError | None = None
        self._accepted = AcceptedRecipients()
        services = context.services
        self._capa = CapaMemory(services.capa_histories, services.keeper, context.clock)
        self._pipelining = Pipelining(client.server, services.pipelining_history, services.keeper, context.clock)
        self._clock: MaildropClock | None = None  # None before the first listing
        self._listed: list[str] | None = None  # the UIDs of a complete listing
        self._policy = Policy()  # until the login
        #: Whether the login succeeded.
        self.logged_in = False
        #: Whether the login was refused with a text that means a temporary failure, without a RESP-CODE.
        self.judged_by_text = False
        #: LOGIN-DELAY of the server in seconds, a floor for the next run (RFC 2449 §6.5); None: not learned.
        self.login_delay: int | None = None

    def stop(self) -> None:
        """End soon: drain, commit, DELE, QUIT; before anything is in flight just leave."""
        self._stopping = True
        self._preparing.cancel()
        self._quitting.deadline = trio.current_time() + QUIT_TIMEOUT
        self._failures.hurry(QUIT_TIMEOUT)
        if self._retrieval is not None:
            self._retrieval.stop()

    def abandon(self, problem: PopretrError) -> None:
        """Give up the connection at once, because of `problem`; what was delivered is known to the journal."""
        self._abandoned = problem
        self._preparing.cancel()
        self._quitting.cancel()
        if self._retrieval is not None:
            self._retrieval.abandon(problem)

    async def run(self) -> SessionResult:
        """Run the session and return how it went."""
        clock = self._context.clock
        started = clock.now()
        self._publish(SessionStarted(self.id, started))
        problem: PopretrError | None = None
        try:
            await recover_journal(self._context.services, self._warn)
            self._storage = self._open_storage()
            try:
                await self._run_connections()
            finally:
                await self._storage.close()
        except PopretrError as error:
            problem = error
            if self.logged_in and isinstance(error, ProtocolViolation) and error.advice == error.default_advice:
                error.advice = AFTER_LOGIN
            self.judged_by_text = error.judged_by_text
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end the other clients
            problem = out_of_threads(error)
            if problem is None:
                problem = PopretrError(f"internal error: {type(error).__name__}: {error}", advice="please report this")
                self._note(Level.ERROR, "".join(traceback.format_exception(error)))
        result = self._counters.result(problem, started, clock.now())
        self._publish(SessionClosed(self.id, result))
        return result

    # --- connections --------------------------------------------------------------------------------------------------

    def _open_storage(self) -> Storage:
        context = self._context
        return Storage(
            self._client,
            self.id,
            context.services,
            context.bus,
            context.clock,
            context.paths,
            context.withheld,
            self._warn,
        )

    async def _run_connections(self) -> None:
        while True:
            maildrop = await self._storage.open_maildrop()
            try:
                await self._run_connection(maildrop)
            except _ConnectionBrokeError as broken:
                if self._abandoned is not None or self._stopping:
                    raise broken.problem from broken
                self._warn(f"{broken.problem}; {await self._after_break(maildrop, broken)}")
            else:
                break
        if (conclusion := await self._pipelining.record_outcome()) is not None:
            self._warn(conclusion)
        # A server with LOGIN-DELAY gets no further logins in this run: a later run without mail deletes.
        for check in [] if self.login_delay else self._separate_deletions[:MAX_SEPARATE_DELETIONS]:
            if not await self._delete_apart(check):
                break

    async def _after_break(self, maildrop: int, broken: _ConnectionBrokeError) -> str:
        """Find the cause; return a text on what is done now. Raises the error if there is nothing left to do."""
        reason = RECONNECT_AFTER_MESSAGE
        if broken.at_capa:
            reason = RECONNECT_WITHOUT_CAPA
        elif broken.cut_short is not None:
            key = broken.cut_short.failure_key
            self._reconnections += key not in self._cut_short
            self._cut_short.add(key)
            if broken.cut_short.uid is None:  # it is recognised only after RETR, which would break the connection again
                self._failures.broke.add(key)
        elif self._is_server_fault(broken):
            self._pipelining.suspect_server(broken.suspect.key if broken.suspect else None, at_first=broken.listing)
            reason = RECONNECT_UNPIPELINED
        elif not await self._count_against(maildrop, broken):
            raise broken.problem from broken
        if not self._reconnections:
            raise broken.problem from broken
        self._reconnections -= 1
        return reason

    async def _delete_apart(self, check: Verify) -> bool:
        """Delete a message whose deletion failed before; return whether to continue with the next."""
        maildrop = await self._storage.open_maildrop()
        try:
            await self._run_connection(maildrop, only=check)
        except (_ConnectionBrokeError, PopretrError) as error:
            problem = error.problem if isinstance(error, _ConnectionBrokeError) else error
            if self._abandoned is not None or self._stopping or isinstance(problem, JournalError):
                raise problem from error
            self._warn(f"deleting {message(check.listed.number, check.listed.uid)} failed: {problem}")
            if not (isinstance(error, _ConnectionBrokeError) and await self._count_against(maildrop, error)):
                self._counters.fail_deletion(problem)
            return False
        return True

    def _is_server_fault(self, broken: _ConnectionBrokeError) -> bool:
        """Whether the server may have stumbled over PIPELINING: then no message is blamed that was not asked for alone.

        What has failed before is not excused, so that it cannot go on like that for ever.
        """
        suspect = broken.suspect
        return broken.broke_by_pipelining and (suspect is None or suspect.key not in self._failures.known)

    async def _count_against(self, maildrop: int, broken: _ConnectionBrokeError) -> bool:
        """Count the failure against the message that broke the connection; return whether there was one."""
        suspect, problem = broken.suspect, broken.problem
        if suspect is None:
            return False
        self._failures.broke.add(suspect.key)
        self._deletions_last |= suspect.deletion
        if suspect.deletion:
            self._counters.fail_deletion(problem)
            self._failures.add(suspect.key, suspect.listed.size, str(problem))
            self._skipped(suspect.listed, f"it was delivered; deleting it failed: {problem}", failure=True)
        else:
            self.failed(suspect.listed, problem, count=True)
        await self._failures.count(maildrop)
        return True

    async def _run_connection(self, maildrop: int, only: Verify | None = None) -> None:
        """Make one connection and do its work; with `only`, just this deletion."""
        opening = Opening(self._setup, self._capa, self._pipelining)
        try:
            self._preparing = trio.CancelScope()
            if self._stopping or self._abandoned is not None:  # asked for before there was a connection
                self._preparing.cancel()
            with self._preparing:
                self._retrieval = await self._prepare(opening, maildrop, only)
            connection = opening.connection
            if connection is None or self._retrieval is None:
                if self._abandoned is not None:
                    raise self._abandoned
                await self._leave(connection)
                raise SessionStopped("stopped before anything was retrieved")
            if self._abandoned is not None:  # asked for when the last step before retrieving was just done
                self._retrieval.abandon(self._abandoned)
            if self._stopping:
                self._retrieval.stop()
            await self._retrieve(self._retrieval, maildrop)
        finally:
            self._retrieval = None
            opening.close()

    async def _leave(self, connection: Pop3Connection | None) -> None:
        """Say QUIT if the server is waiting for a command; nobody minds if that fails."""
        if connection is not None and connection.machine.idle:
            with trio.move_on_after(QUIT_TIMEOUT), contextlib.suppress(PopretrError):
                await connection.call(Quit())

    # --- before retrieving --------------------------------------------------------------------------------------------

    async def _prepare(self, opening: Opening, maildrop: int, only: Verify | None) -> Retrieval:
        """Log in, list, plan."""
        connection = await self._log_in(opening)
        if opening.capabilities is not None:
            self._apply_server_limits(opening.capabilities)
        self._set_policy(opening.no_deletion_reason)
        self._publish(SessionAdvanced(self.id, Stage.LISTING))
        try:
            listing, octets = await self._setup.listing(
                connection, opening.capabilities, pipelining=opening.pipelined, counted=opening.counted
            )
        except (ConnectionCut, ServerStalled, ProtocolViolation) as problem:
            at_capa = opening.broke_at_second_capa
            raise _ConnectionBrokeError(
                problem, broke_by_pipelining=broke_by_pipelining(connection), listing=True, at_capa=at_capa
            ) from problem
        plan = await self._plan(maildrop, listing)
        if only is None:
            self._separate_deletions = plan.separate_deletions
            await self._check_destination(plan)
            self._publish_plan(plan, listing, octets)
        else:
            plan = plan.only(only)
        return Retrieval(
            connection,
            plan,
            self._delivery(connection, maildrop, utf8=opening.utf8),
            self,
            pipelining=opening.pipelined,
            deletions_last=self._deletions_last,
        )

    def _publish_plan(self, plan: Plan, listing: list[Listed], octets: int) -> None:
        self._publish(
            MaildropListed(
                self.id,
                messages=len(listing),
                octets=octets,
                to_retrieve=len(plan.fetches),
                to_retrieve_octets=sum(each.listed.size for each in plan.fetches),
                to_skip=len(plan.skips) + plan.unretrieved,
                to_delete=len(plan.work) - len(plan.fetches),
            )
        )
        self._counters.skipped = sum(not (skip.failure or skip.kept) for skip in plan.skips)
        self._counters.kept = sum(skip.kept for skip in plan.skips)
        for skip in plan.skips:
            if skip.silent or skip.listed.failure_key in self._reported:
                continue
            self._reported.add(skip.listed.failure_key)
            if skip.deletion:
                self._counters.fail_deletion(MessageRefused(skip.reason))
            elif skip.failure:
                self._counters.fail(MessageRefused(skip.reason))
            self._skipped(skip.listed, skip.reason, failure=skip.failure)

    async def _log_in(self, opening: Opening) -> Pop3Connection:
        try:
            connection = await opening.enter()
        except PopretrError as problem:
            if not (opening.broke_by_pipelining or opening.broke_at_second_capa):
                raise
            raise _ConnectionBrokeError(
                problem,
                broke_by_pipelining=opening.broke_by_pipelining,
                listing=True,
                at_capa=opening.broke_at_second_capa,
            ) from problem
        self.logged_in = True
        return connection

    def _set_policy(self, no_deletion_reason: str) -> None:
        """Set the policy from the client's settings; with a reason to doubt the messages, nothing is deleted."""
        self._policy = Policy.of(self._client.retention, keep_all=bool(no_deletion_reason))
        if no_deletion_reason:
            self._warn(f"nothing is deleted in this session: {no_deletion_reason}")

    async def _check_destination(self, plan: Plan) -> None:
        """Ask for nothing that cannot be stored: where that is plain beforehand, only deletions are left to do."""
        if plan.fetches:
            octets = min(each.listed.size for each in plan.fetches)
            try:
                await self._storage.make_ready(octets)
            except (DeliveryFailed, PasswordUnavailable) as problem:
                too_large = isinstance(problem, DeliveryFailed) and problem.refused_for_good
                if too_large and self._storage.saves_rejected:
                    plan.work = list(filter(None, (self._save_too_large(each, problem) for each in plan.work)))
                else:
                    self._destination_error = problem
                    plan.work = [each for each in plan.work if not isinstance(each, Fetch)]

    def _save_too_large(self, job: Fetch | Verify, problem: PopretrError) -> Fetch | Verify | None:
        """Return the job for a message that is too large for the destination: to save it, or None."""
        if isinstance(job, Verify):
            return job
        saving = job.to_save(str(problem))
        if saving is None:
            self.failed(job.listed, problem, count=True, rejected=True)
        return saving

    def _apply_server_limits(self, capabilities: Capabilities) -> None:
        """Draw conclusions from what the server says of its own rules (RFC 2449 §6.5, §6.7)."""
        self.login_delay = capabilities.login_delay or 0
        if capabilities.expire == 0 and self._client.retention.preserve:
            self._note(Level.WARNING, "the server says EXPIRE 0: it deletes what was retrieved, in spite of preserve")

    async def _plan(self, maildrop: int, listing: list[Listed]) -> Plan:
        if not listing:
            self._listed = []
            return Plan()
        keeper, policy, now = self._context.services.keeper, self._policy, self._now()
        uids = [each.uid for each in listing if each.uid is not None]
        clock = self._context.clock
        before, records, troubles, acceptances = await keeper.run(
            lambda journal: (
                journal.maildrop_clock(maildrop),
                journal.records(maildrop, deleted=False) + journal.deleted(maildrop, uids),
                journal.troubles(maildrop),
                journal.acceptances(maildrop),
            )
        )
        skipped = frozenset(self._failures.broke | self._failures.rejected)
        self._clock = after = before.advanced(clock.boot(), clock.boottime(), now)
        if before.boot not in ("", after.boot):  # a session that is cut must not hide the clock of its messages
            await keeper.run(lambda journal: journal.set_maildrop_clock(maildrop, after))
        plan = make_plan(listing, records, troubles, policy, now, self._clock.seconds, skipped, self._pipelining.last)
        self._failures.known = troubles.keys()
        self._accepted = AcceptedRecipients(acceptances)
        if plan.to_mark_for_deletion:
            await keeper.run(lambda journal: journal.mark_delete_pending(plan.to_mark_for_deletion))
        self._listed = uids if len(uids) == len(listing) else None
        return plan

    # --- retrieving ---------------------------------------------------------------------------------------------------

    def _delivery(self, connection: Pop3Connection, maildrop: int, *, utf8: bool) -> DeliveryContext:
        client, server, paths = self._client, self._client.server, self._context.paths
        protocol = "POP3" if server.tls is None else "POP3S"
        if isinstance(client.destination, SmtpDestination):
            protocol = "POP-to-SMTP"

        def received() -> bytes:
            if client.omit_received:
                return b""
            return received_header(
                server.host,
                connection.stream.remote_ip,
                paths.announce_host,
                paths.product_name,
                protocol,
                client.recip,
                self._context.clock.now(),
            )

        def audit(destination: str, message_id: str | None, octets: int, sender: str | None) -> str:
            user = server.username
            return audit_text(server.address, server.tls is not None, user, destination, message_id, octets, sender)

        async def resolve(record: int, doubt: Doubt) -> None:
            keeper = self._context.services.keeper
            mark = Journal.keep if doubt is Doubt.SHORT else Journal.mark_delete_pending
            await keeper.run(lambda journal: mark(journal, [record]))

        delivery = DeliveryContext(
            maildrop=maildrop,
            sink=self._storage.sink,
            lane=self._storage.lane,
            disk=self._storage.disk,
            receive_budget=self._context.services.receive_budget,
            accepted=self._accepted,
            next_id=self._context.services.keeper.journal.next_id,
            received=received,
            audit=audit,
            policy=self._policy,
            now=self._context.clock.now,
            clock=self._clock.seconds if self._clock is not None else 0.0,
            debug=lambda text: self._note(Level.DEBUG, text),
            resolve=resolve,
            utf8=utf8,
            utf8_advice=' (remove capa="never" for one run)' if client.capa is CapaUse.NEVER else "",
        )
        return replace(delivery, rejected=self._storage.for_rejected(delivery))

    async def _retrieve(self, retrieval: Retrieval, maildrop: int) -> None:
        self._publish(SessionAdvanced(self.id, Stage.RETRIEVING))
        try:
            at_rest = await retrieval.run()
        except PopretrError as problem:
            raise _ConnectionBrokeError(
                problem,
                retrieval.suspect,
                broke_by_pipelining=retrieval.broke_by_pipelining,
                cut_short=retrieval.cut_short,
            ) from problem
        finally:
            if not self._counters.messages:  # all were refused; refusals for good count if such messages are saved
                self._failures.forgive(but_rejected=self._storage.saves_rejected)
            await self._failures.count(maildrop)
        self._warn_of_undeleted(retrieval)
        if at_rest:
            await self._quit(retrieval, maildrop)
        if self._destination_error is not None:
            raise self._destination_error
        if isinstance(retrieval.gave_up, JournalError):  # others are told with their count
            raise retrieval.gave_up
        if self._stopping:
            raise SessionStopped("stopped") if at_rest else self._stopped_early()

    def _warn_of_undeleted(self, retrieval: Retrieval) -> None:
        """Say of which messages the server has not deleted what it should have."""
        if retrieval.refused_deletions:
            count, reason = len(retrieval.refused_deletions), retrieval.refused_deletions[0]
            self._note(
                Level.WARNING,
                f"the server refused to delete {plural(count, 'message')} ({reason}): the next run asks it again",
            )
        if retrieval.reappeared:
            self._note(
                Level.WARNING,
                f"the server lists {plural(retrieval.reappeared, 'message')} that it said it had deleted: not retrieved"
                ' again, and deleted once more. If this is said at every run use preserve="Y" newonly="Y"',
            )

    def _stopped_early(self) -> SessionStopped:
        owes = self._counters.messages and not self._policy.preserve
        return SessionStopped("stopped; deletions on the server are owed" if owes else "stopped")

    async def _quit(self, retrieval: Retrieval, maildrop: int) -> None:
        self._publish(SessionAdvanced(self.id, Stage.CLOSING))
        reply = None
        with trio.CancelScope() as self._quitting:
            if self._stopping:
                self._quitting.deadline = trio.current_time() + QUIT_TIMEOUT
            reply = await retrieval.quit()
        if reply is None:
            raise self._abandoned or self._stopped_early()
        faultpoints.reached(Step.QUIT_ANSWERED)
        if not reply.ok:
            raise CommandRefused(
                f"the server answered QUIT with an error: {visible(reply.text, 200)}",
                advice="deletions may not have happened; they are made up for at the next run",
            )
        now, listed, deleted = int(self._now()), self._listed, list(retrieval.deleted)
        known = self._failures.known
        keys = (deletion_key(each.failure_key) for each in retrieval.deleted.values()) if known else ()
        overcome = [key for key in keys if key in known]
        suspended = self._policy.suspended
        keep = self._policy.new_only or self._policy.delete_after is not None or suspended

        def close(journal: Journal) -> None:
            journal.close_session(
                maildrop,
                deleted=deleted,
                listed=listed,
                now=now,
                keep_unnamed=keep,
                settle=not suspended,
                clock=self._clock,
            )
            journal.clear_troubles(maildrop, overcome)

        await self._context.services.keeper.run(close)
        faultpoints.reached(Step.DELETED)
        self._counters.deleted += len(deleted)
        if deleted:
            self._publish(MessagesDeleted(self.id, len(deleted)))

    # --- what a retrieval tells ---------------------------------------------------------------------------------------

    def delivered(self, listed: Listed, pending: PendingDelivery, octets: int, sender: str | None) -> None:
        self._counters.deliver(octets)
        record = pending.record
        if listed.uid is None:  # with a UID the journal does it itself
            self._failures.overcome(listed.failure_key)
        self._publish(
            MessageDelivered(
                self.id,
                at=self._context.clock.now(),
                number=listed.number,
                uid=listed.uid,
                octets=octets,
                destination=pending.draft.description(),
                path=record.final,
                message_id=record.identity.message_id,
                sender=sender,
            )
        )
        if record.doubt is Doubt.SHORT:
            self.kept()
            of_all = f" of its {listed.size}" if octets < listed.size else ""
            self._warn(
                f"{message(listed.number, listed.uid)} was cut short by the server: {octets}{of_all}"
                " octets arrived and were delivered. The message stays on the server and is not retrieved again"
            )

    def saved(self, listed: Listed, refusal: str, path: str | None) -> None:
        which = message(listed.number, listed.uid, listed.size)
        self._warn(f"{which} is refused for good ({refusal}): it is saved as {path}")

    def failed(
        self, listed: Listed, problem: PopretrError, *, count: bool, rejected: bool = False, report: bool = True
    ) -> None:
        self._counters.fail(problem)
        report = report and self._counters.failed <= MAX_REPORTS
        if rejected:
            self._failures.rejected.add(listed.failure_key)
        if count:
            self._failures.add(listed.failure_key, listed.size, str(problem), rejected=rejected)
        if report:
            self._skipped(listed, str(problem), failure=True)

    def left(self, listed: Listed, reason: str) -> None:
        self._counters.skipped += 1
        self._skipped(listed, reason, failure=False)

    def kept(self) -> None:
        self._counters.kept += 1

    def progressed(self, messages: int, octets: int) -> None:
        self._publish(RetrievalProgressed(self.id, messages, octets))

    def _skipped(self, listed: Listed, reason: str, *, failure: bool) -> None:
        self._publish(MessageSkipped(self.id, listed.number, listed.uid, listed.size, reason, failure))

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._context.clock.now().timestamp()

    def _warn(self, text: str) -> None:
        self._note(Level.WARNING, text)

    def _note(self, level: Level, text: str) -> None:
        self._publish(Noted(self._context.clock.now(), level, self._client.id, text))
