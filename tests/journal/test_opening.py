"""Opening a journal: made private, held by one process, and never begun anew by itself."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.journal import versions
from tests.journal.making import HOME, deliver
from tests.journal.versions import NOW
from tui_popretr.errors import (
    ExitCode,
    JournalDamaged,
    JournalError,
    JournalFromFuture,
    JournalLocked,
    JournalMisplaced,
)
from tui_popretr.journal import schema
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import (
    LONGEST_STEP,
    Doubt,
    Identity,
    MaildropClock,
    MessageFailure,
    MessageState,
    StandingRow,
    TallyRow,
)

OPEN_AND_WAIT = """
import sys
from tui_popretr.journal.journal import Journal
journal = Journal.open(sys.argv[1])
print(journal.id, flush=True)
sys.stdin.read()
"""


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def closed(path: str) -> str:
    """The path of an existing journal with a few messages."""
    journal = Journal.open(path)
    deliver(journal, journal.maildrop(HOME), *(f"u{n}" for n in range(200)))
    journal.close()
    return path


def test_files_and_folders_are_private(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "popretr.sqlite"
    journal = Journal.open(str(path))
    try:
        journal.maildrop(HOME)
        assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700
        assert {name: mode(path.parent / name) for name in os.listdir(path.parent)} == {
            "popretr.sqlite": 0o600,
            "popretr.sqlite-wal": 0o600,
            "popretr.sqlite.lock": 0o600,
        }
    finally:
        journal.close()


def test_the_identity_is_made_once(closed: str, tmp_path: Path) -> None:
    first, again, other = Journal.open(closed), None, Journal.open(str(tmp_path / "other"))
    first.close()
    again = Journal.open(closed)
    again.close()
    other.close()
    assert len(first.id) == 8
    assert int(first.id, 16) >= 0
    assert first.id == again.id != other.id


def test_a_second_process_is_refused(path: str) -> None:
    journal = Journal.open(path)
    refused = subprocess.run(
        [sys.executable, "-c", OPEN_AND_WAIT, path], input="", capture_output=True, text=True, timeout=30, check=False
    )
    assert "JournalLocked" in refused.stderr
    assert f"(process {os.getpid()})" in refused.stderr
    journal.close()
    allowed = subprocess.run(
        [sys.executable, "-c", OPEN_AND_WAIT, path], input="", capture_output=True, text=True, timeout=30, check=False
    )
    assert allowed.stdout.strip() == journal.id


def test_a_killed_process_leaves_no_lock(path: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OPEN_AND_WAIT, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        identity = holder.stdout.readline().strip()
        with pytest.raises(JournalLocked) as caught:
            Journal.open(path)
        assert caught.value.exit_code is ExitCode.TEMPORARY
        holder.kill()
        holder.wait()
    journal = Journal.open(path)
    journal.close()
    assert journal.id == identity


def test_another_name_for_the_same_file_is_no_way_round_the_lock(path: str, tmp_path: Path) -> None:
    journal = Journal.open(path)
    try:
        (tmp_path / "link").symlink_to(path)
        with pytest.raises(JournalLocked):
            Journal.open(str(tmp_path / "link"))
    finally:
        journal.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda lock, other: lock.symlink_to(other),
        lambda lock, other: lock.symlink_to("/dev/null"),
        lambda lock, _: os.mkfifo(lock),
        lambda lock, _: lock.mkdir(),
    ],
    ids=["link", "link to a device", "pipe", "folder"],
)
def test_a_lock_file_that_is_no_regular_file_is_refused(
    path: str, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    other = tmp_path / "other"
    other.write_text("precious", encoding="utf-8")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    make(Path(f"{path}.lock"), other)
    with pytest.raises(JournalMisplaced, match=r"its lock file .*\.lock is not a regular file"):
        Journal.open(path)
    assert other.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_upgrade_gives_no_age_if_the_clock_was_not_set(path: str, version: int) -> None:
    versions.make(path, version)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE message SET time = 3600")
    with closing(Journal.open(path)) as journal:
        assert {record.born for record in journal.records(1)} == {0.0}


def test_a_journal_from_the_future_is_refused_and_kept(closed: str) -> None:
    with closing(sqlite3.connect(closed)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = Path(closed).read_bytes()
    with pytest.raises(JournalFromFuture, match=f"version {schema.VERSION + 1}"):
        Journal.open(closed)
    assert Path(closed).read_bytes() == before


@pytest.mark.parametrize("version", versions.TABLES)
def test_a_journal_of_an_earlier_version_is_brought_up_to_date(path: str, version: int) -> None:
    versions.make(path, version)
    today = (NOW + time.localtime(NOW).tm_gmtoff) // (24 * 3600)
    for _ in range(2):
        with closing(Journal.open(path)) as journal:
            assert journal.maildrop(HOME) == 1
            assert [
                (each.id, each.uid, each.state, each.delete_pending, each.quit_confirmed) for each in journal.records(1)
            ] == [
                (1, "seen", MessageState.SEEN, False, False),
                (2, "coming", MessageState.DELIVERING, True, False),
                (3, "here", MessageState.DELIVERED, True, False),
                (4, None, MessageState.DELIVERED, False, True),
                (5, "gone", MessageState.DELETED, False, True),
            ]
            ((owner, unfinished),) = journal.delivering()
            assert owner == 1
            identity = Identity(b"\x02", False, "m2@x", "today", utf8=False)
            assert unfinished[:4] == (2, "coming", 102, identity)
            assert unfinished[7:] == ("/tmp/2", "/new/2", "audit 2", NOW, Doubt.NONE, unfinished.born, None)
            assert unfinished.born == -LONGEST_STEP, "of its age no more is believed"
            assert journal.maildrop_clock(1) == MaildropClock()
            assert journal.failures(1) == {
                "uid:bad": MessageFailure("uid:bad", 9, 2, 0, NOW, "cut"),
                "size:9": MessageFailure("size:9", 9, 3, 0, NOW, "refused"),
            }
            assert journal.acceptances(1) == []
            assert [each.client for each in journal.recent_sessions(9)] == ["home", "work", "home", "home", "home"]
            assert sorted(journal.standings()) == [
                StandingRow("home", failures=2, success=NOW, message=NOW + 500, kept=0, since=NOW),
                StandingRow("work", failures=1, success=None, message=None, kept=0, since=NOW),
            ]
            assert journal.hook_times() == []
            assert journal.tallies(daily=True, since=0) == [TallyRow(today, 5, 3, 3, 110)]
            assert journal.tallies(daily=True, since=0, client="home") == [TallyRow(today, 4, 2, 3, 110)]
            assert journal.tallies(daily=False, since=0) == [], "those hours are long over"
            assert journal.figures() == (None, None)
            assert journal.recent_deliveries() == []
            assert journal.next_id() > 7
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert _layout(connection) == _layout_of_new(path)


def _layout(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """The columns of each table, and the indexes, by name."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'index')").fetchall()
    return {
        name: connection.execute(f"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{name}')").fetchall()
        for (name,) in names
    }


