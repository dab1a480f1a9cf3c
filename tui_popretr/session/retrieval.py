"""Retrieving: a window of commands in flight, messages handed to the committer, DELEs behind its commits.

A reader and a writer share one connection, so neither can block the other (RFC 2449 §6.8). The writer keeps the window
full; the reader turns replies into drafts; the committer's answers become DELEs. QUIT goes with the last of these.
Without PIPELINING the window is one command, and everything else is the same.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

from tui_popretr import faultpoints
from tui_popretr.commit.pending import PendingDelivery
from tui_popretr.delivery.sink import Draft
from tui_popretr.errors import (
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
from tui_popretr.journal.records import Doubt, MessageState, NewRecord, Record, deletion_key
from tui_popretr.logs.lines import message
from tui_popretr.mail.identity import Identity
from tui_popretr.pop3 import BodyChunk, BodyEnd, Command, Dele, Event, Noop, Quit, Reply, Retr, Top
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.incoming import DeliveryContext, Incoming
from tui_popretr.session.pipelining import broke_by_pipelining
from tui_popretr.session.plan import Fetch, Listed, Plan, Verify, to_delete
from tui_popretr.session.wholeness import Wholeness, judge
from tui_popretr.text import visible

#: Octets of messages asked for and still to come: enough to fill a line of 200 ms at 300 Mbit/s.
WINDOW = 8 * 1024 * 1024
#: Octets received and not yet durable, beyond which no more is asked for: a disk that hangs must not fill up.
MAX_UNDURABLE = 4 * WINDOW
#: Commands in flight; a reply costs the server memory, too.
MAX_COMMANDS = 2048
#: So many messages in a row that cannot be stored end the retrieval: the next ones would fare no better.
MAX_DELIVERY_FAILURES = 3
#: Refusals that are not the message's fault (RFC 3206 §4, RFC 2449 §8.1.1, RFC 6856 §5).
TEMPORARY_CODES = frozenset({"SYS/TEMP", "IN-USE", "UTF8"})
#: Seconds that a shutdown leaves for replies in flight (SPEC 3).
DRAIN_TIMEOUT = 8.0
#: And for removing an unfinished file, where the disk hangs; it is removed later.
DISCARD_TIMEOUT = 1.0
#: Why the first message of a UW-IMAP mailbox stays on the server.
FOLDER_DATA = "not a message, but the server's own data about the folder (UW-IMAP)"


@dataclass(frozen=True, slots=True)
class _Delete:
    """A DELE in flight, and the journal's record of the message."""

    listed: Listed
    record: int


@dataclass(frozen=True, slots=True)
class _Probe:
    """A NOOP in flight: a status line in answer shows that the message before it had ended."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A doubtful message, received to its end, held until the server's next line shows whether it is whole."""

    resolve: Callable[[Doubt], Awaitable[None]]
    draft: Draft | None


@dataclass(frozen=True, slots=True)
class Suspect:
    """The message at which a connection broke. Its failures are counted under `key`.

    `deletion`: it was already delivered, and was only to be deleted.
    """

    listed: Listed
    key: str
    deletion: bool


class Observer:
    """What a retrieval tells its session, in the engine's thread. The session overrides what it wants to know."""

    def delivered(self, listed: Listed, delivery: PendingDelivery, octets: int, sender: str | None) -> None:
        """The message is durable and in the journal."""

    def failed(
        self, listed: Listed, problem: PopretrError, *, count: bool, rejected: bool = False, report: bool = True
    ) -> None:
        """The message stays on the server. `count`: the message itself is to blame; not `report`: one of very many.

        `rejected`: its destination has refused it for good.
        """

    def saved(self, listed: Listed, refusal: str, path: str | None) -> None:
        """The message, which its destination refuses for good, was saved. delivered() is called for it, too."""

    def left(self, listed: Listed, reason: str) -> None:
        """The message stays on the server, and this is not an error."""

    def kept(self) -> None:
        """A message was cut short, and is kept on the server."""

    def progressed(self, messages: int, octets: int) -> None:
        """So much has been received in all."""


