"""Messages to a server or command: one by one, each between its two commits; nothing is sent without a record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.drafts import outcomes
from tests.support.journals import NOW, Journals, open_journals
from tests.support.worlds import disk_without_threads
from tui_popretr.commit.audit import AuditWriter
from tui_popretr.commit.queue import MEMORY, PendingDelivery
from tui_popretr.commit.remote import RemoteQueue
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.remote import BeforeEnd, Following
from tui_popretr.delivery.spool import Spool
from tui_popretr.errors import (
    DeliveryStopped,
    DestinationTimeout,
    JournalError,
    PartlyAccepted,
    PopretrError,
    SmtpTemporaryFailure,
)
from tui_popretr.journal import thread
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, MessageState, NewRecord
from tui_popretr.journal.thread import Job
from tui_popretr.mail.identity import Identity

AUDIT_TIMEOUT = 30.0


class WatchedMessage(OutgoingMessage):
    """A message with `buffered` octets, whose abort is noted."""

    def __init__(self, number: int, on_abort: Callable[[], object], buffered: int) -> None:
        super().__init__(number, "SMTP=[]", Spool("/nonexistent"))
        self.write(bytes(buffered))
        self._on_abort = on_abort

    def abort(self) -> None:
        self._on_abort()


class Office:
    """A RemoteQueue with a real journal, whose sink is played, and the steps that were made."""

    def __init__(self, journals: Journals, maildrop: int) -> None:
        self.journal, self.recovery = journals
        self._maildrop = maildrop
        self.steps: list[str] = []
        self.ends: dict[int, PopretrError | None] = {}
        #: Called at a step of a message; it may raise.
        self.on: dict[tuple[str, int], Callable[[], Awaitable[None]]] = {}
        self.audit_problem: Exception | None = None
        #: The messages that waited when the end of one was sent.
        self.following: dict[int, int | None] = {}
        self.queue = RemoteQueue(self.recovery, AuditWriter(self._audit, AUDIT_TIMEOUT), lambda _: None, self)

    async def put(self, *numbers: int, buffered: int = 10) -> None:
        for number in numbers:
            await self.queue.put(self._pending(number, buffered))

    async def run(self) -> None:
        """Deliver what was put."""
        self.queue.close()
        await self.queue.run()

    async def step(self, step: str, number: int) -> None:
        self.steps.append(f"{step} {number}")
        if (step, number) in self.on:
            await self.on[step, number]()

    def of(self, number: int) -> list[str]:
        return [step.partition(" ")[0] for step in self.steps if step.endswith(f" {number}")]

    async def states(self) -> dict[int, MessageState]:
        records = await self.journal.run(lambda journal: journal.records(self._maildrop))
        return {record.id: record.state for record in records}

    async def send(self, draft: OutgoingMessage, before_end: BeforeEnd, following: Following) -> str:
        number = draft.record_id
        await self.step("offer", number)
        await before_end()
        message = following()
        self.following[number] = None if message is None else message.record_id
        await self.step("end", number)
        return "; Reply=250 ok"

    def _audit(self, lines: Sequence[str]) -> None:
        (line,) = lines
        assert line.endswith("; Reply=250 ok")
        self.steps.append(f"audit {line.split()[1].rstrip(';')}")
        if self.audit_problem is not None:
            raise self.audit_problem

    def _pending(self, number: int, buffered: int) -> PendingDelivery:
        def end(delivery: PendingDelivery) -> None:
            assert number not in self.ends
            self.steps.append(f"done {number}")
            self.ends[number] = delivery.error

        draft = WatchedMessage(number, lambda: self.steps.append(f"abort {number}"), buffered)
        record = NewRecord(
            number, self._maildrop, f"u{number}", 10, Identity(b"d"), True, None, None, f"line {number}", NOW
        )
        return PendingDelivery(draft, record, outcomes(end))


@asynccontextmanager
async def office(folder: Path, *, transaction: float = 1.0) -> AsyncIterator[Office]:
    """`transaction`: its seconds."""
    with disk_without_threads(lambda: transaction):
        async with open_journals(folder) as journals:
            yield Office(journals, await journals.maildrop("smtp:receiver.test"))


def at_commit(
    monkeypatch: pytest.MonkeyPatch, action: Callable[[Sequence[NewRecord], Sequence[DeliveredMark]], object]
) -> None:
    """Call `action` when the journal makes records; it may raise."""
    real = Journal.commit

    def commit(journal: Journal, delivering: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
        action(delivering, delivered)
        real(journal, delivering, delivered)

    monkeypatch.setattr(Journal, "commit", commit)


def failing_at(number: int, problem: Exception) -> Callable[[Sequence[NewRecord], object], None]:
    def fail(delivering: Sequence[NewRecord], _: object) -> None:
        if any(record.id == number for record in delivering):
            raise problem

    return fail


def raising(problem: BaseException) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        raise problem

    return fail


def sleeping(seconds: float) -> Callable[[], Awaitable[None]]:
    async def sleep() -> None:
        await trio.sleep(seconds)

    return sleep


@trio_test
async def test_delivered_shares_the_transaction_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """So at most one message is between its two commits."""
    transactions: list[tuple[list[int], list[int]]] = []
    at_commit(monkeypatch, lambda new, done: transactions.append(([r.id for r in new], [m.id for m in done])))
    async with office(tmp_path) as here:
        await here.put(1, 2, 3)
        await here.run()
        assert transactions == [([1], []), ([2], [1]), ([3], [2]), ([], [3])]
        assert here.ends == {1: None, 2: None, 3: None}
        assert here.of(2) == ["offer", "end", "abort", "audit", "done"]
        assert set((await here.states()).values()) == {MessageState.DELIVERED}


@pytest.mark.parametrize(("offer", "commit"), [(0.0, 10.0), (10.0, 0.0)])
@trio_test
async def test_a_message_is_sent_during_the_commit(
    offer: float, commit: float, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Its end is sent when both are done."""
    ends: list[float] = []

    async def note() -> None:
        ends.append(trio.current_time())

    async with office(tmp_path, transaction=commit) as here:
        here.on["offer", 1], here.on["end", 1] = sleeping(offer), note
        start = trio.current_time()
        await here.put(1)
        await here.run()
    assert ends == [start + 10.0]


