"""The preloaded libraries really stand between Python, SQLite and the C library."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import shim

#: What a rule changes, as a program that prints the errno, or "fine".
CALLS = {
    "link": "os.link(file, file + '2', follow_symlinks=False)",
    "rename": "os.rename(file, file + '2')",
    "cross": "os.rename(file, top + '/folder/file')",
    "fsyncdir": "os.fsync(os.open(top, os.O_RDONLY))",
    "flock": "fcntl.flock(opened, fcntl.LOCK_EX)",
    "setlk": "fcntl.lockf(opened, fcntl.LOCK_EX); fcntl.lockf(opened, fcntl.LOCK_UN)",
    "ofd": "fcntl.fcntl(opened, fcntl.F_OFD_SETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))",
    "mmap": "mmap.mmap(opened, 1)",
    "statvfs": "os.statvfs(file)",
}
PLAY = """
import fcntl, mmap, os, struct, sys
top = sys.argv[1]
file = top + "/file"
os.mkdir(top + "/folder")
open(file, "w").write("x")
opened = os.open(file, os.O_RDWR)
for call in sys.argv[2:]:
    try:
        exec(call)
    except OSError as error:
        print(error.errno)
    else:
        print("fine")
"""


def play(folder: Path, environ: dict[str, str], *calls: str) -> list[str]:
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PLAY, folder, *calls], env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize("rule", CALLS)
def test_a_rule_changes_its_call_and_no_other(rule: str, tmp_path: Path) -> None:
    environ = shim.file_system(tmp_path, **{rule: errno.EHOSTDOWN})
    others = [call for name, call in CALLS.items() if name not in (rule, "rename", "cross")]
    expected = [str(errno.EHOSTDOWN), *["fine"] * (len(others))]
    assert play(tmp_path / "a", environ, CALLS[rule], *others) == expected
    environ["SHIM_PREFIX"] = str(tmp_path / "elsewhere")
    assert play(tmp_path / "b", environ, CALLS[rule]) == ["fine"]


def test_a_file_is_synced_where_folders_are_not(tmp_path: Path) -> None:
    assert play(tmp_path / "a", shim.file_system(fsyncdir=errno.EINVAL), "os.fsync(opened)") == ["fine"]


def test_free_space(tmp_path: Path) -> None:
    calls = ("assert os.statvfs(file).f_bavail == 7", "assert os.fstatvfs(opened).f_bfree == 7")
    assert play(tmp_path / "a", shim.file_system(free=7), *calls) == ["fine", "fine"]


SQLITE = """
import sqlite3, sys
try:
    connection = sqlite3.connect(sys.argv[1], timeout=0)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE some (value)")
except sqlite3.Error as error:
    print(error.sqlite_errorname)
else:
    print("fine")
"""


@pytest.mark.parametrize(
    ("rules", "answer"),
    [
        ({}, "fine"),
        ({"mmap": errno.ENODEV}, "SQLITE_IOERR_SHMMAP"),
        ({"setlk": errno.ENOTSUP}, "SQLITE_IOERR_LOCK"),
        ({"setlk": errno.ENOLCK}, "SQLITE_BUSY"),
    ],
)
def test_sqlite(rules: dict[str, int], answer: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SQLITE, str(tmp_path / "base")]
    environ = shim.file_system(tmp_path, **rules)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [answer]
