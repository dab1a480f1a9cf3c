"""Recovery of interrupted deliveries. tests/crash kills the program at each step and checks what recovery reports."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pytest

from tests.commit.recovering import recover
from tests.delivery.making import Place
from tui_popretr.commit.lookup import CONSUMED_WITHIN, Recovered, RecoveryResult
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.delivery.folders import sync_folder
from tui_popretr.delivery.interrupted import FileState, InterruptedPublish
from tui_popretr.errors import JournalError
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Doubt, Maildrop, MessageState, NewRecord, Record
from tui_popretr.mail.identity import Identity

HOUR = 3600
NOW = int(datetime.now(UTC).timestamp())

MESSAGE = b"Subject: one\r\n\r\nof a kind\r\n"


@pytest.fixture(params=["maildir", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(request.param, tmp_path / "mail")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(str(tmp_path / "journal"))
    yield opened
    opened.close()


def quiet(texts: Sequence[str]) -> None:
    """An audit log without a reader."""


def interrupted(
    journal: Journal,
    place: Place,
    *,
    uid: str = "u1",
    age: int = 0,
    publish: bool = False,
    doubt: Doubt = Doubt.NONE,
) -> FileDraft:
    """Leave a delivery behind, recorded as delivering `age` seconds ago, published or not."""
    maildrop = journal.maildrop(Maildrop.of("pop.example.test", 110, "me", str(place.path)))
    draft = place.sink(journal.id).open(journal.next_id(), datetime.now(UTC))
    draft.write(MESSAGE)
    draft.flush()
    draft.fsync()
    new = NewRecord(
        draft.record_id,
        maildrop,
        uid,
        30,
        Identity(b"x"),
        doubt is Doubt.NONE,
        draft.tmp,
        draft.final,
        f"audit {uid}",
        NOW - age,
        doubt,
    )
    journal.commit([new], [])
    if publish:
        draft.publish()
    return draft


@pytest.mark.parametrize(
    ("doubt", "state", "delete_pending"),
    [
        (Doubt.NONE, MessageState.DELIVERED, True),
        (Doubt.UNPROVEN, MessageState.DELIVERED, False),
        (Doubt.SHORT, MessageState.KEPT, False),
    ],
)
@pytest.mark.parametrize("publish", [False, True])
def test_a_message_that_was_cut_short_stays_known_as_that(
    journal: Journal, place: Place, publish: bool, doubt: Doubt, state: MessageState, delete_pending: bool
) -> None:
    """A kill before *delivered* must not make the only whole copy of it one that may be deleted."""
    interrupted(journal, place, publish=publish, doubt=doubt)
    recover(journal, None, now=NOW, audit=quiet)
    (record,) = states(journal, place)
    assert (record.state, record.delete_pending, record.doubt) == (state, delete_pending, doubt)


def only(results: list[Recovered]) -> Recovered:
    (result,) = results
    return result


def states(journal: Journal, place: Place) -> list[Record]:
    return journal.records(journal.maildrop(Maildrop.of("pop.example.test", 110, "me", str(place.path))))


@pytest.mark.parametrize("name", ["{}", "{}:2,", "{}:2,FRS", "{};2,S", "{},S=30,W=31:2,S"])
def test_a_message_that_a_reader_has_moved_to_cur(journal: Journal, tmp_path: Path, name: str) -> None:
    place = Place("maildir", tmp_path / "mail")
    draft = interrupted(journal, place, publish=True, age=1000 * HOUR)
    assert draft.final is not None
    os.rename(draft.final, place.path / "cur" / name.format(os.path.basename(draft.final)))
    assert only(recover(journal, None, now=NOW, audit=quiet)).outcome is RecoveryResult.FOUND
    assert [record.state for record in states(journal, place)] == [MessageState.DELIVERED]


def test_a_name_that_only_begins_like_it_is_another(journal: Journal, tmp_path: Path) -> None:
    place = Place("maildir", tmp_path / "mail")
    draft = interrupted(journal, place, publish=True, age=1000 * HOUR)
    assert draft.final is not None
    os.rename(draft.final, place.path / "cur" / (os.path.basename(draft.final) + "x:2,S"))
    assert only(recover(journal, None, now=NOW, audit=quiet)).outcome is RecoveryResult.REDELIVER


@pytest.mark.parametrize(
    ("age", "outcome"),
    [
        (0, RecoveryResult.CONSUMED),
        (CONSUMED_WITHIN - 1, RecoveryResult.CONSUMED),
        (CONSUMED_WITHIN, RecoveryResult.REDELIVER),
    ],
)
def test_a_message_that_is_nowhere(journal: Journal, place: Place, age: int, outcome: RecoveryResult) -> None:
    draft = interrupted(journal, place, publish=True, age=age)
    assert draft.final is not None
    os.unlink(draft.final)
    lines: list[str] = []
    assert only(recover(journal, None, now=NOW, audit=lines.extend)).outcome is outcome
    if outcome is RecoveryResult.CONSUMED:
        assert lines == ["audit u1 (recovered)"]
        assert [record.state for record in states(journal, place)] == [MessageState.DELIVERED]
    else:
        assert lines == []
        assert states(journal, place) == []


def test_an_old_message_still_in_tmp_is_published(journal: Journal, place: Place) -> None:
    interrupted(journal, place, age=1000 * HOUR)
    assert only(recover(journal, None, now=NOW, audit=quiet)).outcome is RecoveryResult.PUBLISHED
    assert list(place.finished().values()) == [MESSAGE]


def test_a_foreign_file_with_our_final_name_is_not_replaced(journal: Journal, tmp_path: Path) -> None:
    place = Place("folder", tmp_path / "mail")
    draft = interrupted(journal, place)
    assert draft.final is not None
    Path(draft.final).write_bytes(b"a stranger's")
    assert only(recover(journal, None, now=NOW, audit=quiet)).outcome is RecoveryResult.REDELIVER
    assert list(place.finished().values()) == [b"a stranger's"]
    assert states(journal, place) == []


@pytest.mark.parametrize("links", [True, False])
def test_an_empty_final_file_is_a_placeholder(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    if not links:
        monkeypatch.delattr(os, "link")
    place = Place("folder", tmp_path / "mail")
    draft = interrupted(journal, place)
    assert draft.final is not None
    Path(draft.final).touch()
    assert only(recover(journal, None, now=NOW, audit=quiet)).outcome is RecoveryResult.PUBLISHED
    assert list(place.finished().values()) == [MESSAGE]
    assert place.unfinished() == []


@pytest.mark.parametrize("error", [errno.EIO, errno.EEXIST])
def test_a_link_that_was_made_and_reported_to_have_failed(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    place = Place("folder", tmp_path / "mail")
    interrupted(journal, place)
    link = os.link

    def lose_the_answer(source: str, target: str, *, follow_symlinks: bool = True) -> None:
        link(source, target, follow_symlinks=follow_symlinks)
        raise OSError(error, "x")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", lose_the_answer)
        assert only(recover(journal, None, now=NOW, audit=quiet)).outcome is RecoveryResult.PUBLISHED
    assert list(place.finished().values()) == [MESSAGE]
    assert place.unfinished() == []


def test_an_empty_file_alone_is_no_message(journal: Journal, tmp_path: Path) -> None:
    """A power cut may leave no more of a rename. It stays: without it, a reader would have taken the message."""
    place = Place("folder", tmp_path / "mail")
    draft = interrupted(journal, place, publish=True)
    assert draft.final is not None
    os.truncate(draft.final, 0)
    assert only(recover(journal, None, now=NOW, audit=quiet)).outcome is RecoveryResult.REDELIVER
    assert list(place.finished().values()) == [b""]
    assert states(journal, place) == []


def test_inodes_that_are_made_up(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files of a file system have one and the same: the unfinished file must not be taken for the other."""
    place = Place("folder", tmp_path / "mail")
    monkeypatch.setattr(os.path, "samestat", lambda one, other: True)
    first, second = interrupted(journal, place, uid="u1"), interrupted(journal, place, uid="u2")
    assert first.final is not None
    assert second.final is not None
    Path(first.final).touch()
    Path(second.final).write_bytes(b"a stranger's")
    outcomes = [result.outcome for result in recover(journal, None, now=NOW, audit=quiet)]
    assert outcomes == [RecoveryResult.PUBLISHED, RecoveryResult.REDELIVER]
    assert sorted(place.finished().values()) == sorted([MESSAGE, b"a stranger's"])


