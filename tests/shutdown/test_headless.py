"""Without a dashboard: signals to a program whose clients are each in another state of a session."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.program.process import Program, started, write_configuration
from tests.shutdown.places import Asking
from tests.shutdown.standstill import Standstill, hang, in_every_state, storing
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tests.support.waiting import wait_for
from tui_popretr.faultpoints import Step

#: Seconds that an end may take, with a reserve for a busy machine. A hang lasts for ever here; an end in order waits 8
#: seconds for it.
IN_ORDER, AT_ONCE = 10.0 + 3.0, 6.0
TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP

#: Where storing a message hangs: in the fsync of its file, a commit of the journal, the fsync of its folder, the audit
#: log. And in the engine's own thread, which then does nothing more at all.
STEPS = (Step.WRITTEN, Step.IN_TRANSACTION, Step.PUBLISHED, Step.NEW_SYNCED, Step.DELIVERING)

TWICE = pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])


@contextmanager
def held(*stills: Standstill) -> Iterator[list[Program]]:
    """Their programs, when all clients are in their states."""
    with ExitStack() as stack:
        options = ("--headless", "--once")
        programs = [stack.enter_context(started(each.path, *options, patch=each.patch)) for each in stills]
        for still in stills:
            still.wait()
        yield programs


@contextmanager
def several(places: Iterable[AbstractContextManager[Standstill]]) -> Iterator[list[Standstill]]:
    """Several at a time, because an end mostly waits."""
    with ExitStack() as stack:
        yield [stack.enter_context(place) for place in places]


def assert_nothing_is_left(program: Program, still: Standstill) -> None:
    still.assert_nothing_is_left(program.said)


def test_once(tmp_path: Path) -> None:
    """When a terminal closes, the system and the shell both send SIGHUP: together they count as one."""
    ends = ((TERM,), (INT,), (HUP,), (HUP, HUP))
    places = (in_every_state(tmp_path / str(number)) for number in range(len(ends)))
    with several(places) as stills, held(*stills) as programs:
        for program, numbers in zip(programs, ends, strict=True):
            program.send(numbers[0])
            program.wait_for("ending")
            for number in numbers[1:]:
                program.send(number)
        for program in programs:
            assert program.ended(within=IN_ORDER) == 0
        for program, still in zip(programs, stills, strict=True):
            assert still.without_farewell() == []
            assert_nothing_is_left(program, still)


@pytest.mark.parametrize("number", [TERM, INT])
def test_twice(tmp_path: Path, number: signal.Signals) -> None:
    with in_every_state(tmp_path) as still, held(still) as [program]:
        program.send(number)
        program.wait_for("ending")
        program.send(number)
        assert program.ended(within=AT_ONCE) == 128 + number
        assert_nothing_is_left(program, still)


def test_twice_in_one_breath(tmp_path: Path) -> None:
    with in_every_state(tmp_path) as still, held(still) as [program]:
        program.send(TERM)
        program.send(INT)
        assert program.ended(within=AT_ONCE) in (128 + TERM, 128 + INT)
        assert_nothing_is_left(program, still)


def test_twice_while_a_password_command_is_started(tmp_path: Path) -> None:
    with closing(Asking(tmp_path)) as asking, running_server([ServedMaildrop("me", PASSWORD)]) as server:
        client = (
            f'<client id="isp" recip="isp"><maildir>%DIRVAR%/mail</maildir><server address="{server.address}">'
            f'<username>me</username><password command="{asking.command}"/></server></client>'
        )
        path = write_configuration(tmp_path / "c.xml", client, before="<delay_start>0</delay_start>")
        patch = "import tests.shutdown.hanging as hanging\nhanging.starts()"
        with started(path, "--headless", patch=patch) as program:
            wait_for(lambda: asking.alive, lambda: "the command is not started")
            program.send(TERM)
            program.wait_for("ending")
            program.send(TERM)
            assert program.ended(within=AT_ONCE) == 128 + TERM
        wait_for(lambda: not asking.alive, lambda: "the password command, or its child, runs on")


# --- what hangs is our own side ---------------------------------------------------------------------------------------


def end(programs: list[Program], *, twice: bool) -> None:
    for program in programs:
        program.send(TERM)
        if twice:
            program.send(INT)
    for program in programs:
        code = program.ended(within=AT_ONCE if twice else IN_ORDER)
        assert code in ((128 + TERM, 128 + INT) if twice else (0,))


@TWICE
def test_while_a_message_is_stored(tmp_path: Path, twice: bool) -> None:
    with several(storing(tmp_path / step.name) for step in STEPS) as stills:
        for still, step in zip(stills, STEPS, strict=True):
            hang(still, step)
        with held(*stills) as programs:
            end(programs, twice=twice)
            for still in stills:
                assert not any(line.startswith(b"DELE") for line in still.accounts["storing"].server.said())
            for program, still in zip(programs, stills, strict=True):
                assert_nothing_is_left(program, still)


@TWICE
def test_in_recovery(tmp_path: Path, twice: bool) -> None:
    with storing(tmp_path) as still:
        hang(still, Step.PUBLISHED)
        with held(still) as [program]:
            program.send(signal.SIGKILL)
            assert program.ended() == -signal.SIGKILL
        hang(still, Step.RECOVERY_LOOKED)
        with held(still) as [program]:
            end([program], twice=twice)
            assert_nothing_is_left(program, still)
