"""A session: one run of one client, from the first connection to QUIT's +OK.

Terms:

- A *session* belongs to one client and has a number (ID-RUN in the transcript). It ends with one SessionResult.
- A *connection* is one POP3 connection: open it, log in, list, plan, retrieve, QUIT. A session has at least one.
- The *plan* says what to do with each listed message (plan.py). Each connection makes a new one, because the
  journal knows more after each.
- A *failure* counts against one message, in the journal, under its failure key. A message that fails often is tried
  less and less often.

**Order.** The journal is recovered if a write to it has failed. The destination's maildrop record is opened, which
finishes deliveries that an earlier process left unfinished. A server is asked for messages that it may have. Then come
the connections. The destination is checked before the first RETR, so that nothing is retrieved that cannot be stored.

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

**States.** A session goes through them as follows; no other transition is possible.

| state      | what happens                                                 | next       | stop()   | abandon() |
|------------|--------------------------------------------------------------|------------|----------|-----------|
| PREPARING  | between connections; connect, log in, list, plan             | RETRIEVING | STOPPING | ABANDONED |
| RETRIEVING | RETR, commit, DELE                                           | QUITTING   | STOPPING | ABANDONED |
| RETRIEVING | the connection broke, or has nothing to confirm              | PREPARING  | STOPPING | ABANDONED |
| QUITTING   | the answer to QUIT is awaited, and recorded                  | PREPARING  | STOPPING | ABANDONED |
| STOPPING   | the current connection is brought to its end, with deadlines | (the end)  | STOPPING | ABANDONED |
| ABANDONED  | the connection is closed                                     | (the end)  |          | ABANDONED |

A session that succeeds ends in PREPARING, after its last connection.
"""

from __future__ import annotations

import traceback
from collections.abc import Collection, Sequence
from enum import Enum, auto
from functools import partial

import trio

from tui_popretr import faultpoints
from tui_popretr.commands import MessageKey
from tui_popretr.config.model import ClientSettings
from tui_popretr.errors import CommandRefused, JournalError, PopretrError, SessionStopped, out_of_threads
from tui_popretr.facts import Level, SessionAdvanced, SessionClosed, SessionId, SessionResult, SessionStarted, Stage
from tui_popretr.faultpoints import Step
from tui_popretr.logs.lines import message_name
from tui_popretr.session.breaks import ConnectionBrokeError, Reconnections
from tui_popretr.session.capa import CapaMemory
from tui_popretr.session.context import SessionContext
from tui_popretr.session.exploration import Exploration, advise_after_login
from tui_popretr.session.failures import Failures
from tui_popretr.session.maildrop import MaildropJournal
from tui_popretr.session.pipelining import Pipelining
from tui_popretr.session.plan import Listed, Verify
from tui_popretr.session.preparation import Preparation, Prepared
from tui_popretr.session.report import SessionReport
from tui_popretr.session.storage import Storage
from tui_popretr.text import visible

#: How many deletions that failed before are tried in one session, each on a connection of its own.
MAX_SEPARATE_DELETIONS = 3
#: Seconds for QUIT's answer, and for recording failures, once the session was stopped.
QUIT_TIMEOUT = 1.0


class State(Enum):
    """What a session is doing; the docstring of this module has the transitions."""

    PREPARING = auto()
    RETRIEVING = auto()
    QUITTING = auto()
    STOPPING = auto()
    ABANDONED = auto()

    def then(self, state: State) -> State:
        """Return the state after a transition to `state`. A session that is ending keeps its state."""
        if self in _ENDING:
            return self
        assert state in _NEXT[self], f"{self} is not followed by {state}"
        return state


_NEXT = {
    State.PREPARING: {State.PREPARING, State.RETRIEVING},
    State.RETRIEVING: {State.PREPARING, State.QUITTING},
    State.QUITTING: {State.PREPARING},
}
_ENDING = {State.STOPPING, State.ABANDONED}


