"""Messages to a server or program: in one thread, each between its two commits; nothing is sent without a record."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from tests.support.drafts import FakeDraft
from tests.support.keepers import kept_for_smtp
from tests.support.waiting import PATIENCE, wait_for
from tui_popretr.commit.keeper import JournalKeeper
from tui_popretr.commit.pending import PendingDelivery
from tui_popretr.commit.remote import RemoteDelivery, RemoteFailure
from tui_popretr.errors import JournalError, PopretrError, SmtpTemporaryFailure
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, MessageState, NewRecord
from tui_popretr.mail.identity import Identity

NOW = 1_795_000_000


class Office:
    """A RemoteDelivery of three messages with a real journal, and the steps that were made."""

    def __init__(self, keeper: JournalKeeper, maildrop: int) -> None:
        self.keeper = keeper
        self._maildrop = maildrop
        self.steps: list[str] = []
        self.threads: set[int] = set()
        self.on_commit: list[tuple[int, list[int], BaseException | None]] = []
        self.on: dict[tuple[str, int], Callable[[], object]] = {}
        self.drafts = {
            number: FakeDraft(number, self._step, files=False, receipt=lambda _: "; Reply=250 ok")
            for number in (1, 2, 3)
        }
        self.audit_problem: Exception | None = None
        deliveries = deque(self._pending(draft, maildrop) for draft in self.drafts.values())
        self.remote = RemoteDelivery(keeper, self._audit, self._on_commit, deliveries, [])

    def note(self, step: str) -> None:
        self.threads.add(threading.get_ident())
        self.steps.append(step)

    def _step(self, step: str, number: int) -> None:
        self.note(f"{step} {number}")
        self.on.get((step, number), lambda: None)()

    def of(self, number: int) -> list[str]:
        return [step.partition(" ")[0] for step in self.steps if step.endswith(f" {number}")]

    async def run(self) -> RemoteFailure | None:
        return await trio.to_thread.run_sync(self.remote.run)

    async def states(self) -> dict[int, MessageState]:
        records = await self.keeper.run(lambda journal: journal.records(self._maildrop))
        return {record.id: record.state for record in records}

    def _pending(self, draft: FakeDraft, maildrop: int) -> PendingDelivery:
        number = draft.record_id
        record = NewRecord(number, maildrop, f"u{number}", 10, Identity(b"d"), True, None, None, f"line {number}", NOW)
        return PendingDelivery(draft, record, lambda problem: pytest.fail("that is the lane's affair"))

    def _audit(self, lines: Sequence[str]) -> None:
        (line,) = lines
        self.note(f"audit {line.split()[1].rstrip(';')}")
        if self.audit_problem is not None:
            raise self.audit_problem

    def _on_commit(
        self, delivery: PendingDelivery, before: list[PendingDelivery], problem: BaseException | None
    ) -> None:
        self.on_commit.append((delivery.record.id, [each.record.id for each in before], problem))


@asynccontextmanager
async def office(folder: Path) -> AsyncIterator[Office]:
    async with kept_for_smtp(folder, NOW) as (keeper, maildrop):
        yield Office(keeper, maildrop)


def broken_at(monkeypatch: pytest.MonkeyPatch, number: int, problem: Exception) -> None:
    """Let the journal fail when it is to record this message."""
    real = Journal.commit

    def commit(journal: Journal, delivering: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
        if delivering[0].id == number:
            raise problem
        real(journal, delivering, delivered)

    monkeypatch.setattr(Journal, "commit", commit)


def fail_with(problem: Exception) -> Callable[[], object]:
    def fail() -> None:
        raise problem

    return fail


@trio_test
async def test_messages_are_sent_one_after_the_other_in_one_thread(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        assert await here.run() is None
        assert here.steps == [f"{step} {number}" for number in (1, 2, 3) for step in ("offer", "publish", "audit")]
        assert len(here.threads) == 1
        assert here.on_commit == [(1, [], None), (2, [1], None), (3, [2], None)]
        assert [delivery.record.id for delivery in here.remote.delivered] == [3]
        assert await here.states() == {1: MessageState.DELIVERED, 2: MessageState.DELIVERED, 3: MessageState.DELIVERING}


@trio_test
async def test_offer_during_the_commit_and_publish_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Journal.commit
    offered = threading.Event()
    in_between: list[list[str]] = []

    def commit(journal: Journal, delivering: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
        assert offered.wait(PATIENCE)
        offered.clear()
        real(journal, delivering, delivered)
        in_between.append(list(here.steps))

    monkeypatch.setattr(Journal, "commit", commit)
    async with office(tmp_path) as here:
        for draft in here.drafts.values():
            here.on["offer", draft.record_id] = offered.set
            here.on["publish", draft.record_id] = lambda: in_between.append([f"durable {here.on_commit[-1][0]}"])
        assert await here.run() is None
    assert [steps[-1] for steps in in_between] == [
        f"{step} {number}" for number in (1, 2, 3) for step in ("offer", "durable")
    ]


@trio_test
async def test_an_offer_is_aborted_when_the_commit_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the message before is told at once, however long the offer takes."""
    problem = JournalError("the disk is full")
    async with office(tmp_path) as here:
        broken_at(monkeypatch, 2, problem)
        callback: list[object] = []

        def offer() -> None:
            wait_for(lambda: len(here.on_commit) == 2, "word of the failure")
            callback.extend(here.on_commit[1:])

        here.on["offer", 2] = offer
        failure = await here.run()
        assert failure is not None
        assert (failure.delivery.record.id, failure.problem, failure.recorded) == (2, problem, False)
        assert callback == [(2, [1], problem)]
        assert here.of(2) == ["offer", "abort"]
        assert here.of(3) == []
        assert await here.run() is None
        assert here.of(3) == ["offer", "publish", "audit"]
        assert here.on_commit[2] == (3, [], None)
        assert await here.states() == {1: MessageState.DELIVERING, 3: MessageState.DELIVERING}


