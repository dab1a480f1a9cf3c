"""Messages that are sent together, to a receiver that can be asked for those in doubt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.drafts import outcomes
from tests.support.journals import NOW, Journals, open_journals
from tests.support.searchable import DEAF, PlayedSink, Receiver
from tests.support.worlds import disk_without_threads
from tui_popretr.commit.audit import AuditWriter
from tui_popretr.commit.lookup import Recovered, RecoveryResult, recovery_text
from tui_popretr.commit.queue import PendingDelivery
from tui_popretr.commit.remote import RemoteQueue
from tui_popretr.delivery.remote import ALONE, Group
from tui_popretr.errors import DeliveryStopped, ImapMessageRefused, JournalError, MessageInDoubt, PopretrError
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, MessageState, NewRecord, Record
from tui_popretr.mail.identity import Identity


class Office:
    """A RemoteQueue with a real journal and a fake receiver."""

    def __init__(self, journals: Journals, maildrop: int, audited: list[str]) -> None:
        self.journal, self.recovery = journals
        self.receiver = Receiver()
        self.maildrop = maildrop
        self.audited = audited
        self.ends: dict[int, PopretrError | None] = {}
        self.sink = PlayedSink(self.receiver)
        self.queue = RemoteQueue(self.recovery, AuditWriter(audited.extend, 30.0), lambda _: None, self.sink)

    async def put(self, *numbers: int, octets: int = 10, named: bool = True, message_id: str = "") -> None:
        """Put messages; their Message-IDs are m1, m2, ..."""
        for number in numbers:
            message = self.sink.open(number)
            message.write(bytes(octets))
            message.finish()
            message.message_id = (message_id or f"m{number}") if named else None
            record = NewRecord(
                number, self.maildrop, f"u{number}", 10, Identity(b"d"), True, None, None, f"line {number}", NOW
            )
            await self.queue.put(PendingDelivery(message, record, outcomes(self._end)))

    async def run(self) -> None:
        self.queue.close()
        await self.queue.run()

    async def records(self) -> dict[int, Record]:
        records = await self.journal.run(lambda journal: journal.records(self.maildrop))
        return {record.id: record for record in records}

    async def states(self) -> dict[int, MessageState]:
        return {number: record.state for number, record in (await self.records()).items()}

    async def ask(self) -> list[RecoveryResult]:
        return [each.outcome for each in await self.answers()]

    async def answers(self) -> list[Recovered]:
        return await self.recovery.ask(self.maildrop, self.sink.find)

    def _end(self, delivery: PendingDelivery) -> None:
        assert delivery.record.id not in self.ends
        self.ends[delivery.record.id] = delivery.error


@asynccontextmanager
async def office(folder: Path, group: Group = ALONE) -> AsyncIterator[Office]:
    audited: list[str] = []
    with disk_without_threads(lambda: 1.0):
        async with open_journals(folder, audited.extend) as journals:
            found = Office(journals, await journals.maildrop("played:receiver"), audited)
            found.receiver.group = group
            yield found


@pytest.mark.parametrize(
    ("group", "groups"),
    [
        (Group(1, 0), [["m1"], ["m2"], ["m3"], ["m4"]]),
        (Group(3, 1000), [["m1", "m2", "m3"], ["m4"]]),
        (Group(9, 25), [["m1", "m2"], ["m3", "m4"]]),
        (Group(9, 9), [["m1"], ["m2"], ["m3"], ["m4"]]),
    ],
)
@trio_test
async def test_a_group_has_a_limit(
    group: Group, groups: list[list[str]], tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with office(tmp_path, group) as here:
        await here.put(1, 2, 3, 4)
        await here.run()
        assert here.receiver.groups == groups
        assert here.ends == dict.fromkeys((1, 2, 3, 4))


@trio_test
async def test_a_message_that_cannot_be_found_is_sent_alone(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path, Group(9, 1000)) as here:
        await here.put(1, 2)
        await here.put(3, named=False)
        await here.put(4, 5)
        await here.run()
        assert here.receiver.groups == [["m1", "m2"], [None], ["m4", "m5"]]


@trio_test
async def test_a_group_is_recorded_in_one_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """With the marks, together with *delivered* of the group before."""
    transactions: list[tuple[list[tuple[int, str | None]], list[tuple[int, str | None]]]] = []
    real = Journal.commit

    def commit(journal: Journal, delivering: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
        new = [(each.id, each.mark) for each in delivering]
        transactions.append((new, [(each.id, each.receipt) for each in delivered]))
        real(journal, delivering, delivered)

    monkeypatch.setattr(Journal, "commit", commit)
    async with office(tmp_path, Group(2, 1000)) as here:
        await here.put(1, 2, 3)
        await here.run()
        assert transactions == [
            ([(1, '["m1", 0, 10]'), (2, '["m2", 0, 10]')], []),
            ([(3, '["m3", 2, 10]')], [(1, "Place=0"), (2, "Place=1")]),
            ([], [(3, "Place=2")]),
        ]
        assert here.audited == ["line 1; Place=0", "line 2; Place=1", "line 3; Place=2"]
        assert {number: each.mark for number, each in (await here.records()).items()} == {
            1: "Place=0",
            2: "Place=1",
            3: "Place=2",
        }, "afterwards it is where the receiver has the message"


@trio_test
async def test_if_the_commit_fails_nothing_of_a_group_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    problem = JournalError("the disk is full")

    def fail(*_: object) -> None:
        raise problem

    async with office(tmp_path, Group(2, 1000)) as here:
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "commit", fail)
            await here.put(1, 2)
            await here.run()
        assert here.ends == {1: problem, 2: problem}
        assert here.receiver.groups == []


@trio_test
async def test_each_message_of_a_group_has_its_own_outcome(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path, Group(9, 1000)) as here:
        here.receiver.refused.add("m2")
        here.receiver.unanswered.add("m3")
        await here.put(1, 2, 3, 4)
        await here.run()
        assert [type(here.ends[number]) for number in (1, 2, 3, 4)] == [
            type(None),
            ImapMessageRefused,
            MessageInDoubt,
            type(None),
        ]
        delivered, delivering = MessageState.DELIVERED, MessageState.DELIVERING
        assert await here.states() == {1: delivered, 3: delivering, 4: delivered}
        assert not here.recovery._publishing


@trio_test
async def test_a_message_without_a_mark_is_sent_again(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The receiver cannot be asked for it."""
    async with office(tmp_path) as here:
        here.receiver.unanswered.add("")
        await here.put(1, named=False)
        await here.run()
        assert isinstance(here.ends[1], MessageInDoubt)
        assert await here.states() == {}