class Retrieval:
    """Does the work of a plan over one connection."""

    def __init__(
        self,
        connection: Pop3Connection,
        plan: Plan,
        delivery: DeliveryContext,
        observer: Observer,
        *,
        pipelining: bool,
        deletions_last: bool = False,
    ) -> None:
        """`deletions_last`: send DELE only when all is retrieved, because one has broken a connection in this run."""
        self._connection = connection
        self._delivery = delivery
        self._observer = observer
        self._pipelining = pipelining
        self._deletions_last = deletions_last
        self._work: deque[Fetch | Verify] = deque(plan.work)
        self._without_uid = list(plan.without_uid)
        # Records to compare with messages during RETR: TOP was refused, or shows another header, or does not suffice.
        self._compare_on_retr = {
            job.listed.number: job.record for job in plan.work if isinstance(job, Verify) and job.whole
        }
        self._deletes: deque[_Delete] = deque()
        self._in_flight: deque[Fetch | Verify | _Delete | _Probe] = deque()
        self._incoming: Incoming | None = None
        self._held: _Held | None = None
        self._short: Listed | None = (
            None  # the last message, if it is shorter than listed and no reply has followed yet
        )
        self._quit_sent = False  # QUIT was sent
        self._quit_reply: Reply | None = None  # and answered
        self._answered = 0  # commands
        self._requested_octets = 0  # octets asked for and not yet received
        self._undurable = 0  # octets received and not yet durable
        self._pending = 0  # handed to the committer, unfinished
        self._wakeup = trio.Event()
        self._scope = trio.CancelScope()
        self._discarding = trio.CancelScope()
        self._stopping = False
        self._abandoned = False
        self._failures_in_a_row = 0
        self._progress_published = 0.0
        self._error: PopretrError | None = None
        #: The messages whose DELE was answered +OK, by their journal record.
        self.deleted: dict[int, Listed] = {}
        #: What the server said to each DELE that it refused.
        self.refused_deletions: list[str] = []
        #: Messages that are listed although the server said, in an earlier session, that it had deleted them.
        self.reappeared = 0
        #: Messages and octets received.
        self.messages = 0
        self.octets = 0
        #: Why retrieval ended early although the connection is well.
        self.gave_up: PopretrError | None = None

    # --- from outside -------------------------------------------------------------------------------------------------

    def stop(self, drain: float = DRAIN_TIMEOUT) -> None:
        """Send no further RETR; leave `drain` seconds for what is in flight."""
        if not self._stopping:
            self._stopping = True
            self._scope.deadline = trio.current_time() + drain
            self._discarding.deadline = trio.current_time() + DISCARD_TIMEOUT
            self._wakeup.set()

    def abandon(self, problem: PopretrError) -> None:
        """Give up the connection at once; run() raises `problem`."""
        self._error = problem
        self._abandoned = True
        self._scope.cancel()

    @property
    def suspect(self) -> Suspect | None:
        """The message whose reply is being received or is next: the one to blame where the connection broke."""
        # What the machine would not send any more was not asked for.
        head = self._in_flight[0] if self._in_flight and self._connection.machine.outstanding else None
        if head is None or isinstance(head, _Probe) or self.cut_short is not None:
            return None
        key, deletion = head.listed.failure_key, not isinstance(head, Fetch)
        return Suspect(head.listed, deletion_key(key) if deletion else key, deletion)

    @property
    def cut_short(self) -> Listed | None:
        """The message that the server ended too early, if the rest of it broke the connection."""
        return self._short if self._connection.machine.stray_octets else None

    @property
    def broke_by_pipelining(self) -> bool:
        """Whether, where the connection broke, the cause may be that the server had more than one command to answer.

        Not when it has answered more of them than it ever has at once: then it bears that.
        """
        return self._answered < MAX_COMMANDS and broke_by_pipelining(self._connection)

    async def run(self) -> bool:
        """Do the work; return whether the connection is at rest, so that quit() can follow.

        Raises what broke the connection. In every case all messages handed to the committer are settled on return.
        """
        with self._delivery.receive_budget, self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                try:
                    await self._write()
                except ConnectionCut:
                    # What the server said before may still be there; the reader meets the end, and at which message.
                    await trio.sleep_forever()
                except PopretrError as problem:
                    self._error = problem
                nursery.cancel_scope.cancel()
        if self._abandoned or trio.current_time() >= self._scope.deadline:
            # What blocks in a socket would keep the parcels waiting. Not where only the POP3 connection broke: what is
            # being handed over is let through, or it would come twice.
            self._delivery.sink.interrupt()
            await self._drop_held()
        await self._release(Doubt.SHORT if self.cut_short else Doubt.UNPROVEN)
        if self._incoming is not None and self._incoming.draft is not None:
            await self._discard(self._incoming.draft)
        while self._pending:
            await self._woken()
        if self._error is not None:
            raise self._error
        return not self._in_flight

    async def quit(self) -> Reply:
        """Say QUIT, if that was not done behind the last DELEs, and return the answer."""
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
            elif self._at_rest():
                return
            else:
                await self._woken()

    def _at_rest(self) -> bool:
        return self._all_asked_for and not (self._in_flight or self._under_way or self._deletes)

    @property
    def _under_way(self) -> bool:
        """Whether a message is received that is neither durable nor abandoned yet."""
        return bool(self._pending or self._incoming or self._held)

    @property
    def _all_asked_for(self) -> bool:
        return self._stopping or self.gave_up is not None or not self._work

    async def _woken(self) -> None:
        await self._wakeup.wait()
        self._wakeup = trio.Event()

    def _next_commands(self) -> list[Command]:
        """The commands that may be sent now: what is durable is deleted first, then the window is filled."""
        commands: list[Command] = []
        most = MAX_COMMANDS - len(self._in_flight) if self._pipelining else int(not self._in_flight)
        while self._deletes and len(commands) < most and self._may_delete:
            delete = self._deletes.popleft()
            commands.append(Dele(delete.listed.number))
            self._in_flight.append(delete)
        to_come = self._requested_octets - (self._incoming.size if self._incoming else 0)
        while not self._all_asked_for and len(commands) < most:
            if to_come >= WINDOW or self._undurable >= MAX_UNDURABLE:
                break
            job = self._work.popleft()
            number = job.listed.number
            size = job.listed.size
            to_come += size
            self._requested_octets += size
            ask_header = isinstance(job, Verify) and number not in self._compare_on_retr
            commands.append(Top(number, 0) if ask_header else Retr(number))
            self._in_flight.append(job)
        if self._held is not None and not (commands or self._in_flight):
            commands.append(Noop())
            self._in_flight.append(_Probe())
        if commands and self._pipelining and self._only_deletes_left:
            self._quit_sent = True
            commands.append(Quit())
        return commands

    @property
    def _only_deletes_left(self) -> bool:
        """Whether the answers to come are those to DELEs, and nothing more will be asked after them."""
        return not self._deletes and self._all_retrieved

    @property
    def _all_retrieved(self) -> bool:
        return (
            self._all_asked_for and not self._under_way and all(isinstance(each, _Delete) for each in self._in_flight)
        )

    @property
    def _may_delete(self) -> bool:
        return not self._deletions_last or self._all_retrieved

    # --- reader -------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            while self._in_flight or not self._quit_sent:  # the answer to QUIT is left to quit()
                if not self._in_flight:
                    self._connection.idle()
                for event in await self._connection.events():
                    await self._handle(event)
                self._progress()
                self._wakeup.set()
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
            f"the server has not ended {message(listed.number, listed.uid)}: all of its {listed.size} octets arrived,"
            " but not the line that ends a message",
            advice="it is tried again at the next run; if that fails as well, tell the server's operator",
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
            self._answered += 1
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
        number = job.listed.number
        store = isinstance(job, Fetch) or number in self._compare_on_retr
        whole = store and (job.listed.uid is None or bool(self._without_uid))
        self._incoming = Incoming(job, self._delivery.of(job), store=store, whole=whole)

    async def _spill(self, incoming: Incoming) -> None:
        draft = incoming.draft
        assert draft is not None
        try:
            await self._delivery.disk_of(draft).run(draft.spill)
        except DeliveryFailed as problem:
            # The rest of the message still has to be read; it is only not stored any more.
            incoming.draft = None
            await self._discard(draft)
            self._not_stored(incoming.job, problem)

    async def _received(self, event: BodyEnd) -> None:
        incoming, self._incoming = self._incoming, None
        assert incoming is not None
        self._in_flight.popleft()
        job = incoming.job
        listed = job.listed
        self._requested_octets -= listed.size
        incoming.end()
        # What the message is known by: its header, or all of it where the server gives no usable UID.
        identity = incoming.hasher.header() if listed.uid is not None else incoming.hasher.whole()
        draft = incoming.draft
        if listed.number == 1 and incoming.hasher.folder_data:
            self._compare_on_retr.pop(listed.number, None)
            self._observer.left(listed, FOLDER_DATA)
            if draft is not None:
                await self._discard(draft)
            return
        if isinstance(job, Verify) and draft is None and listed.number not in self._compare_on_retr:
            if job.record.identity.same_as(identity):
                self._already_delivered(listed, job.record)
            else:  # another message under a used UID; or TOP does not show the header that RETR shows
                self._compare_on_retr[listed.number] = job.record
                self._work.append(job)
            return
        self.messages += 1
        self.octets += event.octets
        faultpoints.reached(Step.RECEIVED)
        earlier = self._compare_on_retr.pop(listed.number, None)
        if draft is None:  # could not be stored
            return
        wholeness = judge(listed.octets, event.octets, incoming.feeds)
        self._short = None if wholeness is Wholeness.WHOLE else listed
        if wholeness is Wholeness.EMPTY:
            problem = MessageRefused(f"the server sent an empty message instead of the listed {listed.octets} octets")
            self._observer.failed(listed, problem, count=True)
            await self._discard(draft)
            return
        earlier = self._match(earlier, identity, event.octets)
        if earlier is None and self._without_uid:
            earlier = self._match_unnamed(incoming.hasher.whole())
        # The remaining work is recorded before the first await; otherwise the retrieval would seem to be finished.
        if earlier is None:
            resolve = partial(self._hand_over, incoming, draft, identity, event.octets)
            await self._accept_or_hold(wholeness, resolve, draft)
        elif earlier.doubt is Doubt.UNPROVEN:
            await self._accept_or_hold(wholeness, partial(self._resolve_known, job, earlier), None)
            await self._discard(draft)
        else:
            self._already_delivered(listed, earlier)
            await self._discard(draft)

    async def _accept_or_hold(
        self, wholeness: Wholeness, resolve: Callable[[Doubt], Awaitable[None]], draft: Draft | None
    ) -> None:
        """Continue with a message: at once, or with a doubtful one when the server's next line has arrived."""
        if wholeness is Wholeness.DOUBTFUL:
            self._held = _Held(resolve, draft)
        else:
            await resolve(Doubt.NONE if wholeness is Wholeness.WHOLE else Doubt.SHORT)

    async def _release(self, doubt: Doubt) -> None:
        held, self._held = self._held, None
        if held is not None:
            await held.resolve(doubt)

    async def _drop_held(self) -> None:
        """Discard a doubtful message: it is retrieved again later."""
        held, self._held = self._held, None
        if held is not None and held.draft is not None:
            await self._discard(held.draft)

    def _match(self, record: Record | None, identity: Identity, octets: int) -> Record | None:
        """Return the record if the message that was retrieved is the one of this record."""
        if record is None or not record.identity.same_as(identity):
            return None
        # If the message may have been cut short, an equal header does not prove that it is whole.
        return record if record.doubt is Doubt.NONE or record.octets == octets else None

    async def _resolve_known(self, job: Fetch | Verify, record: Record, doubt: Doubt) -> None:
        """Record whether a message that may have been cut short when it was delivered is whole."""
        if doubt is Doubt.UNPROVEN:
            return
        self._pending += 1
        try:
            await self._delivery.resolve(record.id, doubt)
        except JournalError as problem:
            self._not_stored(job, problem)
        else:
            if doubt is Doubt.SHORT:
                self._observer.kept()
            else:
                self._already_delivered(job.listed, record)
        finally:
            self._pending -= 1
            self._wakeup.set()

    def _already_delivered(self, listed: Listed, record: Record) -> None:
        """The listed message is the one of this record: it was delivered before."""
        if record.state is MessageState.KEPT:
            self._observer.kept()
            return
        reappeared = record.state is MessageState.DELETED
        self.reappeared += reappeared
        if reappeared or to_delete(record, self._delivery.policy, self._delivery.clock):
            self._delete(listed, record.id)

    def _delete(self, listed: Listed, record: int) -> None:
        """Have a DELE sent; not when the journal has failed: what it holds must be read anew first (SPEC 5)."""
        if not isinstance(self.gave_up, JournalError):
            self._deletes.append(_Delete(listed, record))

    def _match_unnamed(self, whole: Identity) -> Record | None:
        """Use up one record of an equal message: two identical mails are two.

        Records made when there were UIDs are not matched: equal headers of equal sizes are no proof, and where a server
        withdraws UIDL after an unclean session a message comes rather twice than never.
        """
        for record in self._without_uid:
            if record.identity.same_as(whole):
                self._without_uid.remove(record)
                return record
        return None

    async def _hand_over(self, incoming: Incoming, draft: Draft, identity: Identity, octets: int, doubt: Doubt) -> None:
        job, listed = incoming.job, incoming.job.listed
        delivery = self._delivery.of(job)
        sender = incoming.hasher.sender
        time, born = self._retrieved_at(job, identity)
        record = NewRecord(
            id=incoming.record_id,
            maildrop=delivery.maildrop,
            uid=listed.uid,
            octets=octets,
            identity=identity,
            delete_pending=not delivery.policy.preserve and doubt is Doubt.NONE,
            tmp=draft.tmp,
            final=draft.final,
            audit=delivery.audit(draft.description(), identity.message_id, octets, sender),
            time=time,
            doubt=doubt,
            born=born,
        )

        def done(problem: PopretrError | None) -> None:
            self._pending -= 1
            self._undurable -= octets
            self._wakeup.set()
            if problem is None:
                self._failures_in_a_row = 0
                if record.delete_pending:
                    self._delete(listed, record.id)
                self._observer.delivered(listed, pending, octets, sender)
                if isinstance(job, Fetch) and job.refusal:
                    self._observer.saved(listed, job.refusal, draft.final)
            else:
                self._not_stored(job, problem)

        draft.exclude_recipients(delivery.accepted.take(listed.uid, identity))
        pending = PendingDelivery(draft, record, done)
        self._pending += 1
        self._undurable += octets
        try:
            await delivery.lane.put(pending)
        except trio.Cancelled:  # the committer had no room for it yet, and never hears of it
            self._pending -= 1
            self._undurable -= octets
            await self._discard(draft)
            raise

    def _retrieved_at(self, job: Fetch | Verify, identity: Identity) -> tuple[int, float]:
        """Return the times for the record: of the first retrieval if deleteafter is set, because it would never pass
        for a message that preserve retrieves at each run."""
        earlier = job.earlier if isinstance(job, Fetch) else None
        if (
            earlier is not None
            and self._delivery.policy.delete_after is not None
            and earlier.identity.same_as(identity)
        ):
            return earlier.time, earlier.born
        return int(self._delivery.now().timestamp()), self._delivery.clock

    # --- troubles -----------------------------------------------------------------------------------------------------

    def _refused(self, job: Fetch | Verify, reply: Reply) -> None:
        self._requested_octets -= job.listed.size
        if isinstance(job, Verify) and job.listed.number not in self._compare_on_retr:
            self._compare_on_retr[job.listed.number] = job.record  # TOP is optional (RFC 1939 §7)
            self._work.appendleft(job)
        else:
            reason = visible(reply.text, 200) or "without a reason"
            if reply.code == "UTF8":
                reason = f"it is in UTF-8, and UTF-8 mode is off{self._delivery.utf8_advice}: {reason}"
            problem = MessageRefused(f"the server refused to send it: {reason}")
            self._observer.failed(job.listed, problem, count=reply.code not in TEMPORARY_CODES)

    def _not_stored(self, job: Fetch | Verify, problem: PopretrError) -> None:
        listed = job.listed
        to_save = (
            self._delivery.rejected is not None and isinstance(problem, DeliveryFailed) and problem.refused_for_good
        )
        if isinstance(job, Fetch) and not isinstance(problem, JournalError):
            if job.refusal:  # the next session tries to deliver it again, and then to save it
                certain = not isinstance(problem, DestinationTimeout)
                self._observer.failed(listed, _not_saved(job.refusal, problem), count=certain, rejected=certain)
                return
            saving = job.to_save(str(problem)) if to_save else None
            if saving is not None and not (self._stopping or self.gave_up):
                self._work.appendleft(saving)
                self.messages -= 1  # it is retrieved again
                return
        # The destination refuses this message; it may accept the next, or must refuse it as often before it is saved.
        if to_save or isinstance(problem, MessageRejected):
            self._observer.failed(listed, problem, count=True, rejected=True)
            return
        # What was in flight when all became hopeless fails alike: no line for each.
        self._observer.failed(listed, problem, count=False, report=self.gave_up is None)
        self._failures_in_a_row += 1
        if isinstance(problem, JournalError):
            self.gave_up = problem
            self._deletes.clear()
        elif self._failures_in_a_row >= MAX_DELIVERY_FAILURES:
            self.gave_up = self.gave_up or problem

    async def _discard(self, draft: Draft) -> None:
        # After a call that was left behind this one waits for it: a draft is never used in two threads.
        with trio.CancelScope(shield=True) as self._discarding, contextlib.suppress(DestinationTimeout):
            if self._stopping:
                self._discarding.deadline = trio.current_time() + DISCARD_TIMEOUT
            await self._delivery.disk_of(draft).run(draft.abort)

    def _progress(self) -> None:
        now = trio.current_time()
        if now - self._progress_published >= 0.25:
            self._progress_published = now
            self._observer.progressed(self.messages, self.octets + (self._incoming.size if self._incoming else 0))


def _not_saved(refusal: str, problem: PopretrError) -> PopretrError:
    return type(problem)(f"{refusal}; and it cannot be saved: {problem}", advice=problem.advice)
