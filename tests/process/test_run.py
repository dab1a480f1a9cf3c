"""run_process(): what a command gets, what is kept of its output, and how it is ended with its children."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.delivery.command.handing import Lifeline, shell
from tests.support.waiting import wait_for
from tui_popretr.process.children import ChildProcesses
from tui_popretr.process.run import KEPT, ProcessEnd, run_process


@pytest.fixture
def mock_clock() -> MockClock:
    """A trio clock that stands still until the test moves it."""
    return MockClock()


ENVIRON = {"PATH": os.environ["PATH"]}


async def end_of(
    script: str, *arguments: object, stdin: bytes = b"", timeout: float = 60.0, commands: ChildProcesses | None = None
) -> ProcessEnd:
    argv = shell(script, *arguments)
    return await run_process(commands or ChildProcesses(), argv, stdin=stdin, environ=ENVIRON, timeout=timeout)


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    with closing(Lifeline(tmp_path)) as found:
        yield found


async def begun(lifeline: Lifeline) -> None:
    await trio.to_thread.run_sync(lambda: wait_for(lambda: lifeline.begun, lambda: "it has not begun"))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo said; echo more >&2", ProcessEnd(0, b"said\nmore\n")),
        ("exit 3", ProcessEnd(3, b"")),
        ("kill -9 $$", ProcessEnd(-9, b"")),
        ("exec >&- 2>&-; sleep 0.05; exit 4", ProcessEnd(4, b"")),
        ("cat /proc/self/environ", ProcessEnd(0, f"PATH={ENVIRON['PATH']}\0PWD={Path.cwd()}\0".encode())),
    ],
)
@pytest.mark.parametrize("polled", [False, True])
@trio_test
async def test_ends(script: str, expected: ProcessEnd, polled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if polled:
        monkeypatch.delattr(os, "pidfd_open")
    end = await end_of(script)
    assert end == expected


@trio_test
async def test_it_gets_the_whole_input() -> None:
    stdin = b"\0\xff\n" * 1_000_000
    end = await end_of("sha256sum", stdin=stdin)
    assert end.output.split()[0].decode() == sha256(stdin).hexdigest()


@trio_test
async def test_the_tail_of_the_output_is_kept() -> None:
    end = await end_of("seq 1 100000")
    assert len(end.output) == KEPT
    assert end.output.endswith(b"\n99999\n100000\n")


@trio_test
async def test_it_has_a_session_of_its_own_and_no_terminal() -> None:
    end = await end_of("cut -d' ' -f1,5,6,7 </proc/$$/stat")
    process, group, session, terminal = end.output.split()
    assert process == group == session
    assert terminal == b"0"


@trio_test
async def test_a_program_that_is_missing() -> None:
    with pytest.raises(FileNotFoundError):
        await run_process(ChildProcesses(), ["/nonexistent"], environ=ENVIRON, timeout=1.0)


@trio_test
async def test_an_unknown_exit_code() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert (await end_of("exit 3")).code is None
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("{grip}; sleep 1000 & sleep 1000", -signal.SIGTERM),
        ("trap '' TERM; {grip}; sleep 1000 & while :; do sleep 1000; done", -signal.SIGKILL),
        ("trap 'echo ending; exit 5' TERM; {grip}; sleep 1000 & wait", 5),
        ("{grip}; sleep 1000 & exec yes", -signal.SIGTERM),
    ],
)
@trio_test
async def test_the_deadline_stops_it_with_its_children(
    script: str, code: int, lifeline: Lifeline, mock_clock: MockClock
) -> None:
    commands, ends = ChildProcesses(), list[ProcessEnd]()

    async def run_it() -> None:
        ends.append(await end_of(script.format(grip=lifeline.grip), timeout=30.0, commands=commands))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_it)
        await begun(lifeline)
        while trio.lowlevel.current_statistics().seconds_to_next_deadline > 30.0:  # the thread that started it returns
            await trio.testing.wait_all_tasks_blocked(0.001)
        mock_clock.jump(29.0)
        await trio.testing.wait_all_tasks_blocked()
        assert ends == []
        mock_clock.jump(1.0)
        mock_clock.rate = 1.0
    (end,) = ends
    assert (end.timed_out, end.code) == (True, code)
    assert len(end.output) <= KEPT
    assert commands._groups == set()
    wait_for(lambda: not lifeline.alive, lambda: "a child runs")


def _cancelled(nursery: trio.Nursery, _: ChildProcesses) -> None:
    nursery.cancel_scope.cancel()


def _killed(_: trio.Nursery, commands: ChildProcesses) -> None:
    commands.kill_all()


@pytest.mark.parametrize("end", [_cancelled, _killed])
@trio_test
async def test_it_is_killed_with_its_children(
    end: Callable[[trio.Nursery, ChildProcesses], None], lifeline: Lifeline
) -> None:
    commands = ChildProcesses()
    script = f"trap '' TERM; {lifeline.grip}; sleep 1000 & sleep 1000"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: end_of(script, commands=commands, timeout=3600.0))
        await begun(lifeline)
        end(nursery, commands)
    wait_for(lambda: not lifeline.alive, lambda: "a child runs")
    assert commands._groups == set()


@trio_test
async def test_a_child_may_outlive_it(lifeline: Lifeline) -> None:
    end = await end_of(f"({lifeline.grip}; exec yes >&9) & read line <{lifeline.path}; exit 0")
    assert end == ProcessEnd(0, b"")
    assert lifeline.alive
