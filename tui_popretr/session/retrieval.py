"""Retrieving over one connection: a window of commands in flight, deliveries to the committer, DELEs after the commit.

Terms:

- A *job* is what the plan says of one message: Fetch (RETR) or Verify (was it delivered before? Then DELE).
- A command is *in flight* from when it is sent to when its reply is complete. Replies come in order (RFC 2449 §6.8).
- The *window* limits what is in flight, in octets of messages and in commands. Without PIPELINING it is one command,
  and everything else is the same.
- A delivery is *pending* from when it is submitted to the committer to when it is durable and in the journal.
- A message is *held* if it is shorter than listed and the next line of the server has to show whether it is whole
  (wholeness.py).

**Two tasks share the connection**, so that neither can block the other. The writer keeps the window full: first DELEs,
then RETR and TOP. It waits on an event that the other tasks set. The reader turns replies into drafts and submits them.
A third task receives the outcomes of the deliveries, which add DELEs.

**DELE** is sent only for a message that is durable and recorded, and not after an error of the journal: what is in the
journal must be read again first. If a DELE has broken a connection in this session, DELEs are sent only after all
messages were retrieved. QUIT is sent together with the last DELEs, if there is PIPELINING.

**NOOP** is sent if a message is held and no other command is left: a status line in reply shows that the message had
ended. If the connection ends instead, the message is delivered as unproven: it stays on the server, and the next
session retrieves it again to compare the sizes.

**Retrieval stops** when the plan is done; at stop(), which leaves DRAIN_TIMEOUT seconds for replies in flight; after
MAX_DELIVERY_FAILURES messages in a row that could not be stored, or one error of the journal (`gave_up`); or when the
connection breaks, which run() raises. In each case the pending deliveries are waited for. If the connection is idle
then, quit() follows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

from tui_popretr import faultpoints
from tui_popretr.commit.pending import PendingDelivery
from tui_popretr.delivery.sink import Draft
from tui_popretr.errors import (
    RETRIED,
    ConnectionCut,
    DeliveryFailed,
    DestinationTimeout,
    JournalError,
    MessageRefused,
    MessageRejected,
    PopretrError,
    ServerStalled,
)
from tui_popretr.faultpoints import Step
from tui_popretr.journal.records import Doubt, MessageState, Record, deletion_key
from tui_popretr.logs.lines import message_name
from tui_popretr.pop3 import BodyChunk, BodyEnd, Command, Dele, Event, Noop, Quit, Reply, Retr, Top
from tui_popretr.session.breaks import Cause, ConnectionBrokeError, Suspect
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.deliveries import Deliveries
from tui_popretr.session.incoming import DeliveryContext, Incoming
from tui_popretr.session.matching import KnownMessages
from tui_popretr.session.pipelining import broke_by_pipelining
from tui_popretr.session.plan import Fetch, Listed, Plan, Verify, to_delete
from tui_popretr.session.report import SessionReport
from tui_popretr.session.wholeness import Wholeness, judge
from tui_popretr.text import visible

#: Octets of messages requested and not yet received: enough to fill a line of 200 ms at 300 Mbit/s.
WINDOW = 8 * 1024 * 1024
#: Octets received and not yet durable, beyond which no message is requested: a hung disk must not fill the memory.
MAX_UNDURABLE = 4 * WINDOW
#: Commands in flight; each reply costs the server memory.
MAX_COMMANDS = 2048
#: Retrieval stops after this number of messages in a row that cannot be stored.
MAX_DELIVERY_FAILURES = 3
#: RESP-CODES of refusals that do not count against the message (RFC 3206 §4, RFC 2449 §8.1.1, RFC 6856 §5).
TEMPORARY_CODES = frozenset({"SYS/TEMP", "IN-USE", "UTF8"})
#: Seconds that stop() leaves for replies in flight.
DRAIN_TIMEOUT = 8.0
#: Seconds between two reports of progress.
PROGRESS_INTERVAL = 0.25
#: Why the first message of a UW-IMAP mailbox stays on the server.
FOLDER_DATA = "not a message, but the server's own data about the folder (UW-IMAP)"


@dataclass(frozen=True, slots=True)
class _Delete:
    """A DELE in flight, and the journal's record of the message."""

    listed: Listed
    record: int


@dataclass(frozen=True, slots=True)
class _Probe:
    """A NOOP in flight, whose reply shows that the held message had ended."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A held message, received to its end. `resolve` continues with it."""

    resolve: Callable[[Doubt], Awaitable[None]]
    draft: Draft | None