@pytest.mark.parametrize("problem", [SmtpTemporaryFailure("not now"), ValueError("a defect")])
@trio_test
async def test_a_refused_message_is_not_audited_and_the_next_is_sent(problem: Exception, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.on["publish", 1] = fail_with(problem)
        failure = await here.run()
        assert failure is not None
        assert failure.recorded
        assert failure.problem is problem or "internal error: ValueError: a defect" in str(failure.problem)
        assert here.steps == ["offer 1", "publish 1"]
        assert await here.run() is None
        assert here.on_commit[1] == (2, [], None)
        assert (await here.states())[1] is MessageState.DELIVERING


@trio_test
async def test_without_an_audit_line_nothing_is_recorded_as_delivered(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.audit_problem = SmtpTemporaryFailure("even if it looks like a refusal")
        failure = await here.run()
        assert failure is not None
        assert failure.recorded
        assert type(failure.problem) is PopretrError, "it would be withdrawn, and sent again"
        here.audit_problem = None
        assert await here.run() is None
        assert here.on_commit[1] == (2, [], None)


@pytest.mark.parametrize("step", ["offer", "publish"])
@trio_test
async def test_after_a_stop_nothing_more_is_sent(step: str, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        here.on[step, 2] = here.remote.stop
        assert await here.run() is None
        assert here.of(2) == (["offer", "abort"] if step == "offer" else ["offer", "publish", "audit"])
        assert here.of(3) == []
        assert [each.record.id for each in here.remote.delivered] == ([] if step == "offer" else [2])


@trio_test
async def test_a_defect_in_the_journal_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with office(tmp_path) as here:
        broken_at(monkeypatch, 1, ZeroDivisionError("a defect"))
        with pytest.raises(ZeroDivisionError):
            await here.run()
        assert here.of(1) == ["offer"]
