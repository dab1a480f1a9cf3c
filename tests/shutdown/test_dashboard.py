"""With a dashboard: keys, signals and the loss of the terminal, while each client is in another state of a session."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.shutdown.standstill import Standstill, hang, in_every_state, storing
from tests.support.waiting import wait_for
from tests.ui.terminal import OnTerminal, on_terminal
from tui_popretr.faultpoints import Step

#: As in test_headless.
IN_ORDER, AT_ONCE = 10.0 + 3.0, 6.0
TERM, INT = signal.SIGTERM, signal.SIGINT

End = Callable[[OnTerminal], None]


def press_q(terminal: OnTerminal) -> None:
    terminal.press("q")
    terminal.wait_for("Quit?")
    terminal.press("y")


def press_ctrl_c(terminal: OnTerminal) -> None:
    """Back at the shell's screen, where it is a SIGINT."""
    terminal.press("\x03")


def terminate(terminal: OnTerminal) -> None:
    terminal.send(TERM)


def hang_up(terminal: OnTerminal) -> None:
    terminal.hang_up()


@contextmanager
def held(still: Standstill, *, controlling: bool = True) -> Iterator[OnTerminal]:
    """A dashboard whose clients are all in their states. `controlling`: the terminal's end brings a SIGHUP."""
    with on_terminal(still.path, rows=60, controlling=controlling, patch=still.patch) as terminal:
        still.wait()
        terminal.wait_for(" running")
        yield terminal


def test_once(tmp_path: Path) -> None:
    ends: list[tuple[End, bool]] = [(press_q, True), (terminate, True), (hang_up, True), (hang_up, False)]
    with ExitStack() as stack:
        stills = [stack.enter_context(in_every_state(tmp_path / str(number))) for number in range(len(ends))]
        terminals = [
            stack.enter_context(held(still, controlling=controlling))
            for still, (_, controlling) in zip(stills, ends, strict=True)
        ]
        for terminal, (end, _) in zip(terminals, ends, strict=True):
            end(terminal)
        for still, terminal, (end, _) in zip(stills, terminals, ends, strict=True):
            assert terminal.ended(within=IN_ORDER) == 0
            assert still.without_farewell() == []
            if end is not hang_up:
                assert terminal.insane() == []
                assert "stopping: waiting for " in terminal.afterwards
            still.assert_nothing_is_left(terminal.text)


@pytest.mark.parametrize(
    ("first", "then", "number"),
    [(press_q, press_ctrl_c, INT), (terminate, terminate, TERM), (hang_up, terminate, TERM)],
    ids=["q and ctrl+c", "TERM twice", "hang-up and TERM"],
)
def test_twice(tmp_path: Path, first: End, then: End, number: signal.Signals) -> None:
    with in_every_state(tmp_path) as still, held(still) as terminal:
        first(terminal)
        wait_for(lambda: not still.without_farewell(), lambda: "the end does not begin")
        then(terminal)
        assert terminal.ended(within=AT_ONCE) == 128 + number
        if first is not hang_up:
            assert terminal.insane() == []
        still.assert_nothing_is_left(terminal.text)


def test_while_a_message_is_stored(tmp_path: Path) -> None:
    """The fsync of its file hangs."""
    ends: list[End] = [press_q, terminate, hang_up]
    with ExitStack() as stack:
        stills = [stack.enter_context(storing(tmp_path / str(number))) for number in range(len(ends))]
        for still in stills:
            hang(still, Step.WRITTEN)
        terminals = [stack.enter_context(held(still)) for still in stills]
        for terminal, end in zip(terminals, ends, strict=True):
            end(terminal)
        for still, terminal, end in zip(stills, terminals, ends, strict=True):
            assert terminal.ended(within=IN_ORDER) == 0
            assert end is hang_up or terminal.insane() == []
            still.assert_nothing_is_left(terminal.text)
