"""A command's end is told as it was, with what it took."""

from __future__ import annotations

import os
import pwd
import sys
import time
from pathlib import Path

import pytest

from benchmarks.process import USER, spend

MEGABYTE = 1_000_000


def test_its_exit_code_and_what_it_said(tmp_path: Path) -> None:
    assert spend(["sh", "-c", "echo said; echo loudly >&2; exit 3"], tmp_path).exit_code == 3
    assert (tmp_path / "said").read_text() == "said\nloudly\n"


def test_the_memory_is_its_own(tmp_path: Path) -> None:
    mine = bytearray(100 * MEGABYTE)
    for at in range(0, len(mine), 4096):
        mine[at] = 1
    assert spend(["true"], tmp_path).memory < 40 * MEGABYTE
    assert spend([sys.executable, "-c", "b'x' * 200_000_000"], tmp_path).memory > 200 * MEGABYTE


def test_the_time_of_its_children_counts(tmp_path: Path) -> None:
    busy = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.3: pass'"
    spent = spend(["sh", "-c", f"{busy} & {busy}; wait"], tmp_path)
    assert spent.cpu > 0.6
    assert spent.seconds > 0.3


def test_the_memory_of_all_together(tmp_path: Path) -> None:
    # each waits until the other has its memory too, and both have been looked at
    script = (
        "import os, sys, time\nkept = b'x' * 60_000_000\nopen(sys.argv[1], 'w').close()\n"
        "while not os.path.exists(sys.argv[2]): time.sleep(0.01)\ntime.sleep(0.7)"
    )
    (tmp_path / "script").write_text(script)
    one, other = (f"{sys.executable} script {names}" for names in ("a b", "b a"))
    assert spend(["sh", "-c", f"{one} & {other}; wait"], tmp_path, together=True).memory > 120 * MEGABYTE


def test_one_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    spent = spend(["sh", "-c", "sleep 1000 & echo $! >child; wait"], tmp_path, patience=1.0)
    assert spent.exit_code == -9
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 30
    while alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return "Z (zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.root
def test_peers_are_not_root(tmp_path: Path) -> None:
    assert spend(["sh", "-c", "id -u; stat -c %U .; umask"], tmp_path, as_us=False).exit_code == 0
    assert (tmp_path / "said").read_text().split()[:2] == [str(pwd.getpwnam(USER).pw_uid), USER]


def test_ours_is_who_we_are(tmp_path: Path) -> None:
    spend(["id", "-u"], tmp_path)
    assert (tmp_path / "said").read_text() == f"{os.geteuid()}\n"