class Retrieval:
    """Does the work of a plan over one connection."""

    def __init__(
        self,
        connection: Pop3Connection,
        plan: Plan,
        delivery: DeliveryContext,
        report: SessionReport,
        *,
        pipelining: bool,
        deletions_last: bool = False,
    ) -> None:
        """`deletions_last`: send DELE only after everything is retrieved."""
        self._connection = connection
        self._delivery = delivery
        self._report = report
        self._pipelining = pipelining
        self._deletions_last = deletions_last
        self._work: deque[Fetch | Verify] = deque(plan.work)
        self._known = KnownMessages(plan)
        self._deletes: deque[_Delete] = deque()
        self._in_flight: deque[Fetch | Verify | _Delete | _Probe] = deque()
        self._wakeup = trio.Event()
        self._deliveries = Deliveries(delivery, self._wake)
        self._incoming: Incoming | None = None
        self._held: _Held | None = None
        self._short: Listed | None = None  # the last message, if it is shorter than listed and no reply has followed
        self._quit_sent = False
        self._quit_reply: Reply | None = None
        self._replies = 0  # received
        self._requested_octets = 0  # not yet received
        self._scope = trio.CancelScope()
        self._stopping = False
        self._abandoned = False
        self._failures_in_a_row = 0
        self._progress_reported = 0.0
        self._error: PopretrError | None = None
        #: The messages whose DELE was answered +OK, by their journal record.
        self.deleted: dict[int, Listed] = {}
        #: The server's text for each DELE that it refused.
        self.refused_deletions: list[str] = []
        #: Messages that are listed although the server confirmed their deletion in an earlier session.
        self.reappeared = 0
        #: Messages and octets received.
        self.messages = 0
        self.octets = 0
        #: Why retrieval stopped early although the connection works.
        self.gave_up: PopretrError | None = None

    # --- from outside -------------------------------------------------------------------------------------------------

    def stop(self, drain: float = DRAIN_TIMEOUT) -> None:
        """Send no further RETR; leave `drain` seconds for what is in flight."""
        if not self._stopping:
            self._stopping = True
            self._scope.deadline = trio.current_time() + drain
            self._deliveries.stop()
            self._wake()

    def abandon(self, problem: PopretrError) -> None:
        """Give up the connection at once; run() raises `problem`."""
        self._error = problem
        self._abandoned = True
        self._scope.cancel()

    def broke(self, problem: PopretrError) -> ConnectionBrokeError | None:
        """Return the error with its cause, after run() has raised `problem`; None if the session cannot go on."""
        if (listed := self._cut_short) is not None:
            return ConnectionBrokeError(problem, Cause.CUT_SHORT, Suspect(listed, listed.failure_key, False))
        # A server that has answered more commands than are ever in flight at once supports PIPELINING.
        if self._replies < MAX_COMMANDS and broke_by_pipelining(self._connection):
            return ConnectionBrokeError(problem, Cause.PIPELINING, self._suspect)
        suspect = self._suspect
        return None if suspect is None else ConnectionBrokeError(problem, Cause.MESSAGE, suspect)

    @property
    def _suspect(self) -> Suspect | None:
        """The message whose reply is being received or is next."""
        # With nothing outstanding, the machine has refused to send the command.
        head = self._in_flight[0] if self._in_flight and self._connection.machine.outstanding else None
        if head is None or isinstance(head, _Probe):
            return None
        key, deletion = head.listed.failure_key, not isinstance(head, Fetch)
        return Suspect(head.listed, deletion_key(key) if deletion else key, deletion)

    @property
    def _cut_short(self) -> Listed | None:
        """The message that the server ended too early, if the rest of it broke the connection."""
        return self._short if self._connection.machine.stray_octets else None

    async def run(self) -> bool:
        """Do the work; return whether the connection is idle, so that quit() can follow.

        Raises the error that broke the connection. In every case no delivery is pending on return.
        """
        with self._delivery.receive_budget, self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                nursery.start_soon(self._take_outcomes)
                try:
                    await self._write()
                except ConnectionCut:
                    # Earlier replies may still arrive; the reader finds the end, and the message at which it came.
                    await trio.sleep_forever()
                except PopretrError as problem:
                    self._error = problem
                nursery.cancel_scope.cancel()
        if self._abandoned or trio.current_time() >= self._scope.deadline:
            # A sink that blocks in a socket would keep the deliveries pending. If only the POP3 connection broke, the
            # message that is being sent is let through; otherwise it would be delivered twice.
            self._delivery.sink.interrupt()
            await self._drop_held()
        await self._release(Doubt.SHORT if self._cut_short else Doubt.UNPROVEN)
        if self._incoming is not None and self._incoming.draft is not None:
            await self._deliveries.discard(self._incoming.draft)
        while self._deliveries.pending:
            self._take(await self._deliveries.outcomes())
        if self._error is not None:
            raise self._error
        return not self._in_flight

    async def quit(self) -> Reply:
        """Send QUIT, if it was not sent with the last DELEs, and return the reply."""
        if not self._quit_sent:
            reply = await self._connection.call(Quit())
            assert isinstance(reply, Reply)
            return reply
        while self._quit_reply is None:
            for event in await self._connection.events():
                await self._handle(event)
        return self._quit_reply

    # --- writer -------------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        while self._error is None:
            commands = self._next_commands()
            if commands:
                await self._connection.send(commands)
            elif self._all_requested and not (self._in_flight or self._under_way or self._deletes):
                return
            else:
                await self._woken()

    @property
    def _under_way(self) -> bool:
        """Whether a message was requested that is neither durable nor abandoned yet."""
        return bool(self._deliveries.pending or self._incoming or self._held)

    @property
    def _all_requested(self) -> bool:
        return self._stopping or self.gave_up is not None or not self._work

    def _wake(self) -> None:
        self._wakeup.set()

    async def _woken(self) -> None:
        await self._wakeup.wait()
        self._wakeup = trio.Event()

    def _next_commands(self) -> list[Command]:
        """Return the commands that may be sent now: DELEs first, then as many as the window has room for."""
        commands: list[Command] = []
        most = MAX_COMMANDS - len(self._in_flight) if self._pipelining else int(not self._in_flight)
        while self._deletes and len(commands) < most and self._may_delete:
            delete = self._deletes.popleft()
            commands.append(Dele(delete.listed.number))
            self._in_flight.append(delete)
        to_come = self._requested_octets - (self._incoming.size if self._incoming else 0)
        while not self._all_requested and len(commands) < most:
            if to_come >= WINDOW or self._deliveries.undurable >= MAX_UNDURABLE:
                break
            job = self._work.popleft()
            number, size = job.listed.number, job.listed.size
            to_come += size
            self._requested_octets += size
            commands.append(Top(number, 0) if self._known.top_suffices(job) else Retr(number))
            self._in_flight.append(job)
        if self._held is not None and not (commands or self._in_flight):
            commands.append(Noop())
            self._in_flight.append(_Probe())
        if commands and self._pipelining and not self._deletes and self._all_retrieved:
            self._quit_sent = True
            commands.append(Quit())
        return commands

    @property
    def _all_retrieved(self) -> bool:
        """Whether nothing is left but deletions."""
        return (
            self._all_requested and not self._under_way and all(isinstance(each, _Delete) for each in self._in_flight)
        )

    @property
    def _may_delete(self) -> bool:
        return not self._deletions_last or self._all_retrieved

    # --- reader -------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            while self._in_flight or not self._quit_sent:  # quit() reads the reply to QUIT
                if not self._in_flight:
                    self._connection.idle()
                for event in await self._connection.events():
                    await self._handle(event)
                self._report_progress()
                self._wake()
        except PopretrError as problem:
            self._error = self._explain(problem)
            self._scope.cancel()

    def _explain(self, problem: PopretrError) -> PopretrError:
        """Return `problem`, or a better error if all octets of a message arrived but not its end."""
        incoming = self._incoming
        if incoming is None or not isinstance(problem, ServerStalled):
            return problem
        listed = incoming.job.listed
        if not 0 < listed.size <= incoming.size + self._connection.machine.buffered:
            return problem
        return ServerStalled(
            f"the server has not ended {message_name(listed.number, listed.uid)}: all of its {listed.size} octets"
            " arrived, but not the line that ends a message",
            advice=f"{RETRIED}; if that fails as well, tell the server's operator",
        )

    async def _handle(self, event: Event) -> None:
        if isinstance(event, BodyChunk):
            incoming = self._incoming
            assert incoming is not None
            incoming.feed(event)
            if incoming.draft is not None and incoming.draft.pending >= self._delivery.receive_budget.share:
                await self._spill(incoming)
        elif isinstance(event, BodyEnd):
            await self._received(event)
        elif isinstance(event, Reply):
            self._replies += 1
            self._short = None
            if self._held is not None:
                await self._release(Doubt.NONE)
            if not self._in_flight:
                self._quit_reply = event
                return
            job = self._in_flight[0]
            if event.more:
                assert isinstance(job, Fetch | Verify)
                self._start_message(job)
                return
            self._in_flight.popleft()
            if isinstance(job, _Probe):
                return
            if isinstance(job, _Delete):
                if event.ok:
                    self.deleted[job.record] = job.listed
                else:
                    self.refused_deletions.append(visible(event.text, 200) or "without a reason")
                faultpoints.reached(Step.DELE_ANSWERED)
            else:
                self._refused(job, event)

    def _start_message(self, job: Fetch | Verify) -> None:
        store = not self._known.top_suffices(job)
        whole = store and self._known.hash_whole(job.listed)
        self._incoming = Incoming(job, self._delivery.of(job), store=store, whole=whole)

    async def _spill(self, incoming: Incoming) -> None:
        draft = incoming.draft
        assert draft is not None
        try:
            await self._delivery.disk_of(draft).run(draft.spill)
        except DeliveryFailed as problem:
            # The rest of the message still has to be read; it is no longer stored.
            incoming.draft = None
            await self._deliveries.discard(draft)
            self._not_stored(incoming.job, problem)

    async def _received(self, event: BodyEnd) -> None:
        incoming, self._incoming = self._incoming, None
        assert incoming is not None
        self._in_flight.popleft()
        job = incoming.job
        listed = job.listed
        self._requested_octets -= listed.size
        incoming.end()
        # A message is identified by its header, or by all of it if the server gives no usable UID.
        identity = incoming.hasher.header() if listed.uid is not None else incoming.hasher.whole()
        draft = incoming.draft
        if listed.number == 1 and incoming.hasher.folder_data:
            self._known.take(listed.number)
            self._report.skipped(listed, FOLDER_DATA)
            if draft is not None:
                await self._deliveries.discard(draft)
            return
        if isinstance(job, Verify) and draft is None and self._known.top_suffices(job):
            if job.record.identity.same_as(identity):
                self._delivered_before(listed, job.record)
            else:  # another message with a reused UID; or TOP does not show the header that RETR shows
                self._known.compare_on_retr(job)
                self._work.append(job)
            return
        self.messages += 1
        self.octets += event.octets
        faultpoints.reached(Step.RECEIVED)
        earlier = self._known.take(listed.number)
        if draft is None:  # could not be stored
            return
        wholeness = judge(listed.octets, event.octets, incoming.line_feeds)
        self._short = None if wholeness is Wholeness.WHOLE else listed
        if wholeness is Wholeness.EMPTY:
            problem = MessageRefused(f"the server sent an empty message instead of the listed {listed.octets} octets")
            self._report.failed(listed, problem, count=True)
            await self._deliveries.discard(draft)
            return
        record = self._known.match(earlier, identity, event.octets, incoming.hasher)
        # The remaining work is recorded before the first await; otherwise the retrieval would seem to be finished.
        if record is None:
            await self._accept_or_hold(
                wholeness, partial(self._deliveries.submit, incoming, draft, identity, event.octets), draft
            )
        elif record.doubt is Doubt.UNPROVEN:
            await self._accept_or_hold(wholeness, partial(self._resolve, job, record), None)
            await self._deliveries.discard(draft)
        else:
            self._delivered_before(listed, record)
            await self._deliveries.discard(draft)

    # --- held messages ------------------------------------------------------------------------------------------------

    async def _accept_or_hold(
        self, wholeness: Wholeness, resolve: Callable[[Doubt], Awaitable[None]], draft: Draft | None
    ) -> None:
        """Continue with a message at once, or hold it until the server's next line has arrived."""
        if wholeness is Wholeness.DOUBTFUL:
            self._held = _Held(resolve, draft)
        else:
            await resolve(Doubt.NONE if wholeness is Wholeness.WHOLE else Doubt.SHORT)

    async def _release(self, doubt: Doubt) -> None:
        held, self._held = self._held, None
        if held is not None:
            await held.resolve(doubt)

    async def _drop_held(self) -> None:
        """Discard a held message: it is retrieved again later."""
        held, self._held = self._held, None
        if held is not None and held.draft is not None:
            await self._deliveries.discard(held.draft)

    # --- results ------------------------------------------------------------------------------------------------------

    async def _resolve(self, job: Fetch | Verify, record: Record, doubt: Doubt) -> None:
        """Record whether a message that may have been cut short when it was delivered is whole."""
        if doubt is Doubt.UNPROVEN:
            return
        try:
            await self._deliveries.resolve(record, doubt)
        except JournalError as problem:
            self._not_stored(job, problem)
        else:
            if doubt is Doubt.SHORT:
                self._report.kept()
            else:
                self._delivered_before(job.listed, record)

    def _delivered_before(self, listed: Listed, record: Record) -> None:
        """Delete a message that was delivered before, if it is to be deleted."""
        if record.state is MessageState.KEPT:
            self._report.kept()
            return
        reappeared = record.state is MessageState.DELETED
        self.reappeared += reappeared
        if reappeared or to_delete(record, self._delivery.policy, self._delivery.clock):
            self._delete(listed, record.id)

    def _delete(self, listed: Listed, record: int) -> None:
        if not isinstance(self.gave_up, JournalError):
            self._deletes.append(_Delete(listed, record))

    async def _take_outcomes(self) -> None:
        while True:
            self._take(await self._deliveries.outcomes())
            self._wake()

    def _take(self, outcomes: list[tuple[Incoming, PendingDelivery]]) -> None:
        """Delete and report the messages that are durable; report the others as failed."""
        for incoming, delivery in outcomes:
            job, record = incoming.job, delivery.record
            if delivery.error is not None:
                self._not_stored(job, delivery.error)
                continue
            self._failures_in_a_row = 0
            if record.delete_pending:
                self._delete(job.listed, record.id)
            self._report.delivered(job.listed, delivery, record.octets, incoming.hasher.sender)
            if isinstance(job, Fetch) and job.refusal:
                self._report.saved(job.listed, job.refusal, delivery.draft.final)

    def _refused(self, job: Fetch | Verify, reply: Reply) -> None:
        self._requested_octets -= job.listed.size
        if isinstance(job, Verify) and self._known.top_suffices(job):
            self._known.compare_on_retr(job)
            self._work.appendleft(job)
        else:
            text = visible(reply.text, 200) or "without a reason"
            if reply.code == "UTF8":
                text = f"it is in UTF-8, and UTF-8 mode is off{self._delivery.utf8_advice}: {text}"
            problem = MessageRefused(f"the server refused to send it: {text}")
            self._report.failed(job.listed, problem, count=reply.code not in TEMPORARY_CODES)

    def _not_stored(self, job: Fetch | Verify, problem: PopretrError) -> None:
        listed = job.listed
        refused_for_good = isinstance(problem, DeliveryFailed) and problem.refused_for_good
        to_save = self._delivery.rejected is not None and refused_for_good
        if isinstance(job, Fetch) and not isinstance(problem, JournalError):
            if job.refusal:  # the next session tries to deliver it again, and then to save it
                certain = not isinstance(problem, DestinationTimeout)
                self._report.failed(listed, _not_saved(job.refusal, problem), count=certain, rejected=certain)
                return
            saving = job.to_save(str(problem)) if to_save else None
            if saving is not None and not (self._stopping or self.gave_up):
                self._work.appendleft(saving)
                self.messages -= 1  # it is retrieved again
                return
        # The destination refuses this message. It may accept the next one; or, if rejected messages are saved, it has
        # not refused this one often enough.
        if to_save or isinstance(problem, MessageRejected):
            self._report.failed(listed, problem, count=True, rejected=True)
            return
        # What was pending when retrieval gave up fails in the same way: it is counted without a line for each.
        self._report.failed(listed, problem, count=False, report=self.gave_up is None)
        self._failures_in_a_row += 1
        if isinstance(problem, JournalError):
            self.gave_up = problem
            self._deletes.clear()
        elif self._failures_in_a_row >= MAX_DELIVERY_FAILURES:
            self.gave_up = self.gave_up or problem

    def _report_progress(self) -> None:
        now = trio.current_time()
        if now - self._progress_reported >= PROGRESS_INTERVAL:
            self._progress_reported = now
            self._report.progressed(self.messages, self.octets + (self._incoming.size if self._incoming else 0))


def _not_saved(refusal: str, problem: PopretrError) -> PopretrError:
    return type(problem)(f"{refusal}; and it cannot be saved: {problem}", advice=problem.advice)