@trio_test
async def test_stop_leaves_what_may_have_been_sent(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path, Group(2, 1000)) as here:
        here.receiver.on_sent = here.queue.stop
        await here.put(1, 2, 3)
        await here.run()
        assert [type(here.ends[number]) for number in (1, 2, 3)] == [type(None), type(None), DeliveryStopped]
        assert set(await here.states()) == {1, 2}
        assert here.receiver.groups == [["m1", "m2"]]
        assert here.queue._buffered == 0


@trio_test
async def test_stop_before_a_group_is_sent(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path, Group(2, 1000)) as here:
        here.receiver.on_marked = here.queue.stop
        await here.put(1, 2, 3)
        await here.run()
        assert {type(each) for each in here.ends.values()} == {DeliveryStopped}
        assert here.receiver.groups == []
        assert await here.states() == {}
        assert here.queue._buffered == 0


@trio_test
async def test_messages_that_cannot_be_marked_are_not_sent(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def mark(*_: object) -> Sequence[str | None]:
        raise DEAF

    async with office(tmp_path, Group(2, 1000)) as here:
        await here.put(1)
        here.receiver.on_sent = lambda: setattr(here.sink, "mark", mark)
        await here.put(2)
        here.receiver.group = Group(1, 0)
        await here.run()
        assert here.ends == {1: None, 2: DEAF}
        assert await here.states() == {1: MessageState.DELIVERED}
        assert here.queue._buffered == 0


@trio_test
async def test_what_has_arrived_is_delivered(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path, Group(9, 1000)) as here:
        here.receiver.unanswered |= {"m1", "m2"}
        here.receiver.lost.add("m3")
        await here.put(1, 2, 3)
        await here.run()
        assert await here.ask() == [RecoveryResult.ARRIVED, RecoveryResult.ARRIVED, RecoveryResult.ABSENT]
        assert here.audited == ["line 1; Place=0 (recovered)", "line 2; Place=1 (recovered)"]
        records = await here.records()
        assert {number: (each.state, each.mark) for number, each in records.items()} == {
            1: (MessageState.DELIVERED, "Place=0"),
            2: (MessageState.DELIVERED, "Place=1"),
        }
        assert await here.ask() == []
        assert here.receiver.asked == 1


@trio_test
async def test_an_equal_message_before_it_is_another(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with office(tmp_path) as here:
        await here.put(1)
        await here.run()
        here.receiver.ids = ["m2"]
        here.receiver.lost.add("m2")
        await here.put(2)
        await here.run()
        assert await here.ask() == [RecoveryResult.ABSENT]


@trio_test
async def test_an_equal_message_after_it_waits(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It would be found in place of the one in doubt, which was lost."""
    async with office(tmp_path) as here:
        here.receiver.lost.add("m1")
        here.receiver.on_sent = here.receiver.lost.clear
        await here.put(1)
        await here.put(2, message_id="m1")
        await here.put(3)
        await here.run()
        assert [type(here.ends[number]) for number in (1, 2, 3)] == [MessageInDoubt, MessageInDoubt, type(None)]
        assert set(await here.states()) == {1, 3}
        assert await here.ask() == [RecoveryResult.ABSENT]
        assert here.queue._buffered == 0


@trio_test
async def test_without_an_answer_it_stays_in_doubt(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Neither the next session nor the next start takes it for a message that was lost."""
    async with office(tmp_path) as here:
        here.receiver.unanswered.add("m1")
        await here.put(1)
        await here.run()
        here.receiver.deaf = DEAF
        (answer,) = await here.answers()
        assert (answer.outcome, answer.error) == (RecoveryResult.UNKNOWN, DEAF)
        assert recovery_text(answer) == (
            "message 1 may have arrived, and its server cannot be asked: it stays where it is"
            " (the receiver does not answer)"
        )
        await here.journal.close()
        assert await here.recovery.open() == []
        assert await here.states() == {1: MessageState.DELIVERING}
        here.receiver.deaf = None
        assert await here.ask() == [RecoveryResult.ARRIVED]


@trio_test
async def test_a_defect_in_the_search_changes_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def find(*_: object) -> Sequence[object]:
        raise ValueError("a defect")

    async with office(tmp_path) as here:
        here.receiver.unanswered.add("m1")
        await here.put(1)
        await here.run()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(here.sink, "find", find)
            assert await here.ask() == [RecoveryResult.UNKNOWN]
        assert await here.states() == {1: MessageState.DELIVERING}
