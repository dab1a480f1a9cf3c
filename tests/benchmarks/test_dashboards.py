"""A dashboard is watched until all its sessions have ended, and then ended in good order."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from benchmarks.clients import MPOP, Task
from benchmarks.dashboards import has_dashboard, spend_watched, with_dashboard
from benchmarks.terminal import BenchmarkFailed


class Ends:
    """Says each time that one more has ended."""

    def __init__(self) -> None:
        self.told = -1

    def __call__(self) -> int:
        self.told += 1
        return self.told


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A server that is not there: the dashboard stays open, whatever happens to the sessions."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    task = Task(tmp_path, port, tuple(f"account{number}" for number in range(20)))
    for account in task.accounts:
        for part in ("new", "cur", "tmp"):
            (task.maildir(account) / part).mkdir(parents=True)
    return task


def test_it_is_watched_until_all_have_ended(task: Task) -> None:
    ends = Ends()
    spent = spend_watched(task, ends)
    assert ends.told == len(task.accounts)
    assert spent.seconds > 0
    assert spent.memory > 1_000_000


def test_one_whose_sessions_never_end(task: Task) -> None:
    with pytest.raises(BenchmarkFailed, match="0 sessions ended"):
        spend_watched(task, lambda: 0, patience=0.5)


def test_it_is_known_by_its_name() -> None:
    assert not has_dashboard(MPOP)
    assert has_dashboard(with_dashboard(MPOP))
