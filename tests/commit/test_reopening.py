"""Recovery when the journal is opened: at the start, after a failed commit, and when a session opens its maildrop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from trio.testing import trio_test

from tests.support.journals import NOW, Journals, journals
from tui_popretr.commit.lookup import Recovered, RecoveryResult, recovery_text
from tui_popretr.config.model import MaildirDestination
from tui_popretr.delivery.maildir import MaildirSink
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, JournalError
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Maildrop, MessageState, NewRecord
from tui_popretr.mail.identity import Identity


class Place:
    """A journal and a Maildir, and the audit lines that recovery wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.audit: list[str] = []
        self.journals: Journals = journals(folder, self._record)
        self.journal, self.recovery = self.journals

    def _record(self, lines: Sequence[str]) -> None:
        self.audit += lines

    def delivered(self) -> int:
        """The number of messages that have arrived."""
        return len(list((self.folder / "Maildir" / "new").iterdir()))

    @property
    def key(self) -> Maildrop:
        return Maildrop.of("pop.example.test", 110, "me", f"maildir:{self.folder}/Maildir")

    async def interrupted(self, *, published: bool) -> NewRecord:
        """Deliver a message as far as the journal's *delivering*, or its publication."""
        return await self.journal.run(lambda journal: self._interrupt(journal, published=published))

    def _interrupt(self, journal: Journal, *, published: bool) -> NewRecord:
        sink = MaildirSink(MaildirDestination(str(self.folder / "Maildir")), journal.id)
        draft = sink.open(journal.next_id(), datetime(2026, 11, 23, 7, 27, 59, tzinfo=UTC))
        draft.write(b"Subject: x\n\n")
        draft.flush()
        draft.fsync()
        paths = draft.tmp, draft.final
        maildrop = journal.maildrop(self.key)
        record = NewRecord(draft.record_id, maildrop, "u", 12, Identity(b"d"), True, *paths, "line", NOW)
        journal.commit([record], [])
        if published:
            draft.publish()
        return record

    async def break_journal(self) -> None:
        """Make a write fail as SQLite does: a second message under one id."""
        record = NewRecord(1, 999, "u", 12, Identity(b"d"), True, None, None, None, NOW)
        with pytest.raises(JournalError):
            await self.journal.run(lambda journal: journal.commit([record, record], []))
        assert self.journal.broken


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Place]:
    place = Place(folder)
    await place.recovery.open()
    try:
        yield place
    finally:
        await place.journal.close()


@trio_test
async def test_the_start_finishes_what_a_crash_interrupted(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        record = await place.interrupted(published=False)
    again = Place(tmp_path)
    recovered = await again.recovery.open()
    assert [(each.record.id, each.outcome) for each in recovered] == [(record.id, RecoveryResult.PUBLISHED)]
    assert again.audit == ["line (recovered)"]
    assert again.delivered() == 1
    await again.journal.close()


@trio_test
async def test_a_session_finishes_what_an_earlier_one_left(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        record = await place.interrupted(published=True)
        number, recovered = await place.recovery.open_maildrop(place.key)
        assert number == record.maildrop
        assert [each.outcome for each in recovered] == [RecoveryResult.FOUND]
        assert await place.recovery.open_maildrop(place.key) == (number, [])
        records = await place.journal.run(lambda journal: journal.records(number))
        assert [each.state for each in records] == [MessageState.DELIVERED]
    assert place.audit == ["line (recovered)"]


@trio_test
async def test_if_no_commit_has_failed_nothing_is_recovered(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        await place.interrupted(published=True)
        journal = place.journals.connection
        assert await place.recovery.recover() == []
        assert place.journals.connection is journal


@trio_test
async def test_a_broken_journal_is_reopened_and_recovered(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        record = await place.interrupted(published=True)
        await place.break_journal()
        with pytest.raises(JournalError):
            await place.journal.run(lambda journal: journal.commit([], [DeliveredMark(record.id, True)]))
        assert [each.outcome for each in await place.recovery.recover()] == [RecoveryResult.FOUND]
        assert place.audit == ["line (recovered)"]
        await place.journal.run(lambda journal: journal.mark_delete_pending([record.id]))


@trio_test
async def test_while_it_cannot_be_reopened_jobs_fail(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        await place.break_journal()
        place.journals.connection.close()
        path = tmp_path / "popretr.sqlite"
        good = path.read_bytes()
        path.write_bytes(b"this is no database" * 100)
        for _ in range(2):
            with pytest.raises(JournalError):
                await place.recovery.recover()
        with pytest.raises(JournalError):
            await place.journal.run(lambda journal: journal.id)
        path.write_bytes(good)
        assert await place.recovery.recover() == []
        assert await place.journal.run(lambda journal: journal.records(1)) == []


@trio_test
@pytest.mark.parametrize("problem", [AttributeError("link"), DestinationTimeout("no answer")])
async def test_an_unexpected_error_concerns_one_folder_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    async with opened(tmp_path) as place:
        await place.interrupted(published=False)

    def fail(interrupted: object, now: int) -> list[Recovered]:
        raise problem

    place = Place(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("tui_popretr.commit.recovery.look_up", fail)
        (recovered,) = await place.recovery.open()
        assert recovered.outcome is RecoveryResult.UNKNOWN
        assert str(problem) in str(recovered.error)
        _, (again,) = await place.recovery.open_maildrop(place.key)
        assert again.outcome is RecoveryResult.UNKNOWN
    _, (recovered,) = await place.recovery.open_maildrop(place.key)
    assert recovered.outcome is RecoveryResult.PUBLISHED
    await place.journal.close()


@trio_test
async def test_a_recovery_is_reported_in_a_sentence(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        await place.interrupted(published=True)
        ((_, record),) = await place.journal.run(lambda journal: journal.delivering())
    texts = {outcome: recovery_text(Recovered(1, record, outcome)) for outcome in RecoveryResult}
    assert len(set(texts.values())) == len(RecoveryResult)
    assert all(text.startswith(f"interrupted delivery of message {record.id} ") for text in texts.values())
    text = recovery_text(Recovered(1, record, RecoveryResult.UNKNOWN, DeliveryFailed("the folder is not there")))
    assert text.endswith("(the folder is not there)")