@trio_test
async def test_the_end_is_not_sent_before_the_record_is_durable(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path) as here:

        async def look() -> None:
            assert await here.states() == {1: MessageState.DELIVERING}

        here.on["end", 1] = look
        await here.put(1)
        await here.run()
        assert here.ends == {1: None}


@trio_test
async def test_the_end_is_not_sent_before_the_message_before_is_recorded_as_delivered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Otherwise a crash at this moment would send both again: the receiver cannot be asked for them."""
    async with office(tmp_path) as here:
        await here.put(1, 2, 3)
        await here.run()
        order = [step for step in here.steps if step.startswith(("end", "done"))]
        assert order == ["end 1", "done 1", "end 2", "done 2", "end 3", "done 3"]


@trio_test
async def test_the_sink_gets_the_next_message_that_waits(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path) as here:
        here.on["offer", 3] = lambda: here.put(4)
        await here.put(1, 2, 3)
        await here.run()
        assert here.following == {1: 2, 2: 3, 3: 4, 4: None}


@trio_test
async def test_if_the_commit_fails_the_end_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """The message before it gets the same error at once, however long the offer takes."""
    problem = JournalError("the disk is full")
    async with office(tmp_path) as here:
        at_commit(monkeypatch, failing_at(2, problem))
        here.on["offer", 2] = sleeping(100.0)
        await here.put(1, 2, 3)
        await here.run()
        assert here.ends == {1: problem, 2: problem, 3: None}
        assert here.steps.index("done 1") < here.steps.index("offer 2") + 3
        assert here.of(2) == ["offer", "abort", "done"]
        assert await here.states() == {1: MessageState.DELIVERING, 3: MessageState.DELIVERED}


@trio_test
async def test_after_a_failed_commit_the_record_is_undecided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with office(tmp_path) as here:
        at_commit(monkeypatch, failing_at(1, JournalError("the disk is full")))
        await here.put(1)
        await here.run()
        assert [each.record.id for each in here.recovery._undecided] == [1]
        await here.recovery.recover()
        assert here.recovery._undecided == []


@pytest.mark.parametrize("step", ["offer", "end"])
@trio_test
async def test_a_refused_message_is_withdrawn_and_the_next_is_sent(
    step: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    problem = SmtpTemporaryFailure("not now")
    async with office(tmp_path) as here:
        here.on[step, 1] = raising(problem)
        await here.put(1, 2)
        await here.run()
        assert here.ends == {1: problem, 2: None}
        assert "audit" not in here.of(1)
        assert await here.states() == {2: MessageState.DELIVERED}


@trio_test
async def test_accepted_recipients_are_recorded(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path) as here:
        here.on["end", 1] = raising(PartlyAccepted("b refused it", ("a@example.test",)))
        await here.put(1)
        await here.run()
        known = await here.journal.run(lambda journal: journal.acceptances(here._maildrop))
        assert [(each.uid, each.address) for each in known] == [("u1", "a@example.test")]


@trio_test
async def test_after_a_defect_the_record_stays(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The server may have the message."""
    async with office(tmp_path) as here:
        here.on["end", 1] = raising(ValueError("a defect"))
        await here.put(1, 2)
        await here.run()
        assert "internal error: ValueError: a defect" in str(here.ends[1])
        assert await here.states() == {1: MessageState.DELIVERING, 2: MessageState.DELIVERED}


