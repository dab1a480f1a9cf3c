"""A session: from connecting to QUIT's +OK, with a reconnection where a message broke the connection.

After a connection breaks, the session connects again, RECONNECTIONS times at most. Each message that was cut short and
thereby broke the connection allows one more, because the journal knows such a message from then on. Deletions that
failed in an earlier session get separate connections at the end.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

import trio

from tui_popretr import faultpoints
from tui_popretr.bus import Bus
from tui_popretr.clock import Clock
from tui_popretr.commit.accepted import AcceptedRecipients
from tui_popretr.commit.pending import PendingDelivery
from tui_popretr.config.model import CapaUse, ClientSettings, Paths, SmtpDestination
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
from tui_popretr.session.pipelining import ONE_BY_ONE, Pipelining, broke_by_pipelining
from tui_popretr.session.plan import Fetch, Listed, Plan, Policy, Verify, make_plan
from tui_popretr.session.retrieval import Observer, Retrieval, Suspect
from tui_popretr.session.setup import ConnectionSetup, Connector
from tui_popretr.session.storage import DeliveryServices, Storage, recover_journal
from tui_popretr.text import visible

#: How often a session connects again after its connection broke.
RECONNECTIONS = 1
#: How many deletions that failed before are tried in one session, each in a separate connection.
APART = 3
#: So many messages that failed are told one by one; the result has their number.
TOLD = 100
#: Seconds for QUIT's answer, and for the journal's note of what failed, when the session was told to end.
QUIT_TIMEOUT = 1.0
#: What is said where a message broke the connection.
GO_ON = "connecting once more to go on after it"
#: What is said where CAPA after the login broke the connection.
NO_CAPA = "connecting once more, without CAPA after the login"


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What all sessions of a process share."""

    bus: Bus
    clock: Clock
    stores: DeliveryServices
    connect: Connector
    paths: Paths
    timeout: float
    withheld: frozenset[str]  # environment variables that commands do not get


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

    def __init__(self, client: ClientSettings, run: int, around: SessionContext) -> None:
        self.id = SessionId(client.id, run)
        self._client = client
        self._around = around
        self._publish: Callable[[Fact], None] = around.bus.publish
        self._entry = ConnectionSetup(self.id, client, around.bus, around.clock, around.connect, around.timeout)
        self._tally = SessionCounters()
        self._failures = Failures(around.stores.keeper, around.clock)
        self._reconnections = RECONNECTIONS
        self._cut_short: set[str] = set()  # trouble keys of messages that broke a connection by being cut short
        self._named: set[str] = set()  # trouble keys of messages that were already reported to stay
        self._deletions_last = False  # a DELE has broken a connection
        self._apart: list[Verify] = []
        self._early = trio.CancelScope()  # until there is something to retrieve
        self._farewell = trio.CancelScope()  # while QUIT's answer is awaited
        self._retrieval: Retrieval | None = None
        self._stopping = False
        self._abandoned: PopretrError | None = None
        self._no_place: PopretrError | None = None
        self._accepted = AcceptedRecipients()
        stores = around.stores
        self._capa = CapaMemory(stores.answers, stores.keeper, around.clock)
        self._pipelining = Pipelining(client.server, stores.experience, stores.keeper, around.clock)
        self._clock: MaildropClock | None = None  # None before the first listing
        self._listed: list[str] | None = None  # the UIDs of a complete listing
        self._policy = Policy()  # until the login
        #: Whether the login succeeded.
        self.logged_in = False
        #: Whether the login was refused with a text that means a temporary failure, without a RESP-CODE.
        self.by_words = False
        #: LOGIN-DELAY of the server in seconds, a floor for the next run (RFC 2449 §6.5); None: not learned.
        self.login_delay: int | None = None

    def stop(self) -> None:
        """End soon: drain, commit, DELE, QUIT; before anything is in flight just leave."""
        self._stopping = True
        self._early.cancel()
        self._farewell.deadline = trio.current_time() + QUIT_TIMEOUT
        self._failures.hurry(QUIT_TIMEOUT)
        if self._retrieval is not None:
            self._retrieval.stop()

    def abandon(self, problem: PopretrError) -> None:
        """Give up the connection at once, because of `problem`; what was delivered is known to the journal."""
        self._abandoned = problem
        self._early.cancel()
        self._farewell.cancel()
        if self._retrieval is not None:
            self._retrieval.abandon(problem)

    async def run(self) -> SessionResult:
        """Run the session and return how it went."""
        clock = self._around.clock
        started = clock.now()
        self._publish(SessionStarted(self.id, started))
        problem: PopretrError | None = None
        try:
            await recover_journal(self._around.stores, self._warn)
            self._storage = self._open_storage()
            try:
                await self._connections()
            finally:
                await self._storage.close()
        except PopretrError as error:
            problem = error
            if self.logged_in and isinstance(error, ProtocolViolation) and error.advice == error.default_advice:
                error.advice = AFTER_LOGIN
            self.by_words = error.by_words
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end the other clients
            problem = out_of_threads(error)
            if problem is None:
                problem = PopretrError(f"internal error: {type(error).__name__}: {error}", advice="please report this")
                self._note(Level.ERROR, "".join(traceback.format_exception(error)))
        result = self._tally.result(problem, started, clock.now())
        self._publish(SessionClosed(self.id, result))
        return result

    # --- connections --------------------------------------------------------------------------------------------------

    def _open_storage(self) -> Storage:
        around = self._around
        return Storage(
            self._client, self.id, around.stores, around.bus, around.clock, around.paths, around.withheld, self._warn
        )

    async def _connections(self) -> None:
        while True:
            maildrop = await self._storage.open_maildrop()
            try:
                await self._connection(maildrop)
            except _ConnectionBrokeError as broken:
                if self._abandoned is not None or self._stopping:
                    raise broken.problem from broken
                self._warn(f"{broken.problem}; {await self._after_break(maildrop, broken)}")
            else:
                break
        if (conclusion := await self._pipelining.conclude()) is not None:
            self._warn(conclusion)
        # A server with LOGIN-DELAY gets no further logins in this run: a later run without mail deletes.
        for check in [] if self.login_delay else self._apart[:APART]:
            if not await self._delete_apart(check):
                break

    async def _after_break(self, maildrop: int, broken: _ConnectionBrokeError) -> str:
        """Find the cause; return a text on what is done now. Raises the error if there is nothing left to do."""
        words = GO_ON
        if broken.at_capa:
            words = NO_CAPA
        elif broken.cut_short is not None:
            key = broken.cut_short.trouble_key
            self._reconnections += key not in self._cut_short
            self._cut_short.add(key)
            if broken.cut_short.uid is None:  # it is recognised only after RETR, which would break the connection again
                self._failures.broke.add(key)
        elif self._is_server_fault(broken):
            self._pipelining.doubt(broken.suspect.key if broken.suspect else None, at_first=broken.listing)
            words = ONE_BY_ONE
        elif not await self._count_against(maildrop, broken):
            raise broken.problem from broken
        if not self._reconnections:
            raise broken.problem from broken
        self._reconnections -= 1
        return words

    async def _delete_apart(self, check: Verify) -> bool:
        """Delete a message whose deletion failed before; return whether to continue with the next."""
        maildrop = await self._storage.open_maildrop()
        try:
            await self._connection(maildrop, only=check)
        except (_ConnectionBrokeError, PopretrError) as error:
            problem = error.problem if isinstance(error, _ConnectionBrokeError) else error
            if self._abandoned is not None or self._stopping or isinstance(problem, JournalError):
                raise problem from error
            self._warn(f"deleting {message(check.listed.number, check.listed.uid)} failed: {problem}")
            if not (isinstance(error, _ConnectionBrokeError) and await self._count_against(maildrop, error)):
                self._tally.fail_deletion(problem)
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
            self._tally.fail_deletion(problem)
            self._failures.add(suspect.key, suspect.listed.size, str(problem))
            self._skipped(suspect.listed, f"it was delivered; deleting it failed: {problem}", failure=True)
        else:
            self.failed(suspect.listed, problem, count=True)
        await self._failures.count(maildrop)
        return True

    async def _connection(self, maildrop: int, only: Verify | None = None) -> None:
        """Make one connection and do its work; with `only`, just this deletion."""
        opening = Opening(self._entry, self._capa, self._pipelining)
        try:
            self._early = trio.CancelScope()
            if self._stopping or self._abandoned is not None:  # asked for before there was a connection
                self._early.cancel()
            with self._early:
                self._retrieval = await self._prepare(opening, maildrop, only)
            wire = opening.wire
            if wire is None or self._retrieval is None:
                if self._abandoned is not None:
                    raise self._abandoned
                await self._leave(wire)
                raise SessionStopped("stopped before anything was retrieved")
            if self._abandoned is not None:  # asked for when the last step before retrieving was just done
                self._retrieval.abandon(self._abandoned)
            if self._stopping:
                self._retrieval.stop()
            await self._retrieve(self._retrieval, maildrop)
        finally:
            self._retrieval = None
            opening.close()

    async def _leave(self, wire: Pop3Connection | None) -> None:
        """Say QUIT if the server is waiting for a command; nobody minds if that fails."""
        if wire is not None and wire.machine.idle:
            with trio.move_on_after(QUIT_TIMEOUT), contextlib.suppress(PopretrError):
                await wire.call(Quit())

    # --- before retrieving --------------------------------------------------------------------------------------------

    async def _prepare(self, opening: Opening, maildrop: int, only: Verify | None) -> Retrieval:
        """Log in, list, plan."""
        wire = await self._log_in(opening)
        if opening.capabilities is not None:
            self._apply_capabilities(opening.capabilities)
        self._set_policy(opening.doubtful)
        self._publish(SessionAdvanced(self.id, Stage.LISTING))
        try:
            listing, octets = await self._entry.listing(
                wire, opening.capabilities, pipelining=opening.pipelining, counted=opening.counted
            )
        except (ConnectionCut, ServerStalled, ProtocolViolation) as problem:
            at_capa = opening.broke_later
            raise _ConnectionBrokeError(
                problem, broke_by_pipelining=broke_by_pipelining(wire), listing=True, at_capa=at_capa
            ) from problem
        plan = await self._plan(maildrop, listing)
        if only is None:
            self._apart = plan.apart
            await self._make_ready(plan)
            self._tell_plan(plan, listing, octets)
        else:
            plan = plan.only(only)
        return Retrieval(
            wire,
            plan,
            self._target(wire, maildrop, utf8=opening.utf8),
            self,
            pipelining=opening.pipelining,
            deletions_last=self._deletions_last,
        )

    def _tell_plan(self, plan: Plan, listing: list[Listed], octets: int) -> None:
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
        self._tally.skipped = sum(not (skip.failure or skip.kept) for skip in plan.skips)
        self._tally.kept = sum(skip.kept for skip in plan.skips)
        for skip in plan.skips:
            if skip.silent or skip.listed.trouble_key in self._named:
                continue
            self._named.add(skip.listed.trouble_key)
            if skip.deletion:
                self._tally.fail_deletion(MessageRefused(skip.reason))
            elif skip.failure:
                self._tally.fail(MessageRefused(skip.reason))
            self._skipped(skip.listed, skip.reason, failure=skip.failure)

    async def _log_in(self, opening: Opening) -> Pop3Connection:
        try:
            wire = await opening.enter()
        except PopretrError as problem:
            if not (opening.broke_by_pipelining or opening.broke_later):
                raise
            raise _ConnectionBrokeError(
                problem, broke_by_pipelining=opening.broke_by_pipelining, listing=True, at_capa=opening.broke_later
            ) from problem
        self.logged_in = True
        return wire

    def _set_policy(self, doubtful: str) -> None:
        """Set the policy from the client's settings; with a reason to doubt the messages, nothing is deleted."""
        self._policy = Policy.of(self._client.retention, keep_all=bool(doubtful))
        if doubtful:
            self._warn(f"nothing is deleted in this session: {doubtful}")

    async def _make_ready(self, plan: Plan) -> None:
        """Ask for nothing that cannot be stored: where that is plain beforehand, only deletions are left to do."""
        if plan.fetches:
            octets = min(each.listed.size for each in plan.fetches)
            try:
                await self._storage.make_ready(octets)
            except (DeliveryFailed, PasswordUnavailable) as problem:
                too_large = isinstance(problem, DeliveryFailed) and problem.refused_for_good
                if too_large and self._storage.saves_rejected:
                    plan.work = list(filter(None, (self._too_large(each, problem) for each in plan.work)))
                else:
                    self._no_place = problem
                    plan.work = [each for each in plan.work if not isinstance(each, Fetch)]

    def _too_large(self, job: Fetch | Verify, problem: PopretrError) -> Fetch | Verify | None:
        """Return the job for a message that is too large for the destination: to save it, or None."""
        if isinstance(job, Verify):
            return job
        saving = job.to_save(str(problem))
        if saving is None:
            self.failed(job.listed, problem, count=True, rejected=True)
        return saving

    def _apply_capabilities(self, capabilities: Capabilities) -> None:
        """Draw conclusions from what the server says of its own rules (RFC 2449 §6.5, §6.7)."""
        self.login_delay = capabilities.login_delay or 0
        if capabilities.expire == 0 and self._client.retention.preserve:
            self._note(Level.WARNING, "the server says EXPIRE 0: it deletes what was retrieved, in spite of preserve")

    async def _plan(self, maildrop: int, listing: list[Listed]) -> Plan:
        if not listing:
            self._listed = []
            return Plan()
        keeper, policy, now = self._around.stores.keeper, self._policy, self._now()
        uids = [each.uid for each in listing if each.uid is not None]
        clock = self._around.clock
        before, records, troubles, acceptances = await keeper.run(
            lambda journal: (
                journal.maildrop_clock(maildrop),
                journal.records(maildrop, deleted=False) + journal.deleted(maildrop, uids),
                journal.troubles(maildrop),
                journal.acceptances(maildrop),
            )
        )
        passed_over = frozenset(self._failures.broke | self._failures.rejected)
        self._clock = after = before.advanced(clock.boot(), clock.boottime(), now)
        if before.boot not in ("", after.boot):  # a session that is cut must not hide the clock of its messages
            await keeper.run(lambda journal: journal.set_maildrop_clock(maildrop, after))
        plan = make_plan(
            listing, records, troubles, policy, now, self._clock.seconds, passed_over, self._pipelining.last
        )
        self._failures.known = troubles.keys()
        self._accepted = AcceptedRecipients(acceptances)
        if plan.newly_owed:
            await keeper.run(lambda journal: journal.mark_delete_pending(plan.newly_owed))
        self._listed = uids if len(uids) == len(listing) else None
        return plan

    # --- retrieving ---------------------------------------------------------------------------------------------------

    def _target(self, wire: Pop3Connection, maildrop: int, *, utf8: bool) -> DeliveryContext:
        client, server, paths = self._client, self._client.server, self._around.paths
        protocol = "POP3" if server.tls is None else "POP3S"
        if isinstance(client.destination, SmtpDestination):
            protocol = "POP-to-SMTP"

        def received() -> bytes:
            if client.omit_received:
                return b""
            return received_header(
                server.host,
                wire.stream.remote_ip,
                paths.announce_host,
                paths.product_name,
                protocol,
                client.recip,
                self._around.clock.now(),
            )

        def audit(destination: str, message_id: str | None, octets: int, sender: str | None) -> str:
            user = server.username
            return audit_text(server.address, server.tls is not None, user, destination, message_id, octets, sender)

        async def resolve(record: int, doubt: Doubt) -> None:
            keeper = self._around.stores.keeper
            mark = Journal.keep if doubt is Doubt.SHORT else Journal.mark_delete_pending
            await keeper.run(lambda journal: mark(journal, [record]))

        target = DeliveryContext(
            maildrop=maildrop,
            sink=self._storage.sink,
            lane=self._storage.lane,
            disk=self._storage.disk,
            readers=self._around.stores.readers,
            accepted=self._accepted,
            next_id=self._around.stores.keeper.journal.next_id,
            received=received,
            audit=audit,
            policy=self._policy,
            now=self._around.clock.now,
            clock=self._clock.seconds if self._clock is not None else 0.0,
            debug=lambda text: self._note(Level.DEBUG, text),
            resolve=resolve,
            utf8=utf8,
            utf8_advice=' (remove capa="never" for one run)' if client.capa is CapaUse.NEVER else "",
        )
        return replace(target, rejected=self._storage.for_rejected(target))

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
            if not self._tally.messages:  # all were refused; refusals for good count if such messages are saved
                self._failures.forgive(but_rejected=self._storage.saves_rejected)
            await self._failures.count(maildrop)
        self._tell_what_stays(retrieval)
        if at_rest:
            await self._quit(retrieval, maildrop)
        if self._no_place is not None:
            raise self._no_place
        if isinstance(retrieval.hopeless, JournalError):  # others are told with their count
            raise retrieval.hopeless
        if self._stopping:
            raise SessionStopped("stopped") if at_rest else self._stopped_early()

    def _tell_what_stays(self, retrieval: Retrieval) -> None:
        """Say of which messages the server has not deleted what it should have."""
        if retrieval.undeleted:
            count, words = len(retrieval.undeleted), retrieval.undeleted[0]
            self._note(
                Level.WARNING,
                f"the server refused to delete {_messages(count)} ({words}): the next run asks it again",
            )
        if retrieval.undone:
            self._note(
                Level.WARNING,
                f"the server lists {_messages(retrieval.undone)} that it said it had deleted: not retrieved again, and"
                ' deleted once more. If this is said at every run use preserve="Y" newonly="Y"',
            )

    def _stopped_early(self) -> SessionStopped:
        owes = self._tally.messages and not self._policy.preserve
        return SessionStopped("stopped; deletions on the server are owed" if owes else "stopped")

    async def _quit(self, retrieval: Retrieval, maildrop: int) -> None:
        self._publish(SessionAdvanced(self.id, Stage.CLOSING))
        reply = None
        with trio.CancelScope() as self._farewell:
            if self._stopping:
                self._farewell.deadline = trio.current_time() + QUIT_TIMEOUT
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
        keys = (deletion_key(each.trouble_key) for each in retrieval.deleted.values()) if known else ()
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

        await self._around.stores.keeper.run(close)
        faultpoints.reached(Step.DELETED)
        self._tally.deleted += len(deleted)
        if deleted:
            self._publish(MessagesDeleted(self.id, len(deleted)))

    # --- what a retrieval tells ---------------------------------------------------------------------------------------

    def delivered(self, listed: Listed, delivery: PendingDelivery, octets: int, sender: str | None) -> None:
        self._tally.deliver(octets)
        record = delivery.record
        if listed.uid is None:  # with a UID the journal does it itself
            self._failures.overcome(listed.trouble_key)
        self._publish(
            MessageDelivered(
                self.id,
                at=self._around.clock.now(),
                number=listed.number,
                uid=listed.uid,
                octets=octets,
                destination=delivery.draft.description(),
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
        self, listed: Listed, problem: PopretrError, *, count: bool, rejected: bool = False, tell: bool = True
    ) -> None:
        self._tally.fail(problem)
        tell = tell and self._tally.failed <= TOLD
        if rejected:
            self._failures.rejected.add(listed.trouble_key)
        if count:
            self._failures.add(listed.trouble_key, listed.size, str(problem), rejected=rejected)
        if tell:
            self._skipped(listed, str(problem), failure=True)

    def left(self, listed: Listed, reason: str) -> None:
        self._tally.skipped += 1
        self._skipped(listed, reason, failure=False)

    def kept(self) -> None:
        self._tally.kept += 1

    def progressed(self, messages: int, octets: int) -> None:
        self._publish(RetrievalProgressed(self.id, messages, octets))

    def _skipped(self, listed: Listed, reason: str, *, failure: bool) -> None:
        self._publish(MessageSkipped(self.id, listed.number, listed.uid, listed.size, reason, failure))

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._around.clock.now().timestamp()

    def _warn(self, text: str) -> None:
        self._note(Level.WARNING, text)

    def _note(self, level: Level, text: str) -> None:
        self._publish(Noted(self._around.clock.now(), level, self._client.id, text))


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"
