"""Killed in the upgrade of a journal, in place of each system call that would change the disk."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.crash.calls import killing
from tests.journal import versions
from tests.program import needs
from tests.program.process import environment
from tests.support.size import NIGHTLY
from tui_popretr.journal.journal import Journal

OPEN: Final = "import sys; from tui_popretr.journal.journal import Journal; Journal.open(sys.argv[1]).close()"


def content(path: Path) -> list[object]:
    with closing(Journal.open(str(path))) as journal:
        return [
            journal.records(1),
            journal.failures(1),
            journal.recent_sessions(9),
            journal.standings(),
            journal.tallies(daily=True, since=0),
        ]


@pytest.mark.parametrize("version", versions.TABLES if NIGHTLY else [3, 6])
def test_killed_in_an_upgrade(version: int, tmp_path: Path) -> None:
    needs.need(needs.tracing)
    undisturbed = tmp_path / "undisturbed"
    versions.make(str(undisturbed), version)
    expected = content(undisturbed)
    kills = 0
    for nth in range(1, 1000, 1 if NIGHTLY else 7):
        path = tmp_path / str(nth) / "journal"
        versions.make(str(path), version)
        command = [*killing(nth), sys.executable, "-c", OPEN, str(path)]
        code = subprocess.run(command, env=environment(), check=False).returncode
        assert content(path) == expected
        if code == 0:
            break
        assert code in (-signal.SIGKILL, 128 + signal.SIGKILL)
        kills += 1
    assert kills > 1
