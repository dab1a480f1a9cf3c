"""The journal on file systems without folder fsync, locks, shared memory or a count of their free space."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.journal.making import HOME, deliver
from tests.support import shim
from tui_popretr.journal.journal import Journal

_PROJECT = Path(__file__).parents[2]
OPEN = """
import functools, sqlite3, sys
from tests.journal.making import HOME
from tui_popretr.errors import PopretrError
from tui_popretr.journal.journal import Journal
sqlite3.connect = functools.partial(sqlite3.connect, timeout=0)
try:
    journal = Journal.open(sys.argv[1])
    journal.mark_seen(journal.maildrop(HOME), ["a"])
except PopretrError as error:
    print(int(error.exit_code), error, error.advice, sep="\\n")
else:
    print("open", flush=True)
    if len(sys.argv) > 2:
        sys.stdin.read()
"""
UNTIL_THEN = "until then nothing is retrieved and nothing is deleted"
WORKS: list[str] = ["open"]
LOCAL = [
    "74",
    "cannot be opened: its file system has no file locks that work",
    f"name a file on a local disk in <journal> (docs/file-systems.md); {UNTIL_THEN}",
]
IN_USE = [
    "75",
    "is in use by another tui-popretr",
    "another tui-popretr runs with this configuration; stop it first",
]
ANOTHER_PROGRAM = [
    "75",
    "cannot be opened: another program has locked it",
    "close the program that has it open, such as a database browser; it is tried again at the next run",
]


@pytest.fixture
def made(path: str) -> str:
    """The path of an existing journal with a maildrop."""
    with closing(Journal.open(path)) as journal:
        journal.maildrop(HOME)
    return path


def opened(path: str, environ: Mapping[str, str]) -> list[str]:
    """What comes of opening a journal."""
    command = [sys.executable, "-c", OPEN, path]
    done = subprocess.run(command, cwd=_PROJECT, env=environ, capture_output=True, text=True, check=True)
    return re.sub(f"the journal {path} | .process [0-9]+.", "", done.stdout).splitlines()


NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
HELD = (errno.EACCES, errno.EAGAIN)


@pytest.mark.parametrize(
    ("rules", "answer"),
    [
        *(({"fsyncdir": error}, WORKS) for error in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF)),
        *(({"flock": error}, WORKS) for error in NO_LOCKS),
        *(({"flock": error}, IN_USE) for error in HELD),
        *(({"flock": errno.ENOTSUP, "ofd": error}, LOCAL) for error in NO_LOCKS),
        *(({"flock": errno.ENOTSUP, "ofd": error}, IN_USE) for error in HELD),
        *(({"setlk": error}, LOCAL) for error in NO_LOCKS),
        *(({"setlk": error}, ANOTHER_PROGRAM) for error in HELD),
        *(({"mmap": error}, WORKS) for error in (errno.ENODEV, errno.EINVAL, errno.EACCES, errno.ENOMEM)),
        *(({"statvfs": error}, WORKS) for error in (errno.ENOSYS, errno.EACCES, errno.EIO)),
        ({"free": 0}, WORKS),
    ],
    ids=str,
)
def test_each_errno(made: str, tmp_path: Path, rules: dict[str, int], answer: list[str]) -> None:
    assert opened(made, shim.file_system(tmp_path, **rules)) == answer


def test_made_on_the_poorest(path: str, tmp_path: Path) -> None:
    assert opened(path, shim.poorest(tmp_path)) == WORKS
    assert opened(path, {}) == WORKS


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
def test_made_where_folders_cannot_be_synced(path: str, tmp_path: Path, error: int) -> None:
    assert opened(path, shim.file_system(tmp_path, fsyncdir=error)) == WORKS


def test_other_errors_of_a_folders_fsync_count(path: str, tmp_path: Path) -> None:
    code, words, _ = opened(path, shim.file_system(tmp_path, fsyncdir=errno.EIO))
    assert (code, words) == ("74", "cannot be opened: the disk reports an input/output error")


@pytest.mark.parametrize("rules", [{"flock": errno.ENOLCK}, {}])
def test_the_journal_of_a_process_that_runs(made: str, tmp_path: Path, rules: dict[str, int]) -> None:
    environ = shim.file_system(tmp_path, **rules)
    command = [sys.executable, "-c", OPEN, made, "wait"]
    with subprocess.Popen(
        command, cwd=_PROJECT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        assert opened(made, environ) == IN_USE
        holder.kill()
    assert opened(made, environ) == WORKS


OLDER = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("UPDATE journal SET last_message = 12345")
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("poor", [True, False])
def test_what_an_earlier_version_has_left(made: str, tmp_path: Path, *, poor: bool) -> None:
    """Its write-ahead log, and the index of that in shared memory, which it used."""
    subprocess.run([sys.executable, "-c", OLDER, made], check=False)
    assert Path(f"{made}-wal").stat().st_size > 0
    assert Path(f"{made}-shm").exists()
    assert opened(made, shim.poorest(tmp_path) if poor else {}) == WORKS
    with closing(Journal.open(made)) as journal:
        assert journal.next_id() > 12345


def test_nothing_else_can_write_while_it_is_open(made: str) -> None:
    with closing(Journal.open(made)) as journal:
        program = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0).execute('DELETE FROM message')"
        command = [sys.executable, "-c", program, made]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "database is locked" in done.stderr
        deliver(journal, journal.maildrop(HOME), "u1")
