"""A program is watched until all its sessions have ended, and then ended in good order; waiting is no part of it."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from benchmarks import dashboards
from benchmarks.clients import OURS, Task, ours
from benchmarks.dashboards import daemon, open_dashboard, spend_waiting, spend_whole, with_dashboard
from benchmarks.store import Sessions
from benchmarks.terminal import BenchmarkFailed

PROGRAM = os.path.join(os.path.dirname(sys.executable), OURS)


class Told:
    """Says each time that one more session has begun and ended; of those that begin, as many again a bit later."""

    def __init__(self, *first: Sessions) -> None:
        self._first = list(first)
        self.told = Sessions(0, -1)

    def __call__(self) -> Sessions:
        if self._first:
            self.told = self._first.pop(0)
        else:
            self.told = Sessions(20, self.told.ended + 1)
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
    told = Told()
    spent = spend_whole(PROGRAM, task, told)
    assert told.told.ended == len(task.accounts)
    assert spent.seconds > 0
    assert spent.memory > 1_000_000


@pytest.mark.parametrize(("dashboard", "readers"), [(True, 0), (False, 0), (False, 3)])
def test_what_waits_is_measured_from_its_first_session_on(task: Task, dashboard: bool, readers: int) -> None:
    told = Told(*[Sessions(0, 0)] * 5)
    spent = spend_waiting(PROGRAM, dashboard, task, told, readers=readers)
    assert told.told.ended == len(task.accounts)
    # twenty looks at the server, far less than a start
    assert 0 < spent.seconds < dashboards.DELAY
    assert spent.memory > 1_000_000
    configured = (task.home / "tui-popretr.xml").read_text()
    assert f"<delay_start>{dashboards.DELAY}s</delay_start>" in configured


def test_sessions_that_begin_too_early_do_not_count(task: Task) -> None:
    with pytest.raises(BenchmarkFailed, match="still starting"):
        spend_waiting(PROGRAM, True, task, lambda: Sessions(1, 0))


def test_one_whose_sessions_never_end(task: Task) -> None:
    with pytest.raises(BenchmarkFailed, match="0 sessions ended"):
        spend_whole(PROGRAM, task, lambda: Sessions(20, 0), patience=0.5)


def test_each_has_a_name_and_the_program_that_was_named() -> None:
    named = ours("/other/tui-popretr")
    clients = [make(named) for make in (with_dashboard, open_dashboard, daemon)]
    assert len({each.name for each in (named, *clients)}) == 4
    assert all(each.spend is not None and each.program == named.program for each in clients)