class Session:
    """One run of one client. run() raises nothing but trio.Cancelled; an error is in its result."""

    def __init__(
        self, client: ClientSettings, run: int, context: SessionContext, wanted: Sequence[MessageKey] = ()
    ) -> None:
        """With `wanted`, just these messages are retrieved, whatever the rules say."""
        self.id = session = SessionId(client.id, run)
        self._context = context
        services, bus, clock = context.services, context.bus, context.clock
        self._failures = Failures(services.journal, clock)
        self._report = SessionReport(session, bus, clock, self._failures, services.named)
        self._journal = MaildropJournal(services.journal, clock, self._failures)
        pipelining = Pipelining(client.server, services.pipelining_history, services.journal, clock)
        self._reconnections = Reconnections(pipelining, self._failures, self._report)
        self._report.remember = self._of_user = bool(wanted)
        self._preparation = Preparation(session, client, bus, self._journal, self._report, self._reconnections, wanted)
        setup = context.setup(session, client)
        memory = CapaMemory(services.capa_histories, services.journal, clock)
        self._explore = partial(Exploration, setup, memory, pipelining)
        self._open_storage = partial(Storage, client, session, context, self._report.warn)
        self._state = State.PREPARING
        self._scope = trio.CancelScope()  # of PREPARING or QUITTING
        self._prepared: Prepared | None = None  # the current connection, once it is prepared
        self._problem: PopretrError | None = None  # that ends the session, or has ended it

    @property
    def logged_in(self) -> bool:
        """Whether a login succeeded."""
        return self._preparation.logged_in

    def remember(self) -> None:
        """Remember the messages that are delivered from now on."""
        self._report.remember = True

    @property
    def delivered_now(self) -> Collection[Listed]:
        """The messages that were delivered since remember()."""
        return self._report.delivered_now

    @property
    def login_delay(self) -> int | None:
        """LOGIN-DELAY of the server in seconds, a lower limit for the next run (RFC 2449 §6.5); None: unknown."""
        return self._preparation.login_delay

    @property
    def refused_by_text(self) -> bool:
        """Whether the login was refused with a text that means a temporary failure, without a RESP-CODE."""
        return self._problem is not None and self._problem.judged_by_text

    @property
    def login_missing(self) -> bool:
        """Whether only `tui-popretr login` helps."""
        return self._problem is not None and self._problem.login_missing

    # --- states -------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop gracefully: drain, commit, DELE, QUIT. Before the first RETR, only QUIT."""
        self._failures.limit_time(QUIT_TIMEOUT)
        if self._prepared is not None:
            self._prepared.retrieval.stop()
        if self._state is State.PREPARING:
            self._scope.cancel()
        elif self._state is State.QUITTING:
            self._scope.deadline = trio.current_time() + QUIT_TIMEOUT
        if self._state is not State.ABANDONED:
            self._state = State.STOPPING

    def abandon(self, problem: PopretrError) -> None:
        """Close the connection at once, because of `problem`. What was handed to the committer is still committed."""
        self._state, self._problem = State.ABANDONED, problem
        self._scope.cancel()
        if self._prepared is not None:
            self._prepared.retrieval.abandon(problem)

    def _enter(self, state: State) -> trio.CancelScope:
        """Go on to PREPARING or QUITTING; return its scope.

        If the session is ending, the scope is cancelled; after stop(), QUITTING has QUIT_TIMEOUT seconds.
        """
        self._state = self._state.then(state)
        self._scope = trio.CancelScope()
        if self._state is State.STOPPING and state is State.QUITTING:
            self._scope.deadline = trio.current_time() + QUIT_TIMEOUT
        elif self._state in _ENDING:
            self._scope.cancel()
        return self._scope

    def _raise_problem_if_abandoned(self) -> None:
        if self._state is State.ABANDONED:
            assert self._problem is not None
            raise self._problem

    # --- connections --------------------------------------------------------------------------------------------------

    async def run(self) -> SessionResult:
        """Run the session and return its result."""
        publish, clock = self._context.bus.publish, self._context.clock
        started = clock.now()
        publish(SessionStarted(self.id, started))
        problem: PopretrError | None = None
        try:
            storage = self._open_storage()
            try:
                await self._run_connections(storage)
            finally:
                await storage.close()
        except PopretrError as error:
            problem = error
            if self.logged_in:
                advise_after_login(error)
        except Exception as error:  # noqa: BLE001 - a bug in one session must not end the others
            problem = out_of_threads(error)
            if problem is None:
                problem = PopretrError(f"internal error: {type(error).__name__}: {error}", advice="please report this")
                self._report.log(Level.ERROR, "".join(traceback.format_exception(error)))
        self._problem = problem
        result = self._report.counters.result(problem, started, clock.now())
        publish(SessionClosed(self.id, result))
        return result

    async def _run_connections(self, storage: Storage) -> None:
        while True:
            maildrop = await self._open_maildrop(storage)
            try:
                separate_deletions = await self._run_connection(storage, maildrop)
            except ConnectionBrokeError as broke:
                if self._state in _ENDING:
                    raise broke.problem from broke
                self._report.warn(f"{broke.problem}; {await self._reconnections.decide(maildrop, broke)}")
            else:
                break
        await self._reconnections.record_outcome()
        # A server with LOGIN-DELAY gets no further logins in this run: a later run without mail deletes.
        for verify in [] if self.login_delay else separate_deletions[:MAX_SEPARATE_DELETIONS]:
            if not await self._delete_separately(storage, verify):
                break

    async def _open_maildrop(self, storage: Storage) -> int:
        """Return the maildrop's number in the journal. If the session is stopped meanwhile, no server is asked."""
        maildrop = await storage.open_maildrop()
        with self._enter(State.PREPARING):
            await storage.ask(maildrop)
        return maildrop

    async def _delete_separately(self, storage: Storage, verify: Verify) -> bool:
        """Delete a message whose deletion failed before; return whether to continue with the next."""
        maildrop = await self._open_maildrop(storage)
        try:
            await self._run_connection(storage, maildrop, only=verify)
        except (ConnectionBrokeError, PopretrError) as error:
            broke = error if isinstance(error, ConnectionBrokeError) else None
            problem = error.problem if isinstance(error, ConnectionBrokeError) else error
            if self._state in _ENDING or isinstance(problem, JournalError):
                raise problem from error
            self._report.warn(f"deleting {message_name(verify.listed.number, verify.listed.uid)} failed: {problem}")
            if broke is None or not await self._reconnections.count_against_message(maildrop, broke):
                self._report.counters.fail_deletion(problem)
            return False
        return True

    async def _run_connection(self, storage: Storage, maildrop: int, only: Verify | None = None) -> list[Verify]:
        """Open one connection and do its work; with `only`, just this deletion.

        Returns the deletions that need a connection of their own.
        """
        exploration = self._explore()
        try:
            with self._enter(State.PREPARING):
                self._prepared = await self._preparation.prepare(exploration, storage, maildrop, only)
            if self._prepared is None:
                self._raise_problem_if_abandoned()
                await exploration.leave(QUIT_TIMEOUT)
                raise SessionStopped("stopped before anything was retrieved")
            await self._retrieve(self._prepared, storage, maildrop)
            return self._prepared.separate_deletions
        finally:
            self._prepared = None
            exploration.close()
            self._state = self._state.then(State.PREPARING)

    async def _retrieve(self, prepared: Prepared, storage: Storage, maildrop: int) -> None:
        retrieval = prepared.retrieval
        self._state = self._state.then(State.RETRIEVING)
        if self._state is State.STOPPING:  # since the last checkpoint of the preparation
            retrieval.stop()
        elif self._state is State.ABANDONED:
            assert self._problem is not None
            retrieval.abandon(self._problem)
        self._context.bus.publish(SessionAdvanced(self.id, Stage.RETRIEVING))
        try:
            idle = await retrieval.run()
        except PopretrError as problem:
            broke = retrieval.broke(problem)
            if broke is None:
                raise
            raise broke from problem
        finally:
            if not self._report.counters.messages:  # all failed; refusals for good count if such messages are saved
                self._failures.drop_common_failure(but_rejected=storage.saves_rejected)
            await self._failures.count(maildrop)
        self._report.not_deleted(retrieval.deliveries.refused_deletions, retrieval.deliveries.reappeared)
        if idle:
            await self._quit(prepared, maildrop)
        if prepared.destination_error is not None:
            raise prepared.destination_error
        if isinstance(retrieval.deliveries.gave_up, JournalError):  # other errors are in the result with their count
            raise retrieval.deliveries.gave_up
        if self._state is State.STOPPING:
            raise SessionStopped("stopped") if idle else self._stopped_early(prepared)

    def _stopped_early(self, prepared: Prepared) -> SessionStopped:
        pending = self._report.counters.messages and not prepared.policy.preserve
        return SessionStopped("stopped; deletions on the server are owed" if pending else "stopped")

    async def _quit(self, prepared: Prepared, maildrop: int) -> None:
        self._context.bus.publish(SessionAdvanced(self.id, Stage.CLOSING))
        reply = None
        with self._enter(State.QUITTING):
            reply = await prepared.retrieval.quit()
        if reply is None:
            self._raise_problem_if_abandoned()
            raise self._stopped_early(prepared)
        faultpoints.reached(Step.QUIT_ANSWERED)
        if not reply.ok:
            raise CommandRefused(
                f"the server answered QUIT with an error: {visible(reply.text, 200)}",
                advice="deletions may not have happened; they are made up for at the next run",
            )
        deleted = prepared.retrieval.deliveries.deleted
        await self._journal.close(maildrop, deleted, prepared.policy, whole=not self._of_user)
        faultpoints.reached(Step.DELETED)
        self._report.deleted(len(deleted))
