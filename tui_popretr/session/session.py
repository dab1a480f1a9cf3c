"""A session: one run of one client, from the first connection to QUIT's +OK.

Terms:

- A *session* belongs to one client and has a number (ID-RUN in the transcript). It ends with one SessionResult.
- A *connection* is one POP3 connection: open it, log in, list, plan, retrieve, QUIT. A session has at least one.
- The *plan* says what to do with each listed message (plan.py). Each connection makes a new one, because the
  journal knows more after each.
- A *failure* counts against one message, in the journal, under its failure key. A message that fails often is tried
  less and less often.

**Order.** The journal is recovered if a write to it has failed. The destination's maildrop record is opened, which
finishes deliveries that an earlier process left unfinished. Then come the connections. The destination is checked
before the first RETR, so that nothing is retrieved that cannot be stored.

**Reconnections.** After a connection breaks, the session may connect again; breaks.py decides by the cause.

**Deletions.** The plan decides which messages may be deleted; the retrieval sends a DELE only for a message that is
durable and recorded. A POP3 server deletes at QUIT (RFC 1939 §6), so the journal records a deletion after QUIT's +OK.
If the connection breaks before that, the deletions stay pending and the next session sends them again. A deletion that
broke a connection in an earlier session gets a connection of its own at the end, because the server forgets all
deletions of a connection that breaks. If a server that has listed UTF8 refuses it, it may send notices instead of
messages: that session deletes nothing.

**Ending.** stop() ends a session gracefully: no further RETR, a few seconds for replies in flight, then commit, DELE
and QUIT. abandon() closes the connection at once. Messages that were handed to the committer are committed in both
cases.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

import trio

from tui_popretr import faultpoints
from tui_popretr.config.model import ClientSettings
from tui_popretr.errors import (
    CommandRefused,
    DeliveryFailed,
    JournalError,
    PasswordUnavailable,
    PopretrError,
    SessionStopped,
    out_of_threads,
)
from tui_popretr.facts import (
    Fact,
    Level,
    SessionAdvanced,
    SessionClosed,
    SessionId,
    SessionResult,
    SessionStarted,
    Stage,
)
from tui_popretr.faultpoints import Step
from tui_popretr.logs.lines import message_name
from tui_popretr.pop3 import Capabilities
from tui_popretr.session.breaks import ConnectionBrokeError, Reconnections
from tui_popretr.session.capa import CapaMemory
from tui_popretr.session.context import SessionContext
from tui_popretr.session.exploration import Exploration, advise_after_login
from tui_popretr.session.failures import Failures
from tui_popretr.session.maildrop import MaildropJournal
from tui_popretr.session.pipelining import Pipelining
from tui_popretr.session.plan import Fetch, Plan, Policy, Verify
from tui_popretr.session.report import SessionReport
from tui_popretr.session.retrieval import Retrieval
from tui_popretr.session.setup import ConnectionSetup
from tui_popretr.session.storage import Storage
from tui_popretr.text import visible

#: How many deletions that failed before are tried in one session, each on a connection of its own.
MAX_SEPARATE_DELETIONS = 3
#: Seconds for QUIT's answer, and for recording failures, once the session was stopped.
QUIT_TIMEOUT = 1.0


class Session:
    """One run of one client. run() raises nothing but trio.Cancelled; an error is in its result."""

    def __init__(self, client: ClientSettings, run: int, context: SessionContext) -> None:
        self.id = SessionId(client.id, run)
        self._client = client
        self._context = context
        self._publish: Callable[[Fact], None] = context.bus.publish
        services, clock = context.services, context.clock
        self._setup = ConnectionSetup(
            self.id, client, context.bus, clock, context.connect, context.timeout, context.connections
        )
        self._failures = Failures(services.keeper, clock)
        self._report = SessionReport(self.id, context.bus, clock, self._failures)
        self._warn = self._report.warn
        self._journal = MaildropJournal(services.keeper, clock, self._failures)
        self._capa = CapaMemory(services.capa_histories, services.keeper, clock)
        self._pipelining = Pipelining(client.server, services.pipelining_history, services.keeper, clock)
        self._policy = Policy()  # until the login
        self._reconnections = Reconnections(self._pipelining, self._failures, self._report)
        self._separate_deletions: list[Verify] = []
        self._preparing = trio.CancelScope()  # until there is something to retrieve
        self._quitting = trio.CancelScope()  # while QUIT's answer is awaited
        self._retrieval: Retrieval | None = None
        self._stopping = False
        self._abandoned: PopretrError | None = None
        self._destination_error: PopretrError | None = None
        #: Whether a login succeeded.
        self.logged_in = False
        #: Whether the login was refused with a text that means a temporary failure, without a RESP-CODE.
        self.judged_by_text = False
        #: LOGIN-DELAY of the server in seconds, a lower limit for the next run (RFC 2449 §6.5); None: unknown.
        self.login_delay: int | None = None

    def stop(self) -> None:
        """Stop gracefully: drain, commit, DELE, QUIT. Before the first RETR, only QUIT."""
        self._stopping = True
        self._preparing.cancel()
        self._quitting.deadline = trio.current_time() + QUIT_TIMEOUT
        self._failures.limit_time(QUIT_TIMEOUT)
        if self._retrieval is not None:
            self._retrieval.stop()

    def abandon(self, problem: PopretrError) -> None:
        """Close the connection at once, because of `problem`. What was handed to the committer is still committed."""
        self._abandoned = problem
        self._preparing.cancel()
        self._quitting.cancel()
        if self._retrieval is not None:
            self._retrieval.abandon(problem)

    async def run(self) -> SessionResult:
        """Run the session and return its result."""
        clock = self._context.clock
        started = clock.now()
        self._publish(SessionStarted(self.id, started))
        problem: PopretrError | None = None
        try:
            await self._context.services.recover_journal(self._warn)
            self._storage = Storage(self._client, self.id, self._context, self._warn)
            try:
                await self._run_connections()
            finally:
                await self._storage.close()
        except PopretrError as error:
            problem = error
            if self.logged_in:
                advise_after_login(error)
            self.judged_by_text = error.judged_by_text
        except Exception as error:  # noqa: BLE001 - a bug in one session must not end the others
            problem = out_of_threads(error)
            if problem is None:
                problem = PopretrError(f"internal error: {type(error).__name__}: {error}", advice="please report this")
                self._report.log(Level.ERROR, "".join(traceback.format_exception(error)))
        result = self._report.counters.result(problem, started, clock.now())
        self._publish(SessionClosed(self.id, result))
        return result

    # --- connections --------------------------------------------------------------------------------------------------

    async def _run_connections(self) -> None:
        while True:
            maildrop = await self._storage.open_maildrop()
            try:
                await self._run_connection(maildrop)
            except ConnectionBrokeError as broke:
                if self._abandoned is not None or self._stopping:
                    raise broke.problem from broke
                self._warn(f"{broke.problem}; {await self._reconnections.decide(maildrop, broke)}")
            else:
                break
        if (conclusion := await self._pipelining.record_outcome()) is not None:
            self._warn(conclusion)
        # A server with LOGIN-DELAY gets no further logins in this run: a later run without mail deletes.
        for verify in [] if self.login_delay else self._separate_deletions[:MAX_SEPARATE_DELETIONS]:
            if not await self._delete_separately(verify):
                break

    async def _delete_separately(self, verify: Verify) -> bool:
        """Delete a message whose deletion failed before; return whether to continue with the next."""
        maildrop = await self._storage.open_maildrop()
        try:
            await self._run_connection(maildrop, only=verify)
        except (ConnectionBrokeError, PopretrError) as error:
            problem = error.problem if isinstance(error, ConnectionBrokeError) else error
            if self._abandoned is not None or self._stopping or isinstance(problem, JournalError):
                raise problem from error
            self._warn(f"deleting {message_name(verify.listed.number, verify.listed.uid)} failed: {problem}")
            broke = error if isinstance(error, ConnectionBrokeError) else None
            if broke is None or not await self._reconnections.count_against_message(maildrop, broke):
                self._report.counters.fail_deletion(problem)
            return False
        return True

    async def _run_connection(self, maildrop: int, only: Verify | None = None) -> None:
        """Open one connection and do its work; with `only`, just this deletion."""
        exploration = Exploration(self._setup, self._capa, self._pipelining)
        try:
            self._preparing = trio.CancelScope()
            if self._stopping or self._abandoned is not None:  # requested between two connections
                self._preparing.cancel()
            with self._preparing:
                self._retrieval = await self._prepare(exploration, maildrop, only)
            if self._retrieval is None:
                if self._abandoned is not None:
                    raise self._abandoned
                await exploration.leave(QUIT_TIMEOUT)
                raise SessionStopped("stopped before anything was retrieved")
            if self._abandoned is not None:  # requested after the last checkpoint of _prepare()
                self._retrieval.abandon(self._abandoned)
            if self._stopping:
                self._retrieval.stop()
            await self._retrieve(self._retrieval, maildrop)
        finally:
            self._retrieval = None
            exploration.close()

    # --- before retrieving --------------------------------------------------------------------------------------------

    async def _prepare(self, exploration: Exploration, maildrop: int, only: Verify | None) -> Retrieval:
        """Log in, list, plan."""
        try:
            return await self._plan(exploration, maildrop, only)
        except PopretrError as problem:
            if exploration.cause is None:
                raise
            raise ConnectionBrokeError(problem, exploration.cause) from problem

    async def _plan(self, exploration: Exploration, maildrop: int, only: Verify | None) -> Retrieval:
        connection, found = await exploration.log_in(), exploration.found
        self.logged_in = True
        if found.capabilities is not None:
            self._apply_capabilities(found.capabilities)
        reason = found.no_deletion_reason
        self._policy = Policy.of(self._client.retention, keep_all=bool(reason))
        if reason:
            self._warn(f"nothing is deleted in this session: {reason}")
        self._publish(SessionAdvanced(self.id, Stage.LISTING))
        listing = await exploration.list_maildrop()
        plan = await self._journal.plan(maildrop, listing, self._policy, self._pipelining.last)
        if only is None:
            self._separate_deletions = plan.separate_deletions
            await self._check_destination(plan)
            self._report.planned(plan, listing, found.octets)
        else:
            plan = plan.only(only)
        remote_ip = connection.stream.remote_ip
        return Retrieval(
            connection,
            plan,
            self._storage.delivery(maildrop, self._journal, self._policy, remote_ip=remote_ip, utf8=found.utf8),
            self._report,
            pipelining=exploration.pipelined,
            deletions_last=self._reconnections.deletions_last,
        )

    def _apply_capabilities(self, capabilities: Capabilities) -> None:
        """Apply the limits that the server announces (RFC 2449 §6.5, §6.7)."""
        self.login_delay = capabilities.login_delay or 0
        if capabilities.expire == 0 and self._client.retention.preserve:
            self._warn("the server says EXPIRE 0: it deletes what was retrieved, in spite of preserve")

    async def _check_destination(self, plan: Plan) -> None:
        """If it is clear in advance that nothing can be stored, leave only the deletions in the plan."""
        if not plan.fetches:
            return
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
        """Return the job that saves a message that is too large for the destination; None if it is not saved yet."""
        if isinstance(job, Verify):
            return job
        saving = job.to_save(str(problem))
        if saving is None:
            self._report.failed(job.listed, problem, count=True, rejected=True)
        return saving

    # --- retrieving ---------------------------------------------------------------------------------------------------

    async def _retrieve(self, retrieval: Retrieval, maildrop: int) -> None:
        self._publish(SessionAdvanced(self.id, Stage.RETRIEVING))
        try:
            idle = await retrieval.run()
        except PopretrError as problem:
            broke = retrieval.broke(problem)
            if broke is None:
                raise
            raise broke from problem
        finally:
            if not self._report.counters.messages:  # all failed; refusals for good count if such messages are saved
                self._failures.drop_common_failure(but_rejected=self._storage.saves_rejected)
            await self._failures.count(maildrop)
        self._report.not_deleted(retrieval.refused_deletions, retrieval.reappeared)
        if idle:
            await self._quit(retrieval, maildrop)
        if self._destination_error is not None:
            raise self._destination_error
        if isinstance(retrieval.gave_up, JournalError):  # other errors are in the result with their count
            raise retrieval.gave_up
        if self._stopping:
            raise SessionStopped("stopped") if idle else self._stopped_early()

    def _stopped_early(self) -> SessionStopped:
        pending = self._report.counters.messages and not self._policy.preserve
        return SessionStopped("stopped; deletions on the server are owed" if pending else "stopped")

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
        await self._journal.close(maildrop, retrieval.deleted, self._policy)
        faultpoints.reached(Step.DELETED)
        self._report.deleted(len(retrieval.deleted))
