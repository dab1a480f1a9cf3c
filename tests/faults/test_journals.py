"""Journals that are in use, damaged, from the future, or gone: each is reported, and none is started again."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.scene import HIT, OTHER, Scene, mails
from tui_popretr.cli.run import advice_beside
from tui_popretr.journal.schema import VERSION


def test_another_process_of_ours_has_it(scene: Scene) -> None:
    scene.configure_both(freq="1s")
    with scene.running() as first:
        first.wait_for_all("hit: no new messages", "other: no new messages")
        done = scene.once()
        assert done.code == 75, done.err
        in_use = f"the journal {scene.journal} is in use by another tui-popretr (process {first.pid})"
        assert f"tui-popretr: {in_use}\n" in done.err, done.err
        assert f"tui-popretr: {advice_beside(str(scene.path))}\n" in done.err
        for name in (HIT, OTHER):
            scene.send(name, mails(name, 5))
        first.wait_for_all("hit: 5 messages", "other: 5 messages")
        scene.assert_all()
        first.send(signal.SIGKILL)
        first.finish()
    for name in (HIT, OTHER):
        scene.send(name, mails(f"{name}.more", 5))
    assert scene.once().code == 0
    scene.assert_all()


def test_another_program_has_locked_it(scene: Scene) -> None:
    """A user has it open with SQLite's own tools, in a transaction."""
    scene.configure_both()
    assert scene.once().code == 0
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    with closing(sqlite3.connect(scene.journal, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = scene.once()
    assert done.code == 75, done.err
    assert f"tui-popretr: the journal {scene.journal} cannot be opened: another program has locked it\n" in done.err
    assert "tui-popretr: close the program that has it open, such as a database browser; it is" in done.err
    for name in (HIT, OTHER):
        assert scene.heard(name, "RETR") == []
        scene.assert_kept(name)

    assert scene.once().code == 0
    scene.assert_all()


def cut_in_the_middle(journal: Path) -> None:
    os.truncate(journal, journal.stat().st_size // 2)


def zero_a_page(journal: Path) -> None:
    """One that is not needed before there is mail."""
    with closing(sqlite3.connect(journal)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'message_by_uid'").fetchone()[0]
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with journal.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))


def overwrite_the_header(journal: Path) -> None:
    journal.write_bytes(b"From alice" * 50 + journal.read_bytes()[500:])


def empty(journal: Path) -> None:
    journal.write_bytes(b"")


def lose_it_but_for_its_log(journal: Path) -> None:
    journal.unlink()
    Path(f"{journal}-wal").write_bytes(b"log")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut_in_the_middle, "is damaged: "),
        (zero_a_page, "is damaged: "),
        (overwrite_the_header, "is damaged: it is not an SQLite database; nothing was retrieved or deleted"),
        (empty, "is empty; nothing was retrieved or deleted"),
        (lose_it_but_for_its_log, "is gone, but "),
    ],
)
def test_it_is_damaged(scene: Scene, tmp_path: Path, damage: Callable[[Path], None], words: str) -> None:
    """Rejected at every start, and left as it is: with a new one, mail on the server would be delivered again."""
    scene.configure_both(preserve="Y", newonly="Y")
    scene.send(HIT, mails(HIT, 5))
    scene.send(OTHER, mails(OTHER, 5))
    assert scene.once().code == 0
    shutil.copy(scene.journal, tmp_path / "backup")
    damage(scene.journal)
    found = scene.journal.read_bytes() if scene.journal.exists() else None
    scene.send(HIT, mails("new", 3))
    scene.send(OTHER, mails("other.new", 3))
    connections = scene.server.server.connections
    for _ in range(2):
        done = scene.once()
        assert done.code == 74, done.err
        assert scene.server.server.connections == connections, "no server is asked for anything"
        assert f"tui-popretr: the journal {scene.journal} {words}" in done.err, done.err
        assert "tui-popretr: restore it from a backup (stop the program first), or, to begin a new one" in done.err
        assert (scene.journal.read_bytes() if scene.journal.exists() else None) == found
        assert (scene.arrived(HIT).total(), scene.arrived(OTHER).total()) == (5, 5)

    Path(f"{scene.journal}-wal").unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup", scene.journal)
    assert scene.once().code == 0
    scene.assert_kept(HIT)
    assert (scene.arrived(HIT).total(), scene.left(HIT)) == (8, 8)
    scene.assert_all(OTHER)


def test_it_is_from_the_future(scene: Scene) -> None:
    scene.configure_both()
    assert scene.once().code == 0
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    set_version(scene.journal, VERSION + 1)
    before = scene.journal.read_bytes()
    done = scene.once()
    assert done.code == 78, done.err
    versions = f"has version {VERSION + 1}; this program knows up to {VERSION}"
    assert f"tui-popretr: the journal {scene.journal} {versions}\n" in done.err, done.err
    assert "tui-popretr: install the newer version again\n" in done.err
    assert scene.journal.read_bytes() == before
    assert (scene.left(HIT), scene.left(OTHER)) == (5, 5)

    set_version(scene.journal, VERSION)
    assert scene.once().code == 0
    scene.assert_all()


def set_version(journal: Path, version: int) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("gone", ["the journal alone", "with what SQLite keeps beside it"])
def test_it_is_removed_while_the_program_runs(scene: Scene, tmp_path: Path, gone: str) -> None:
    """Otherwise it would go on with a file without a name, and the next process would know none of its records."""
    scene.configure_both(freq="1s", preserve="Y", newonly="Y")
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    with scene.running() as process:
        process.wait_for_all("hit: 5 messages", "other: 5 messages")
        for suffix in ("", "-wal"):
            shutil.copy(f"{scene.journal}{suffix}", tmp_path / f"backup{suffix}")
        with closing(sqlite3.connect(tmp_path / "backup")) as backup:
            backup.execute("PRAGMA journal_mode = DELETE")  # it is in one file
        for suffix in ("", "-wal") if gone.startswith("with") else ("",):
            Path(f"{scene.journal}{suffix}").unlink()
        scene.send(HIT, mails("new", 3))
        scene.send(OTHER, mails("other.new", 3))
        # and no new one is created
        sentence = f"failed: the journal {scene.journal} is gone; nothing was retrieved or deleted (restore it from a"
        process.wait_for_all(f"hit: {sentence}", f"other: {sentence}")
        assert not scene.journal.exists()
        process.stop()
    assert scene.left(OTHER) == 3
    for name in (HIT, OTHER):
        scene.assert_kept(name)

    Path(f"{scene.journal}-wal").unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup", scene.journal)
    assert scene.once().code == 0
    scene.assert_kept(HIT)
    assert (scene.arrived(HIT).total(), scene.left(HIT)) == (8, 8)
    scene.assert_all(OTHER)