def _layout_of_new(path: str) -> dict[str, list[tuple[object, ...]]]:
    Journal.open(f"{path}.other").close()
    with closing(sqlite3.connect(f"{path}.other")) as connection:
        return _layout(connection)


def test_an_upgrade_that_is_interrupted_changes_nothing(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    versions.make(path, 3)
    monkeypatch.setitem(schema._UPGRADES, 3, schema._UPGRADES[3] + "INSERT INTO nowhere VALUES (1);")
    with pytest.raises(JournalError):
        Journal.open(path)
    monkeypatch.undo()
    with closing(Journal.open(path)) as journal:
        assert len(journal.records(1)) == 5


def test_a_missing_table_of_an_earlier_version_is_damage(path: str) -> None:
    versions.make(path, 2)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE accepted")
    with pytest.raises(JournalDamaged, match="lacks the table accepted"):
        Journal.open(path)


def _spoil_leaf(content: bytes) -> bytes:
    """Let the entries of the last leaf of a table begin at the wrong places (https://www.sqlite.org/fileformat2.html)."""
    at = max(at for at in range(4096, len(content), 4096) if content[at] == 0x0D and content[at + 4] > 3)
    return content[: at + 8] + content[at + 10 : at + 12] * 2 + content[at + 12 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda content: b"",
    "cut short": lambda content: content[:50],
    "cut in the middle": lambda content: content[: len(content) // 2],
    "text": lambda content: b"From alice\n" * 100,
    "header overwritten": lambda content: b"\0" * 4096 + content[4096:],
    "another program's": lambda content: content[:68] + b"abcd" + content[72:],
    "a page of zeros": lambda content: content[:4096] + b"\0" * 4096 + content[8192:],
    "the last page of noise": lambda content: content[:-4096] + b"\xaa" * 4096,
    "a leaf with wrong pointers": lambda content: _spoil_leaf(content),
    "without a version": lambda content: content[:60] + b"\0\0\0\0" + content[64:],
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_journal_is_reported_and_stays(closed: str, name: str) -> None:
    content = DAMAGES[name](Path(closed).read_bytes())
    Path(closed).write_bytes(content)
    for _ in range(2):  # the second start is not a fresh one either
        with pytest.raises(JournalDamaged) as caught:
            Journal.open(closed)
        assert closed in str(caught.value)
        assert "move" in caught.value.advice
        assert caught.value.exit_code is ExitCode.IO_ERROR
        assert Path(closed).read_bytes() == content


def test_a_journal_gone_from_beside_its_log_is_not_begun_anew(closed: str) -> None:
    os.unlink(closed)
    Path(closed + "-wal").write_bytes(b"log")
    with pytest.raises(JournalDamaged, match="is gone"):
        Journal.open(closed)
    assert not os.path.exists(closed)


def test_a_large_journal_is_looked_at_but_not_read_whole(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = Path(closed).read_bytes()
    monkeypatch.setattr(schema, "FULL_CHECK_LIMIT", 1000)
    Journal.open(closed).close()
    Path(closed).write_bytes(b"".join((content[:4096], b"\0" * 4096, content[8192:])))
    with pytest.raises(JournalDamaged):
        Journal.open(closed)


def test_a_half_made_journal_is_made_again(path: str) -> None:
    os.makedirs(os.path.dirname(path))
    Path(path + ".new").write_bytes(b"SQLite format 3\0 and then the power went")
    Journal.open(path).close()
    assert not os.path.exists(path + ".new")


def test_a_place_that_cannot_be_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be opened: a part of the path is not a folder"):
        Journal.open(str(tmp_path / "file" / "popretr.sqlite"))


def test_a_new_journal_is_made_after_the_old_was_moved_away(closed: str) -> None:
    Path(closed + "-wal").write_bytes(b"log")
    for suffix in ("", "-wal"):
        Path(closed + suffix).rename(closed + suffix + ".old")
    journal = Journal.open(closed)
    try:
        assert journal.records(journal.maildrop(HOME)) == []
    finally:
        journal.close()
