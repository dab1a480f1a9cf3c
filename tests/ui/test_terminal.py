"""The terminal's writing side after its loss, its reading side to its end, and the way back without the driver."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import queue
import signal
import struct
import sys
import termios
import threading
import tty
from collections.abc import AsyncIterator, Iterator

import pytest
from textual import events
from textual.geometry import Size
from textual.message import Message

from tests.support.dashboard import ScriptedSource
from tests.support.waiting import PATIENCE
from tui_popretr.process import job, terminal_state
from tui_popretr.process.terminal_state import TerminalState
from tui_popretr.ui.shell import terminal
from tui_popretr.ui.shell.app import Dashboard
from tui_popretr.ui.shell.terminal import Terminal, _Output


@pytest.fixture
def pair() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    for descriptor in (master, slave):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def test_what_is_written_arrives_at_the_flush(pair: tuple[int, int]) -> None:
    master, slave = pair
    with open(slave, "w", encoding="utf-8", closefd=False) as stream:
        out = _Output(stream)
        out.writelines(["→ ", "é"])
        out.flush()
    assert os.read(master, 100).decode() == "→ é"


def test_characters_that_the_terminal_lacks_are_replaced(pair: tuple[int, int]) -> None:
    master, slave = pair
    with open(slave, "w", encoding="latin-1", closefd=False) as stream:
        out = _Output(stream)
        out.write("→é")
        out.flush()
    assert os.read(master, 100) == b"?\xe9"


def test_a_lost_terminal_swallows_everything(pair: tuple[int, int]) -> None:
    master, slave = pair
    with open(slave, "w", encoding="utf-8", closefd=False) as stream:
        out = _Output(stream)
        os.close(master)
        for _ in range(100):
            out.write("x")
            out.flush()
        assert out.lost


def test_sanity_is_restored_without_a_reader(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pair
    with open(slave, "r+b", buffering=0, closefd=False) as stream:
        monkeypatch.setattr(sys, "__stdin__", stream)
        monkeypatch.setattr(sys, "__stdout__", stream)
        before = termios.tcgetattr(slave)
        mind = TerminalState()
        tty.setraw(slave)
        assert termios.tcgetattr(slave) != before
        mind.restore()
        assert termios.tcgetattr(slave) == before
        written = os.read(master, 1000)
        for sequence in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[?2004l"):
            assert sequence in written
        os.set_blocking(slave, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(slave, b"x" * 4096)
        os.set_blocking(slave, True)
        mind.restore()
        assert os.get_blocking(slave)


def test_without_a_terminal_there_is_nothing_to_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, encoding="utf-8") as nowhere:
        monkeypatch.setattr(sys, "__stdin__", nowhere)
        assert terminal_state.output() is None
        TerminalState().restore()


class Reading:
    """A driver's reading side in a thread of its own, and the messages it posts. Only keys and the end wake it."""

    def __init__(self, slave: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(terminal, "_TICK", 1000 * 3600)
        with open(slave, "w", encoding="utf-8", closefd=False) as stream:
            for each in ("__stdin__", "__stdout__", "__stderr__"):
                monkeypatch.setattr(sys, each, stream)
            self._messages: queue.Queue[Message] = queue.Queue()
            self._driver = asyncio.run(self._make())
        self._driver.fileno = slave
        self._driver._waking = os.pipe()
        self.thread = threading.Thread(target=self._driver.run_input_thread, daemon=True)
        self.thread.start()

    async def _make(self) -> _RecordingTerminal:
        """A driver needs a running loop."""
        return _RecordingTerminal(Dashboard(ScriptedSource()), self._messages)

    def keys(self, count: int) -> list[str]:
        messages = [self._messages.get(timeout=PATIENCE) for _ in range(count)]
        return [each.key for each in messages if isinstance(each, events.Key)]

    @property
    def lost(self) -> bool:
        return self._driver._out.lost

    def end(self) -> None:
        """Disable the input. The wait is here, since Textual's in the driver has no timeout."""
        self._driver.disable_input()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "it waits for a key"
        self._driver._forget_waking()


class Sizes:
    """A driver on a terminal with sizes set by the test, and the sizes it reports."""

    def __init__(self, slave: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self._slave = slave
        self.messages: queue.Queue[Message] = queue.Queue()
        self.set(100, 30)
        with open(slave, "w", encoding="utf-8", closefd=False) as stream:
            for each in ("__stdin__", "__stdout__", "__stderr__"):
                monkeypatch.setattr(sys, each, stream)
            self.app = Dashboard(ScriptedSource())
            monkeypatch.setattr(self.app, "_post_message", self._record)
            self.driver = Terminal(self.app)
        self.driver.fileno = slave

    async def _record(self, message: Message) -> bool:
        self.messages.put(message)
        return True

    def set(self, columns: int, rows: int) -> None:
        """Give the terminal a size. No signal comes: it is not the controlling terminal of the tests."""
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def reported(self, count: int) -> list[tuple[int, int]]:
        """Wait for this number of reports and return them."""
        messages = [await asyncio.to_thread(self.messages.get, timeout=PATIENCE) for _ in range(count)]
        return [(each.size.width, each.size.height) for each in messages if isinstance(each, events.Resize)]


@contextlib.asynccontextmanager
async def sizes(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sizes]:
    """The driver at work, on a terminal of 100x30."""
    before = {number: signal.getsignal(number) for number in (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)}
    there = Sizes(pair[1], monkeypatch)
    there.driver.start_application_mode()
    try:
        assert await there.reported(1) == [(100, 30)]
        there.app._size = Size(100, 30)
        yield there
    finally:
        there.driver.stop_application_mode()
        there.driver.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_resize_while_the_size_is_read_leaves_the_newest_size(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resized() -> list[tuple[int, int]]:
        monkeypatch.setattr(terminal, "_WATCH", 3600)
        async with sizes(pair, monkeypatch) as there:
            read = there.driver.read_size

            def read_and_resized() -> tuple[int, int]:
                before = read()
                monkeypatch.setattr(there.driver, "read_size", read)
                there.set(120, 40)
                signal.raise_signal(signal.SIGWINCH)
                return before

            monkeypatch.setattr(there.driver, "read_size", read_and_resized)
            there.set(50, 20)
            signal.raise_signal(signal.SIGWINCH)
            return await there.reported(2)

    assert asyncio.run(resized()) == [(50, 20), (120, 40)]


def test_a_size_without_a_signal_is_found(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    async def resized() -> list[tuple[int, int]]:
        monkeypatch.setattr(terminal, "_WATCH", 0.001)
        async with sizes(pair, monkeypatch) as there:
            there.set(50, 20)
            return await there.reported(3)

    assert asyncio.run(resized()) == [(50, 20)] * 3, "until it is drawn"


def test_a_size_that_is_drawn_is_not_reported_again(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    async def looked() -> bool:
        async with sizes(pair, monkeypatch) as there:
            there.driver._post_size(only_new=True)
            await asyncio.sleep(0)
            return there.messages.empty()

    assert asyncio.run(looked())


def test_a_terminal_that_reports_its_size_is_not_queried(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked() -> bool:
        async with sizes(pair, monkeypatch) as there:
            there.driver._in_band_window_resize = True
            there.set(50, 20)
            there.driver._post_size()
            return there.messages.empty()

    assert asyncio.run(asked())


def test_a_signal_while_the_output_is_locked_waits_for_nothing(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up: list[bool] = []

    async def stopped() -> list[bool]:
        monkeypatch.setattr(job, "is_kept", lambda: True)
        async with sizes(pair, monkeypatch) as there:
            monkeypatch.setattr(job, "release_terminal", lambda: given_up.append(there.driver._suspended))
            assert there.driver._writer_thread is not None
            states = []
            for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGTSTP, signal.SIGCONT):
                with there.driver._writer_thread._queue.mutex:
                    signal.raise_signal(number)
                await asyncio.sleep(0)
                states.append(there.driver._suspended)
            return states

    assert asyncio.run(stopped()) == [True, False, True, False]
    assert given_up == [True, True]


class _RecordingTerminal(Terminal):
    """Keeps the messages for its app."""

    def __init__(self, app: Dashboard, messages: queue.Queue[Message]) -> None:
        super().__init__(app)
        self._messages = messages

    def process_message(self, message: Message) -> None:
        self._messages.put(message)


def test_keys_are_read_until_the_end_and_the_end_is_at_once(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    master, slave = pair
    tty.setraw(slave)
    reading = Reading(slave, monkeypatch)
    os.write(master, b"a\x1b[A\xc3")
    assert reading.keys(2) == ["a", "up"]
    os.write(master, b"\xa9\xffz")
    assert reading.keys(3)[-1] == "z", "octets that are no characters are no keys, and end nothing"
    reading.end()
    assert not reading.lost


def test_reading_ends_with_the_terminal(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pair
    reading = Reading(slave, monkeypatch)
    os.close(master)
    reading.thread.join(PATIENCE)
    assert not reading.thread.is_alive()
    reading.end()
