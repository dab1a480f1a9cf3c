"""A connection of a session as the engine has it: listing, plan, RETR or TOP, DELE for what is durable, QUIT."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from tests.journal.model_disk import Step
from tests.journal.model_dues import Dues
from tests.journal.model_errand import BrokenError, Errand, Tally
from tests.journal.model_program import PendingDelivery, Program
from tests.journal.model_server import Ailment, Farewell, Mail
from tests.journal.model_troubles import Troubles
from tui_popretr.delivery.sink import Draft, Sink
from tui_popretr.errors import (
    CommandRefused,
    ConnectionCut,
    DeliveryFailed,
    JournalError,
    PopretrError,
    UidlUnavailable,
)
from tui_popretr.journal.records import MessageState, NewRecord, Record
from tui_popretr.mail.identity import Identity, IdentityHasher
from tui_popretr.session.plan import Fetch, Listed, Plan, Verify, make_plan, to_delete

#: So many messages in a row that cannot be stored end the retrieval.
HOPELESS = 3


class Connection:
    """One connection; run() goes on at each next(), so that several can be under way."""

    def __init__(self, program: Program, errand: Errand, number: int, broke: Collection[str], tally: Tally) -> None:
        """`number` is the session's; `broke` are trouble keys of messages that broke the connection before this one."""
        self._program = program
        self._errand = errand
        self._policy = errand.policy
        self._number = number
        self._broke = frozenset(broke)
        self._tally = tally
        self._ledger = program.ledger
        self._records = program.records[errand.account]
        self._account = self._ledger.accounts[errand.account]
        self._drop = self._account.drop
        self._now = self._ledger.clock.now
        self._open = True
        self._present = self._drop.listed
        self._uids: dict[Mail, str | None] = {}
        self._listed: list[str] | None = []  # UIDs, where all have one
        self._marked: list[Mail] = []  # DELE was answered +OK
        self._deleted: list[int] = []  # their records
        self._parcels = 0
        self._hopeless: PopretrError | None = None
        self._in_a_row = 0
        self._went_well = not broke and errand.farewell is Farewell.OK
        self.troubles = Troubles(program, self._records, tally)

    def run(self, sink: Sink) -> Iterator[None]:
        """Raises BrokenError where the next connection is to do without a message."""
        listing = self._drop.listing()
        self._uids = {mail: listed.uid for mail, listed in zip(self._present, listing, strict=True)}
        self._program.disk.step(Step.HEAR)
        plan = self._plan(listing)
        no_place = self._make_ready(sink, plan)
        yield from self._retrieve(sink, plan)
        self.troubles.count()
        self._quit()
        if no_place is not None:
            raise no_place
        if self._went_well and listing:
            self._dues.check(self._number)
        if isinstance(self._hopeless, JournalError):
            raise self._hopeless

    def cut(self) -> None:
        """It is no more, whoever ended it."""
        if self._open:
            self._open = False
            if self._errand.rash:
                self._delete_on_server()

    def _plan(self, listing: list[Listed]) -> Plan:
        if not listing:
            return Plan()
        uids = [each.uid for each in listing if each.uid is not None]
        self._listed = uids if len(uids) == len(listing) else None
        if not uids and (self._policy.new_only or self._policy.delete_after is not None):
            raise UidlUnavailable("the server gives no usable UIDs (UIDL)")
        journal, maildrop = self._program.journal, self._records.number
        records = journal.records(maildrop, deleted=False) + journal.deleted(maildrop, uids)
        troubles = journal.failures(maildrop)
        plan = make_plan(listing, records, troubles, self._policy, self._now, self._now, self._broke)
        self.troubles.known = troubles.keys()
        self._dues = Dues(self._records, self._policy, {each.uid: each for each in records if each.uid is not None})
        self._dues.judge(plan, self._broke)
        self._dues.demand(self._present, listing)
        if plan.to_mark_for_deletion:
            self._ledger.own(plan.to_mark_for_deletion, surely=False)
            journal.mark_delete_pending(plan.to_mark_for_deletion)
            self._ledger.own(plan.to_mark_for_deletion, surely=True)
        return plan

    def _make_ready(self, sink: Sink, plan: Plan) -> DeliveryFailed | None:
        if plan.fetches:
            try:
                sink.make_ready(min(each.listed.size for each in plan.fetches))
            except DeliveryFailed as problem:
                plan.work = [each for each in plan.work if not isinstance(each, Fetch)]
                return problem
        return None

    # --- retrieving ---------------------------------------------------------------------------------------------------

    def _retrieve(self, sink: Sink, plan: Plan) -> Iterator[None]:
        work, without_uid = deque(plan.work), list(plan.without_uid)
        again: dict[int, Record] = {}  # TOP was refused: compare while retrieving
        while work and self._hopeless is None:
            job = work.popleft()
            listed = job.listed
            mail = self._present[listed.number - 1]
            if isinstance(job, Verify) and listed.number not in again:
                if not self._drop.top:
                    again[listed.number] = job.record
                    work.appendleft(job)
                elif job.record.identity.same_as(_hashed(mail.header).header()):
                    self._known_again(mail, job.record)
                else:  # RETR decides
                    again[listed.number] = job.record
                    work.append(job)
                continue
            try:
                self._receive(sink, job, again.get(listed.number), without_uid)
            except BrokenError:
                yield from self._flush()
                raise
            yield
        yield from self._flush()

    def _receive(self, sink: Sink, job: Fetch | Verify, earlier: Record | None, without_uid: list[Record]) -> None:
        listed = job.listed
        mail = self._present[listed.number - 1]
        self._program.disk.step(Step.SPEAK)
        if mail.ailment is Ailment.REFUSED:
            self.troubles.failed.append(listed)
            self._went_well = False
            return
        half = len(mail.content) // 2
        draft = self._program.opened(sink.open(self._program.next_id(), datetime.fromtimestamp(self._now, UTC)))
        draft.write(mail.content[:half])
        stored = self._spill(draft) if listed.size % 2 else True
        if mail.ailment is Ailment.CUT:
            self.cut()
            draft.abort()
            raise BrokenError(listed)
        draft.write(mail.content[half:])
        self._program.disk.step(Step.HEAR)
        if not stored:
            return
        hasher = _hashed(mail.content)
        identity = hasher.header() if listed.uid is not None else hasher.whole()
        if earlier is not None and not earlier.identity.same_as(identity):
            earlier = None
        if earlier is None:
            earlier = next((each for each in without_uid if each.identity.same_as(hasher.whole())), None)
            if earlier is not None:
                without_uid.remove(earlier)
        if earlier is not None:
            draft.abort()
            self._known_again(mail, earlier)
            return
        self._hand_over(draft, job, identity)

    def _spill(self, draft: Draft) -> bool:
        try:
            draft.spill()
        except DeliveryFailed as problem:
            draft.abort()
            self._not_stored(problem)
            return False
        return True

    def _hand_over(self, draft: Draft, job: Fetch | Verify, identity: Identity) -> None:
        listed = job.listed
        mail = self._present[listed.number - 1]
        earlier = job.earlier if isinstance(job, Fetch) else None
        same = earlier is not None and self._policy.delete_after is not None and earlier.identity.same_as(identity)
        record = NewRecord(
            id=draft.record_id,
            maildrop=self._records.number,
            uid=listed.uid,
            octets=listed.size,
            identity=identity,
            delete_pending=not self._policy.preserve,
            tmp=draft.tmp,
            final=draft.final,
            audit=f"audit {draft.record_id}",
            time=earlier.time if earlier is not None and same else self._now,
            born=earlier.born if earlier is not None and same else self._now,
        )

        def done(problem: PopretrError | None) -> None:
            self._parcels -= 1
            if problem is not None:
                self._not_stored(problem)
                return
            self._in_a_row = 0
            self._tally.delivered += 1
            self._tally.octets += record.octets
            self.troubles.delivered(listed)
            if record.delete_pending:
                self._delete(mail, record.id)

        self._ledger.retrieved(self._account, mail, record, self._policy, self._number)
        self._parcels += 1
        self._program.put(PendingDelivery(draft, record, done))

    def _flush(self) -> Iterator[None]:
        """Wait until all that was handed over is durable, or has failed."""
        while self._parcels:
            self._program.work()
            yield

    def _known_again(self, mail: Mail, record: Record) -> None:
        if record.state is MessageState.DELETED or to_delete(record, self._policy, self._now):
            self._delete(mail, record.id)

    def _delete(self, mail: Mail, record: int) -> None:
        if self._open and not isinstance(self._hopeless, JournalError):
            self._program.disk.step(Step.SPEAK)
            self._marked.append(mail)
            self._deleted.append(record)
            self._program.disk.step(Step.HEAR)

    def _not_stored(self, problem: PopretrError) -> None:
        self._tally.problem = problem
        self._went_well = False
        self._in_a_row += 1
        if isinstance(problem, JournalError) or self._in_a_row >= HOPELESS:
            self._hopeless = problem

    # --- the end ------------------------------------------------------------------------------------------------------

    def _quit(self) -> None:
        self._program.disk.step(Step.SPEAK)
        match self._errand.farewell:
            case Farewell.REFUSED:
                self._open = False
                raise CommandRefused("the server answered QUIT with an error")
            case Farewell.CUT_BEFORE:
                self.cut()
                raise ConnectionCut("the connection was cut")
            case Farewell.CUT_AFTER:
                self._delete_on_server()
                raise ConnectionCut("the connection was cut")
        told = list(self._marked)
        if self._errand.farewell is Farewell.KEPT:
            self._open = False
        else:
            self._delete_on_server()
        self._program.disk.step(Step.HEAR)
        self._close(told)

    def _close(self, told: list[Mail]) -> None:
        uids = {uid for mail in told if (uid := self._uids[mail]) is not None}
        policy = self._policy
        for surely in (False, True):
            if surely:
                self._program.journal.close_session(
                    self._records.number,
                    deleted=self._deleted,
                    listed=self._listed,
                    now=self._now,
                    keep_unnamed=policy.new_only or policy.delete_after is not None,
                )
            self._ledger.closed(self._account, self._deleted, policy, surely=surely)
            self._records.closed(self._listed, uids, surely=surely)
        for mail in told:
            mail.gone_unknown = False

    def _delete_on_server(self) -> None:
        self._open = False
        marked, self._marked = self._marked, []
        self._ledger.removed(self._account, marked, self._uids, self._policy, self._number)


def _hashed(content: bytes) -> IdentityHasher:
    hasher = IdentityHasher(whole=True)
    hasher.update(content)
    return hasher
