"""The committer: the order of its steps, and an error at each of them (docs/durability.md)."""

from __future__ import annotations

import resource
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from tests.support.drafts import FakeDraft, outcomes
from tests.support.journals import NOW, journals
from tests.support.worlds import disk_without_threads
from tui_popretr.commit import pipeline
from tui_popretr.commit.committer import GROUP, Committer
from tui_popretr.commit.pipeline import BATCH, FilePipeline
from tui_popretr.commit.queue import IDLE, MEMORY, PendingDelivery
from tui_popretr.commit.recovery import LOOKUP_TIMEOUT
from tui_popretr.config.model import MaildirDestination
from tui_popretr.delivery.maildir import MaildirSink
from tui_popretr.errors import (
    CannotCreate,
    DeliveryFailed,
    DestinationTimeout,
    JournalError,
    PartlyAccepted,
    PopretrError,
)
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Maildrop, MessageState, NewRecord
from tui_popretr.mail.identity import Identity


class FakeSink(MaildirSink):
    """A sink of which the committer looks at nothing but what is said here."""

    def __init__(self, lane: str) -> None:
        super().__init__(MaildirDestination("/mail"), "journal")
        self.lane = lane


class WatchedJournal:
    """A journal that notes its commits, and fails where it is told to."""

    broken = False

    def __init__(self, journal: Journal, site: Site) -> None:
        self._journal = journal
        self._site = site

    def transaction(self) -> AbstractContextManager[None]:
        return self._journal.transaction()

    def close(self) -> None:
        self._journal.close()

    def commit(self, delivering: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
        for mark in delivered:
            self._site.note("delivered", mark.id)
        for record in delivering:
            self._site.note("delivering", record.id)
        self._site.commits.append(([record.id for record in delivering], [mark.id for mark in delivered]))
        self._site.check("commit", len(self._site.commits))
        self._journal.commit(delivering, delivered)

    def withdraw(self, ids: Sequence[int], accepted: Mapping[int, Collection[str]]) -> None:
        for number in ids:
            self._site.note("withdraw", number)
        self._site.check("withdraw", 0)
        self._journal.withdraw(ids, accepted)


class Site:
    """A committer with a real journal; what it does is noted in `steps`, as (step, record or folder)."""

    def __init__(self, folder: Path) -> None:
        self.steps: list[tuple[str, int | str]] = []
        self.commits: list[tuple[list[int], list[int]]] = []  # delivering and delivered of each transaction
        self.failures: dict[tuple[str, int | str], Exception] = {}
        self.done: dict[int, list[PopretrError | None]] = {}
        self.audited: list[str] = []
        self.journal, self.recovery = self.journals = journals(folder, self._audit)
        self.committer = Committer(self.recovery, self._audit)
        self.lane = self.committer.lane(FakeSink("device:1"))
        self.maildrop = 0
        self._ended = trio.Event()

    # --- what is noted ------------------------------------------------------------------------------------------------

    def note(self, step: str, what: int | str) -> None:
        self.steps.append((step, what))

    def check(self, step: str, what: int | str) -> None:
        if (step, what) in self.failures:
            raise self.failures[step, what]

    def step(self, step: str, what: int | str) -> None:
        self.note(step, what)
        self.check(step, what)

    def fail(self, step: str, what: int | str, problem: Exception | None = None) -> Exception:
        """Let a step fail; for a commit `what` is its number, counted from 1."""
        self.failures[step, what] = problem or DeliveryFailed(f"{step} of {what} failed")
        return self.failures[step, what]

    def _audit(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.note("audit", int(line.split()[1]))
        if lines:
            self.check("audit", 0)
        self.audited += lines

    def sync_folder(self, folder: str) -> None:
        self.step("fsync", folder)

    # --- what is done -------------------------------------------------------------------------------------------------

    def other_maildrop(self, user: str) -> int:
        journal = unwatched(self.journals.connection)
        return journal.maildrop(Maildrop.of("pop.example.test", 110, user, "maildir:/mail"))

    def delivery(self, number: int, *, maildrop: int | None = None, **draft: Any) -> PendingDelivery:
        fake = FakeDraft(number, self.step, **draft)
        record = NewRecord(
            number,
            maildrop or self.maildrop,
            f"u{number}",
            10,
            Identity(b"d"),
            True,
            fake.tmp,
            fake.final,
            f"line {number}",
            NOW,
        )

        def end(delivery: PendingDelivery) -> None:
            self.note("done", number)
            self.done.setdefault(number, []).append(delivery.error)
            self._ended.set()

        return PendingDelivery(fake, record, outcomes(end))

    async def deliver(self, *numbers: int, **draft: Any) -> None:
        """Put messages, all in one group, and wait until each is done."""
        for number in numbers:
            await self.lane.put(self.delivery(number, **draft))
        await self.on_commit(*numbers)

    async def finish(self, *, slow_publication: bool = False) -> None:
        """Run the committer until all that was put is done; with a slow publication the next group is ready by then."""
        if slow_publication:
            assert isinstance(self.lane, FilePipeline)
            publish = self.lane._publish

            async def slower(group: list[PendingDelivery]) -> list[PendingDelivery]:
                await trio.sleep(10.0)
                return await publish(group)

            self.lane._publish = slower  # type: ignore[method-assign]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.committer.run)
            self.committer.close()

    async def on_commit(self, *numbers: int) -> None:
        with trio.fail_after(60):
            while not all(number in self.done for number in numbers):
                await self._ended.wait()
                self._ended = trio.Event()

    async def states(self) -> dict[int, MessageState]:
        records = await self.journal.run(lambda journal: Journal.records(unwatched(journal), self.maildrop))
        return {record.id: record.state for record in records}

    def outcomes(self) -> dict[int, PopretrError | None]:
        """How each message ended; that there was one end is asserted."""
        assert all(len(each) == 1 for each in self.done.values())
        return {number: each[0] for number, each in self.done.items()}

    def steps_of(self, number: int) -> list[str]:
        return [step for step, what in self.steps if what == number]

    def position(self, step: str, what: int | str) -> int:
        return self.steps.index((step, what))


def unwatched(journal: Any) -> Journal:
    inner: Journal = getattr(journal, "_journal", journal)
    return inner


@asynccontextmanager
async def open_site(folder: Path, monkeypatch: pytest.MonkeyPatch, *, running: bool = True) -> AsyncIterator[Site]:
    site = Site(folder)
    monkeypatch.setattr(pipeline, "sync_folder", site.sync_folder)
    with disk_without_threads(lambda: 0.0):
        await site.recovery.open()
        site.maildrop = await site.journals.maildrop()
        journal = site.journals.connection
        monkeypatch.setattr(site.journal, "_journal", WatchedJournal(journal, site))
        async with trio.open_nursery() as nursery:
            if running:
                nursery.start_soon(site.committer.run)
            yield site
            nursery.cancel_scope.cancel()
    journal.close()


@pytest.fixture
def new_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    return lambda **options: open_site(tmp_path, monkeypatch, **options)


ALL_STEPS = ["write", "sync", "delivering", "publish", "audit", "delivered", "done"]


# --- the order --------------------------------------------------------------------------------------------------------


@trio_test
async def test_each_message_goes_the_whole_way_in_order(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site() as site:
        await site.deliver(1)
        assert site.steps[:2] == [("write", 1), ("sync", 1)]
        assert sorted(site.steps[2:4]) == [("fsync", "/mail"), ("fsync", "/mail/tmp")]
        assert site.steps[4:] == [
            ("delivering", 1),
            ("publish", 1),
            ("fsync", "/mail/new"),
            ("audit", 1),
            ("delivered", 1),
            ("done", 1),
        ]
        assert site.outcomes() == {1: None}
        assert await site.states() == {1: MessageState.DELIVERED}
        assert site.audited == ["line 1"]


@trio_test
async def test_a_group_shares_its_folders_and_transactions(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site() as site:
        await site.deliver(*range(1, 11))
        assert site.commits == [(list(range(1, 11)), []), ([], list(range(1, 11)))]
        assert sorted(what for step, what in site.steps if step == "fsync") == ["/mail", "/mail/new", "/mail/tmp"]
        for number in range(1, 11):
            assert site.steps_of(number) == ALL_STEPS
        for share in ((1, 2), (3, 4)):  # what one thread has is written before the first of it is synced
            assert max(site.position("write", each) for each in share) < min(
                site.position("sync", each) for each in share
            )


@trio_test
async def test_one_transaction_carries_two_groups(new_site: Callable[..., Any], autojump_clock: MockClock) -> None:
    async with new_site(running=False) as site:
        numbers = range(1, 3 * GROUP + 1)
        for number in numbers:
            await site.lane.put(site.delivery(number))
        await site.finish(slow_publication=True)
        assert [number for delivering, _ in site.commits for number in delivering] == list(numbers)
        assert all(delivered == before for (before, _), (_, delivered) in pairwise(site.commits))
        assert any(delivering and delivered for delivering, delivered in site.commits)
        assert max(len(delivering) for delivering, _ in site.commits) <= GROUP
        assert set(site.outcomes().values()) == {None}
        for number in numbers:
            assert site.steps_of(number) == ALL_STEPS
        assert set((await site.states()).values()) == {MessageState.DELIVERED}


@trio_test
async def test_who_comes_later_is_not_waited_for(new_site: Callable[..., Any], autojump_clock: MockClock) -> None:
    async with new_site() as site:
        await site.deliver(1)
        await trio.sleep(100)
        await site.deliver(2)
        assert site.commits == [([1], []), ([], [1]), ([2], []), ([], [2])]


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["write", "sync"])
@pytest.mark.parametrize("problem", [DeliveryFailed("the disk is full"), CannotCreate("no"), RuntimeError("a defect")])
@trio_test
async def test_a_message_that_cannot_be_written_costs_only_itself(
    step: str, problem: Exception, new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site() as site:
        site.fail(step, 2, problem)
        await site.deliver(1, 2, 3)
        outcomes = site.outcomes()
        assert outcomes[1] is outcomes[3] is None
        assert str(problem) in str(outcomes[2])
        assert site.steps_of(2)[-2:] == ["abort", "done"]
        assert "delivering" not in site.steps_of(2)
        assert await site.states() == {1: MessageState.DELIVERED, 3: MessageState.DELIVERED}
        assert ("abort", 1) not in site.steps


@trio_test
async def test_a_failed_fsync_of_a_folder_fails_its_messages_only(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site(running=False) as site:
        problem = site.fail("fsync", "/mail/bad/tmp")
        for number, folder in ((1, ""), (2, "/bad"), (3, "/bad"), (4, "")):
            await site.lane.put(site.delivery(number, folder=folder))
        await site.finish()
        assert site.outcomes() == {1: None, 2: problem, 3: problem, 4: None}
        assert await site.states() == {1: MessageState.DELIVERED, 4: MessageState.DELIVERED}
        assert [what for step, what in site.steps if step == "abort"] == [2, 3]
        assert ("fsync", "/mail/bad/new") not in site.steps


@trio_test
async def test_what_cannot_be_published_is_withdrawn_and_then_aborted(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site() as site:
        problem = site.fail("publish", 2)
        await site.deliver(1, 2, 3)
        assert site.outcomes() == {1: None, 2: problem, 3: None}
        assert site.steps_of(2) == ["write", "sync", "delivering", "publish", "withdraw", "abort", "done"]
        assert await site.states() == {1: MessageState.DELIVERED, 3: MessageState.DELIVERED}
        assert site.audited == ["line 1", "line 3"]


@trio_test
async def test_what_cannot_be_withdrawn_keeps_its_file(new_site: Callable[..., Any], autojump_clock: MockClock) -> None:
    # without its file the record would mean that a reader took the message
    async with new_site() as site:
        problem = site.fail("publish", 2)
        site.fail("withdraw", 0, JournalError("no"))
        await site.deliver(1, 2)
        assert site.outcomes()[2] is problem
        assert "abort" not in site.steps_of(2)
        assert (await site.states())[2] is MessageState.DELIVERING


@trio_test
async def test_a_publish_without_an_answer_keeps_its_record(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    # the call may still publish the message, and without its record it would come twice
    async with new_site() as site:
        problem = site.fail("publish", 2, DestinationTimeout("the disk does not answer"))
        await site.deliver(1, 2, 3)
        assert site.outcomes() == {1: None, 2: problem, 3: None}
        assert site.steps_of(2) == ["write", "sync", "delivering", "publish", "done"]
        assert (await site.states())[2] is MessageState.DELIVERING
        assert site.audited == ["line 1", "line 3"]


@trio_test
async def test_a_defect_in_publishing_leaves_the_judgement_to_recovery(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site() as site:
        site.fail("publish", 2, RuntimeError("a defect"))
        await site.deliver(1, 2)
        assert site.outcomes()[1] is None
        assert "a defect" in str(site.outcomes()[2])
        assert site.steps_of(2) == ["write", "sync", "delivering", "publish", "done"]
        assert await site.states() == {1: MessageState.DELIVERED, 2: MessageState.DELIVERING}


@trio_test
async def test_a_failed_fsync_after_publish_leaves_it_to_recovery(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site(running=False) as site:
        problem = site.fail("fsync", "/mail/bad/new")
        for number, folder in ((1, ""), (2, "/bad")):
            await site.lane.put(site.delivery(number, folder=folder))
        await site.finish()
        assert site.outcomes() == {1: None, 2: problem}
        assert "abort" not in site.steps_of(2)
        assert "withdraw" not in site.steps_of(2)
        assert "audit" not in site.steps_of(2)
        assert await site.states() == {1: MessageState.DELIVERED, 2: MessageState.DELIVERING}


@trio_test
async def test_without_its_audit_line_nothing_is_delivered(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site() as site:
        site.fail("audit", 0, RuntimeError("a defect"))
        await site.deliver(1, 2)
        assert all("a defect" in str(problem) for problem in site.outcomes().values())
        assert await site.states() == {1: MessageState.DELIVERING, 2: MessageState.DELIVERING}
        assert not any(step in ("delivered", "abort", "withdraw") for step, _ in site.steps)
        site.failures.clear()
        await site.deliver(3)  # and it goes on
        assert site.outcomes()[3] is None


@trio_test
async def test_after_a_failed_commit_nothing_is_published_or_removed(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site() as site:
        problem = site.fail("commit", 1, JournalError("the disk is full"))
        await site.deliver(1, 2)
        assert site.outcomes() == {1: problem, 2: problem}
        assert not any(step in ("publish", "abort", "withdraw", "audit") for step, _ in site.steps)
        await site.deliver(3)
        assert site.outcomes()[3] is None


@trio_test
async def test_a_failed_commit_of_delivered_is_the_outcome(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site() as site:
        problem = site.fail("commit", 2, JournalError("the disk is full"))
        await site.deliver(1)
        assert site.outcomes() == {1: problem}
        assert "abort" not in site.steps_of(1)
        assert await site.states() == {1: MessageState.DELIVERING}


@trio_test
async def test_a_failed_transaction_fails_both_of_its_groups(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site(running=False) as site:
        problem = site.fail("commit", 2, JournalError("the disk is full"))
        for number in range(1, 3 * GROUP + 1):
            await site.lane.put(site.delivery(number))
        await site.finish(slow_publication=True)
        outcomes = site.outcomes()
        delivering, delivered = site.commits[1]
        assert delivered
        assert delivering
        assert {number for number, outcome in outcomes.items() if outcome is problem} == {*delivering, *delivered}
        assert set(outcomes.values()) == {None, problem}
        assert not any(step in ("abort", "withdraw") for step, _ in site.steps)
        published = [what for step, what in site.steps if step == "publish"]
        assert published == [number for number in sorted(outcomes) if number not in delivering]


# --- memory -----------------------------------------------------------------------------------------------------------


@trio_test
async def test_who_brings_too_much_waits_until_there_is_room(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site(running=False) as site:
        for number in (1, 2):
            await site.lane.put(site.delivery(number, buffered=MEMORY // 2))
        async with trio.open_nursery() as nursery:
            for number in (3, 4):
                nursery.start_soon(site.lane.put, site.delivery(number, buffered=MEMORY // 2))
            await wait_all_tasks_blocked()
            assert site.lane._buffered == MEMORY
            nursery.start_soon(site.committer.run)
            await site.on_commit(1, 2, 3, 4)
            nursery.cancel_scope.cancel()
        assert set(site.outcomes().values()) == {None}
        assert site.lane._buffered == 0


@trio_test
async def test_a_message_larger_than_all_the_room_is_taken_alone(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site() as site:
        await site.deliver(1, 2, buffered=2 * MEMORY)
        assert site.outcomes() == {1: None, 2: None}


@trio_test
async def test_who_stops_waiting_for_room_is_not_taken(new_site: Callable[..., Any], autojump_clock: MockClock) -> None:
    async with new_site(running=False) as site:
        await site.lane.put(site.delivery(1, buffered=MEMORY))
        with trio.move_on_after(10) as scope:
            await site.lane.put(site.delivery(2, buffered=MEMORY))
        assert scope.cancelled_caught
        await site.finish()
        assert site.outcomes() == {1: None}
        assert site.steps_of(2) == []


# --- fair shares ------------------------------------------------------------------------------------------------------


@trio_test
async def test_a_maildrop_with_many_waiting_delays_no_other(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site(running=False) as site:
        for number in range(1, 20 * BATCH):
            await site.lane.put(site.delivery(number))
        small = {10_000 + each: site.other_maildrop(f"small{each}") for each in range(50)}
        for number, maildrop in small.items():
            await site.lane.put(site.delivery(number, maildrop=maildrop))
        await site.finish()
        written = [what for step, what in site.steps if step == "write"]
        assert small.keys() <= set(written[: 2 * BATCH])
        assert [each for each in written if each not in small] == list(range(1, 20 * BATCH))
        assert set(site.outcomes().values()) == {None}


@pytest.mark.parametrize("buffered", [MEMORY // 2048, MEMORY // 16])
@trio_test
async def test_room_is_given_in_turn(buffered: int, new_site: Callable[..., Any], autojump_clock: MockClock) -> None:
    """Nor is what does not fit yet overtaken, again and again, by smaller messages that do."""
    taken: list[int] = []
    async with new_site(running=False) as site:

        async def put(*deliveries: PendingDelivery) -> None:
            for delivery in deliveries:
                await site.lane.put(delivery)
                taken.append(delivery.record.id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(put, *(site.delivery(number, buffered=MEMORY // 2048) for number in range(1, 5_000)))
            await wait_all_tasks_blocked()
            assert taken[-1] == 2048
            nursery.start_soon(put, site.delivery(10_000, maildrop=site.other_maildrop("small"), buffered=buffered))
            await wait_all_tasks_blocked()
            nursery.start_soon(site.committer.run)
            await site.on_commit(10_000)
            nursery.cancel_scope.cancel()
        assert taken.index(10_000) <= 2048 + BATCH


# --- the end ----------------------------------------------------------------------------------------------------------


@trio_test
async def test_closing_finishes_what_is_there(new_site: Callable[..., Any], autojump_clock: MockClock) -> None:
    async with new_site(running=False) as site:
        await site.lane.put(site.delivery(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(site.committer.run)
            await wait_all_tasks_blocked()
            await site.lane.put(site.delivery(2))
            site.committer.close()
        assert site.outcomes() == {1: None, 2: None}


@trio_test
async def test_closing_a_committer_without_work_ends_it(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site(running=False) as site, trio.open_nursery() as nursery:
        nursery.start_soon(site.committer.run)
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
        site.committer.close()
        await wait_all_tasks_blocked()
        assert not nursery.child_tasks


@pytest.mark.parametrize("step", ["write", "publish", "audit"])
@trio_test
async def test_after_a_cancellation_nothing_is_reported_as_delivered(
    step: str, new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site(running=False) as site:
        await site.lane.put(site.delivery(1))
        with trio.CancelScope() as scope:
            site.lane._disk.run = cancelling(site.lane._disk.run, scope, site, step)
            site.lane._audit.write = cancelling(site.lane._audit.write, scope, site, step)
            await site.committer.run()
        assert scope.cancelled_caught
        assert site.done == {}
        assert not any(what in ("abort", "delivered") for what, _ in site.steps)


def cancelling(in_thread: Callable[..., Any], scope: trio.CancelScope, site: Site, step: str) -> Callable[..., Any]:
    """Let the work in a thread be done, and cancel behind the given step."""

    async def run(*arguments: object, **options: object) -> object:
        result = await in_thread(*arguments, **options)
        if any(done == step for done, _ in site.steps):
            scope.cancel()
            await trio.lowlevel.checkpoint()
        return result

    return run


@trio_test
async def test_a_disk_that_hangs_does_not_keep_it_from_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path)
    hanging, release = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    class Hanging(FakeDraft):
        def flush(self) -> None:
            token.run_sync_soon(hanging.set)
            release.wait(60)

    await site.recovery.open()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(site.committer.run)
            delivery = site.delivery(1)
            delivery.draft = Hanging(1, site.step)
            await site.lane.put(delivery)
            await hanging.wait()
            nursery.cancel_scope.cancel()
        assert site.done == {}
    finally:
        release.set()
        await site.journal.close()


# --- after the journal failed -----------------------------------------------------------------------------------------


class Store:
    """Real drafts, a real journal, and a committer over them; all in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal, self.recovery = self.journals = journals(folder)
        self.committer = Committer(self.recovery, lambda lines: None)
        self.maildrop = 0
        self.problems: list[PopretrError | None] = []

    async def open(self) -> None:
        await self.recovery.open()
        self.maildrop = await self.journals.maildrop()
        self._sink = MaildirSink(MaildirDestination(str(self.folder / "mail")), self.journal.id)
        self.lane = self.committer.lane(self._sink)

    def delivery(self) -> PendingDelivery:
        draft = self._sink.open(self.journal.next_id(), datetime.fromtimestamp(NOW, UTC))
        draft.write(b"Subject: x\n\n")
        places = draft.tmp, draft.final
        record = NewRecord(draft.record_id, self.maildrop, None, 12, Identity(b"d", True), True, *places, "line", NOW)
        return PendingDelivery(draft, record, outcomes(lambda each: self.problems.append(each.error)))

    def files(self) -> tuple[int, int]:
        """How many files there are in tmp and in new."""
        tmp, new = (len(list((self.folder / "mail" / name).iterdir())) for name in ("tmp", "new"))
        return tmp, new

    async def commit(self, *deliveries: PendingDelivery) -> None:
        """Take these messages as far as they come, with a committer that is ended then."""
        for delivery in deliveries:
            await self.lane.put(delivery)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.committer.run)
            self.committer.close()


def failing_commit(monkeypatch: pytest.MonkeyPatch, *, committed: bool) -> None:
    """Let the journal's next transaction fail as in COMMIT: with the records on disk or without."""
    whole = Journal.transaction

    @contextmanager
    def transaction(journal: Journal) -> Iterator[None]:
        monkeypatch.setattr(Journal, "transaction", whole)
        with whole(journal):
            yield
            journal.broken = not committed  # then it is rolled back
        journal.broken = True
        raise JournalError("the disk reports an error")

    monkeypatch.setattr(Journal, "transaction", transaction)


def unanswered(*arguments: object) -> None:
    raise DestinationTimeout("the disk does not answer")


def not_to_be_opened(*arguments: object, **options: object) -> Journal:
    raise JournalError("the disk is away")


@pytest.mark.parametrize(("committed", "files"), [(False, (0, 0)), (True, (0, 1))])
@trio_test
async def test_undecided_drafts_are_aborted_after_recovery(
    committed: bool, files: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    store = Store(tmp_path)
    with disk_without_threads(lambda: 0.0):
        await store.open()
        failing_commit(monkeypatch, committed=committed)
        await store.commit(store.delivery())
        assert isinstance(store.problems[0], JournalError)
        assert store.files() == (1, 0)
        with monkeypatch.context() as patch, pytest.raises(JournalError):  # nothing is known yet
            patch.setattr(Journal, "open", not_to_be_opened)
            await store.recovery.recover()
        assert store.files() == (1, 0)
        await store.recovery.recover()
        assert store.files() == files
        await store.recovery.recover()
        await store.journal.close()


@trio_test
async def test_a_record_that_recovery_had_to_leave_keeps_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    # without it the next recovery would take the message for one that a reader has taken, and it would be lost
    store = Store(tmp_path)
    with disk_without_threads(lambda: 0.0):
        await store.open()
        failing_commit(monkeypatch, committed=True)
        await store.commit(store.delivery())
        with monkeypatch.context() as patch:
            patch.setattr("tui_popretr.commit.recovery.look_up", unanswered)
            (recovered,) = await store.recovery.recover()
        assert recovered.error is not None
        assert store.files() == (1, 0)
        await store.recovery.open_maildrop(Maildrop.of("pop.example.test", 110, "me", "maildir:/mail"))
        assert store.files() == (0, 1)
        await store.recovery.recover()
        assert store.files() == (0, 1)
        await store.journal.close()


@trio_test
async def test_recovery_does_not_wait_for_a_disk_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    store = Store(tmp_path)
    with disk_without_threads(lambda: 0.0):
        await store.open()
        failing_commit(monkeypatch, committed=False)
        await store.commit(store.delivery())
        answers = trio.to_thread.run_sync

        with monkeypatch.context() as patch:

            async def hangs(*arguments: object, **options: object) -> None:
                patch.setattr(trio.to_thread, "run_sync", answers)
                await trio.sleep_forever()

            patch.setattr(trio.to_thread, "run_sync", hangs)
            before = trio.current_time()
            await store.recovery.recover()
            assert trio.current_time() - before == pytest.approx(LOOKUP_TIMEOUT)
            await wait_all_tasks_blocked()
        assert store.files() == (0, 0)
        await store.journal.close()


# --- lanes ------------------------------------------------------------------------------------------------------------


@trio_test
async def test_a_destination_that_hangs_keeps_only_its_own_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hangs is given up after the timeout: its message stays on the server, and its file is left to its call."""
    site = Site(tmp_path)
    release = threading.Event()
    monkeypatch.setattr(pipeline, "sync_folder", site.sync_folder)
    site.committer = Committer(site.recovery, site._audit, timeout=1.0)

    class Hanging(FakeDraft):
        def flush(self) -> None:
            release.wait(60)

    await site.recovery.open()
    site.maildrop = await site.journals.maildrop()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(site.committer.run)
            hanging = site.committer.lane(FakeSink("device:1"))
            site.lane = site.committer.lane(FakeSink("device:2"))
            assert hanging is not site.lane
            delivery = site.delivery(1)
            delivery.draft = Hanging(1, site.step)
            await hanging.put(delivery)
            await site.deliver(2, 3)
            await site.on_commit(1)
            assert {2: None, 3: None}.items() <= site.outcomes().items()
            assert isinstance(site.outcomes()[1], DestinationTimeout)
            assert ("abort", 1) not in site.steps
            release.set()
            with trio.fail_after(60):
                while ("abort", 1) not in site.steps:  # the call itself cleans up when it comes back
                    await trio.to_thread.run_sync(lambda: None)
            nursery.cancel_scope.cancel()
        assert site.steps_of(1) == ["done", "abort"]
    finally:
        release.set()
        await site.journal.close()


@trio_test
async def test_a_process_that_may_open_few_files_has_small_groups(
    new_site: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 256))
    async with new_site(running=False) as site:
        lane = site.committer.lane(FakeSink("device:3"))
        assert lane._group == 16
        site.lane = lane
        for number in range(1, 101):
            await lane.put(site.delivery(number))
        await site.finish(slow_publication=True)
        assert max(len(delivering) for delivering, _ in site.commits) <= 16
        assert set(site.outcomes().values()) == {None}


@trio_test
async def test_recipients_that_have_accepted_are_recorded(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site() as site:
        problem = site.fail("publish", 1, PartlyAccepted("b refused it", ("a@example.test",)))
        await site.deliver(1, 2)
        assert site.outcomes() == {1: problem, 2: None}
        assert site.steps_of(1) == ["write", "sync", "delivering", "publish", "withdraw", "abort", "done"]
        known = await site.journal.run(lambda journal: unwatched(journal).acceptances(site.maildrop))
        assert [(each.uid, each.address) for each in known] == [("u1", "a@example.test")]


@trio_test
async def test_a_lane_ends_when_it_has_nothing_to_do_and_begins_again(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    async with new_site() as site:
        await site.deliver(1)
        assert site.lane.running
        await trio.sleep(IDLE + 1)
        assert not site.lane.running
        await site.deliver(2)
        assert site.outcomes() == {1: None, 2: None}


@trio_test
async def test_recovery_waits_until_no_lane_is_publishing(
    new_site: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """Recovery would take a message that is being sent for one that a crash interrupted, and send it again."""
    async with new_site(running=False) as site:
        await site.lane.put(site.delivery(1))
        quiet: list[float] = []

        async def wait() -> None:
            await trio.sleep(5.0)  # the publication takes ten
            site.journals.connection.broken = True
            await site.recovery.recover()
            quiet.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await site.finish(slow_publication=True)
        assert quiet == [pytest.approx(10.0, abs=1.0)]
        assert site.outcomes() == {1: None}