@pytest.mark.parametrize(
    "defect", [AttributeError("link"), ValueError("x"), UnicodeEncodeError("ascii", "x", 0, 1, "y")]
)
@pytest.mark.parametrize("at", ["finish_publish", "sync"])
def test_an_unexpected_error_does_not_cost_the_others(
    journal: Journal, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defect: Exception, at: str
) -> None:
    other = Place(place.kind, tmp_path / "other")
    interrupted(journal, place)
    interrupted(journal, other)
    finish_publish = InterruptedPublish.finish_publish

    def fail(publishes: InterruptedPublish, tmp: str, final: str) -> tuple[FileState, str]:
        if final.startswith(f"{place.path}/"):
            raise defect
        return finish_publish(publishes, tmp, final)

    def fail_to_sync(folder: str) -> None:
        if folder.startswith(str(place.path)):
            raise defect
        sync_folder(folder)

    with monkeypatch.context() as patch:
        if at == "finish_publish":
            patch.setattr(InterruptedPublish, "finish_publish", fail)
        else:
            patch.setattr("tui_popretr.commit.lookup.sync_folder", fail_to_sync)
        bad, good = recover(journal, None, now=NOW, audit=quiet)
    assert (bad.outcome, good.outcome) == (RecoveryResult.UNKNOWN, RecoveryResult.PUBLISHED)
    assert f"internal error: {type(defect).__name__}" in str(bad.error)
    assert [record.state for record in states(journal, place)] == [MessageState.DELIVERING]
    expected = RecoveryResult.PUBLISHED if at == "finish_publish" else RecoveryResult.FOUND
    assert only(recover(journal, None, now=NOW, audit=quiet)).outcome is expected