@trio_test
async def test_without_an_audit_line_it_is_not_recorded_as_delivered(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path) as here:
        here.audit_problem = SmtpTemporaryFailure("even if it looks like a refusal")

        async def repair() -> None:
            here.audit_problem = None

        here.on["end", 2] = repair
        await here.put(1, 2)
        await here.run()
        assert type(here.ends[1]) is PopretrError, "it would be withdrawn, and sent again"
        assert here.ends[2] is None
        assert await here.states() == {1: MessageState.DELIVERING, 2: MessageState.DELIVERED}


@trio_test
async def test_without_an_audit_log_no_thread_writes_one(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path) as place:
        place.queue = RemoteQueue(
            place.recovery, AuditWriter(place._audit, AUDIT_TIMEOUT, lambda: False), lambda _: None, place
        )
        await place.put(1, 2)
        await place.run()
        assert place.ends == {1: None, 2: None}
        assert place.of(1) == ["offer", "end", "abort", "done"]
        assert set((await place.states()).values()) == {MessageState.DELIVERED}


@trio_test
async def test_an_audit_log_that_hangs_fails_only_its_messages(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The line is not written later: recovery writes it."""
    async with office(tmp_path) as here:
        held: list[Job[Any]] = []

        class Hanging(thread.Worker):
            def __init__(self, *_: object) -> None:
                pass

            def put(self, job: Job[Any]) -> None:
                held.append(job)

        here.queue._audit._worker = Hanging()
        await here.put(1, 2)
        await here.run()
        assert [type(here.ends[number]) for number in (1, 2)] == [DestinationTimeout] * 2
        assert all(job.abandoned for job in held)
        assert set((await here.states()).values()) == {MessageState.DELIVERING}
        assert not here.recovery._publishing


@trio_test
async def test_a_cancelled_commit_begins_nothing_more(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The audit line is being written when the engine ends."""
    async with office(tmp_path, transaction=10.0) as here:
        await here.put(1, 2)
        with trio.move_on_after(15.0):
            await here.run()
        await trio.sleep(100.0)
        assert "audit 1" in here.steps
        assert here.ends == {}
        assert await here.states() == {1: MessageState.DELIVERING}


@pytest.mark.parametrize(("step", "steps"), [("offer", ["offer"]), ("end", ["offer", "end"])])
@trio_test
async def test_after_a_cancellation_nothing_more_is_sent(
    step: str, steps: list[str], tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with office(tmp_path) as here:
        here.on[step, 2] = sleeping(1000.0)
        await here.put(1, 2, 3)
        with trio.move_on_after(100.0):
            await here.run()
        assert here.of(2)[: len(steps)] == steps
        assert here.of(3) == []
        assert here.ends == {1: None}
        assert await here.states() == {1: MessageState.DELIVERED, 2: MessageState.DELIVERING}


@pytest.mark.parametrize(("step", "state"), [("offer", None), ("end", MessageState.DELIVERING)])
@trio_test
async def test_stop_cancels_what_is_sent_and_what_waits(
    step: str, state: MessageState | None, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A message whose end may have been sent stays *delivering*."""
    async with office(tmp_path) as here:

        async def stop() -> None:
            await trio.sleep(10.0)
            here.queue.stop()
            await trio.sleep(1000.0)

        here.on[step, 2] = stop
        await here.put(1, 2, 3)
        await here.run()
        assert here.ends[1] is None
        assert [type(here.ends[number]) for number in (2, 3)] == [DeliveryStopped] * 2
        assert here.of(3) == ["abort", "done"]
        states = await here.states()
        assert (states.get(2), states.get(3)) == (state, None)
        assert not here.recovery._publishing
        assert here.queue._buffered == 0


@trio_test
async def test_after_stop_no_message_follows(tmp_path: Path, autojump_clock: MockClock) -> None:
    following: list[OutgoingMessage | None] = []
    async with office(tmp_path) as here:

        async def stop() -> None:
            here.queue.stop()
            following.append(here.queue._following())

        here.on["offer", 1] = stop
        await here.put(1, 2)
        await here.run()
        assert following == [None]


@trio_test
async def test_accepted_recipients_survive_a_stop(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The sink raises PartlyAccepted in place of Cancelled."""

    async def second_transaction() -> None:
        here.queue.stop()
        try:
            await trio.sleep(1000.0)
        except trio.Cancelled:
            raise PartlyAccepted("b did not get it", ("a@example.test",)) from None

    async with office(tmp_path) as here:
        here.on["end", 1] = second_transaction
        await here.put(1)
        await here.run()
        assert isinstance(here.ends[1], PartlyAccepted)
        known = await here.journal.run(lambda journal: journal.acceptances(here._maildrop))
        assert [each.address for each in known] == ["a@example.test"]


@trio_test
async def test_a_defect_in_the_journal_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with office(tmp_path) as here:
        at_commit(monkeypatch, failing_at(1, ZeroDivisionError("a defect")))
        await here.put(1)
        with pytest.raises(ZeroDivisionError):
            await here.run()
        assert "end" not in here.of(1)


@trio_test
async def test_a_message_being_sent_counts_as_publishing(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Recovery would take it for an interrupted delivery, and send it again."""
    async with office(tmp_path) as here:
        publishing: dict[str, int] = {}

        async def at_offer() -> None:
            publishing["offer"] = len(here.recovery._publishing)

        async def at_end() -> None:
            publishing["end"] = len(here.recovery._publishing)

        here.on["offer", 2], here.on["end", 2] = at_offer, at_end
        await here.put(1, 2)
        await here.run()
        assert publishing == {"offer": 1, "end": 1}
        assert not here.recovery._publishing


@trio_test
async def test_a_message_makes_room_when_its_record_is_durable(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path) as here, trio.open_nursery() as nursery:
        nursery.start_soon(here.queue.run)
        await here.put(1, 2, 3, 4, 5, buffered=MEMORY // 2)
        await here.run()
        assert set(here.ends.values()) == {None}
        assert here.queue._buffered == 0