def test_a_place_that_is_not_there_tells_nothing(journal: Journal, place: Place, tmp_path: Path) -> None:
    """A disk that is not mounted must not make messages count as taken by a reader."""
    interrupted(journal, place, publish=True)
    os.rename(place.path, tmp_path / "unmounted")
    lines: list[str] = []
    result = only(recover(journal, None, now=NOW, audit=lines.extend))
    assert result.outcome is RecoveryResult.UNKNOWN
    assert "is not there" in str(result.error)
    assert (lines, [record.state for record in states(journal, place)]) == ([], [MessageState.DELIVERING])
    os.rename(tmp_path / "unmounted", place.path)
    assert only(recover(journal, None, now=NOW, audit=quiet)).outcome is RecoveryResult.FOUND


def test_what_cannot_be_made_durable_is_not_recorded(journal: Journal, place: Place) -> None:
    interrupted(journal, place)
    lines: list[str] = []
    with mock.patch("os.fsync", side_effect=OSError(errno.EIO, "x")):
        result = only(recover(journal, None, now=NOW, audit=lines.extend))
    assert result.outcome is RecoveryResult.UNKNOWN
    assert "input/output error" in str(result.error)
    assert (lines, [record.state for record in states(journal, place)]) == ([], [MessageState.DELIVERING])


def test_one_bad_place_does_not_cost_the_others(journal: Journal, place: Place, tmp_path: Path) -> None:
    other = Place(place.kind, tmp_path / "other")
    interrupted(journal, place)
    interrupted(journal, other)
    shutil.rmtree(place.path)
    assert [result.outcome for result in recover(journal, None, now=NOW, audit=quiet)] == [
        RecoveryResult.UNKNOWN,
        RecoveryResult.PUBLISHED,
    ]


def test_one_maildrop_alone(journal: Journal, place: Place, tmp_path: Path) -> None:
    other = Place(place.kind, tmp_path / "other")
    interrupted(journal, place)
    interrupted(journal, other)
    maildrop = journal.maildrop(Maildrop.of("pop.example.test", 110, "me", str(other.path)))
    assert only(recover(journal, maildrop, now=NOW, audit=quiet)).maildrop == maildrop
    assert (len(place.finished()), len(other.finished())) == (0, 1)


def test_the_audit_line_comes_between_fsync_and_record(journal: Journal, place: Place) -> None:
    interrupted(journal, place)
    synced: list[str] = []

    def sync(folder: str) -> None:
        synced.append(folder)
        sync_folder(folder)

    def audit(texts: Sequence[str]) -> None:
        assert list(texts) == ["audit u1 (recovered)"]
        assert synced == [str(place.path / "new" if place.kind == "maildir" else place.path)]
        assert [record.state for record in states(journal, place)] == [MessageState.DELIVERING]
        raise OSError(errno.ENOSPC, "no room for the line")

    with mock.patch("tui_popretr.commit.lookup.sync_folder", sync), pytest.raises(OSError, match="no room"):
        recover(journal, None, now=NOW, audit=audit)
    assert only(recover(journal, None, now=NOW, audit=quiet)).outcome is RecoveryResult.FOUND
    assert recover(journal, None, now=NOW, audit=quiet) == []


def test_without_files_it_is_delivered_again(journal: Journal, tmp_path: Path) -> None:
    """SMTP and commands: at most the message in flight twice."""
    maildrop = journal.maildrop(Maildrop.of("pop.example.test", 110, "me", "smtp:localhost"))
    new = NewRecord(journal.next_id(), maildrop, "u1", 30, Identity(b"x"), True, None, None, None, NOW)
    journal.commit([new], [])
    assert only(recover(journal, None, now=NOW, audit=quiet)).outcome is RecoveryResult.IN_DOUBT
    assert journal.records(maildrop) == []


def test_a_commit_that_failed_is_decided_by_recovery(journal: Journal, place: Place, tmp_path: Path) -> None:
    """COMMIT reported an error and yet it is in the file: aborting the draft first would lose the message."""
    draft = interrupted(journal, place)
    with pytest.raises(JournalError):
        journal.count_failures(10**9, [("no such maildrop", 1, "", False)], NOW)
    with pytest.raises(JournalError):
        journal.commit([], [DeliveredMark(draft.record_id, True)])
    journal.close()
    again = Journal.open(str(tmp_path / "journal"))
    try:
        assert only(recover(again, None, now=NOW, audit=quiet)).outcome is RecoveryResult.PUBLISHED
        draft.abort()
        assert list(place.finished().values()) == [MESSAGE]
    finally:
        again.close()


def test_many_at_once_each_in_its_place(journal: Journal, place: Place) -> None:
    drafts = [interrupted(journal, place, uid=f"u{n}", publish=n % 2 == 0) for n in range(10)]
    lines: list[str] = []
    results = recover(journal, None, now=NOW, audit=lines.extend)
    assert [result.record.id for result in results] == [draft.record_id for draft in drafts]
    assert [result.outcome for result in results] == [RecoveryResult.FOUND, RecoveryResult.PUBLISHED] * 5
    assert lines == [f"audit u{n} (recovered)" for n in range(10)]
    assert len(place.finished()) == 10
