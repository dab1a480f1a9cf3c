"""The terminal's writing side after its loss, its reading side to its end, and the way back without the driver."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import queue
import sys
import termios
import threading
import tty
from collections.abc import Iterator

import pytest
from textual import events
from textual.message import Message

from tests.support.dashboard import ScriptedSource
from tests.support.popserver_thread import PATIENCE
from tui_popretr.ui import sanity, terminal
from tui_popretr.ui.app import Dashboard
from tui_popretr.ui.sanity import Sanity
from tui_popretr.ui.terminal import Terminal, _Output


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


def test_sanity_is_restored_even_where_nobody_reads(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pair
    with open(slave, "r+b", buffering=0, closefd=False) as stream:
        monkeypatch.setattr(sys, "__stdin__", stream)
        monkeypatch.setattr(sys, "__stdout__", stream)
        before = termios.tcgetattr(slave)
        mind = Sanity()
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
        assert sanity.output() is None
        Sanity().restore()


class Reading:
    """A driver's reading side in a thread of its own, and what it has told. Only keys and the end wake it."""

    def __init__(self, slave: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(terminal, "_TICK", 1000 * 3600)
        with open(slave, "w", encoding="utf-8", closefd=False) as stream:
            for each in ("__stdin__", "__stdout__", "__stderr__"):
                monkeypatch.setattr(sys, each, stream)
            self._told: queue.Queue[Message] = queue.Queue()
            self._driver = asyncio.run(self._make())
        self._driver.fileno = slave
        self._driver._waking = os.pipe()
        self.thread = threading.Thread(target=self._driver.run_input_thread, daemon=True)
        self.thread.start()

    async def _make(self) -> _Hearing:
        """A driver wants to be made in a loop."""
        return _Hearing(Dashboard(ScriptedSource()), self._told)

    def keys(self, count: int) -> list[str]:
        told = [self._told.get(timeout=PATIENCE) for _ in range(count)]
        return [each.key for each in told if isinstance(each, events.Key)]

    @property
    def lost(self) -> bool:
        return self._driver._out.lost

    def end(self) -> None:
        """Disable the input, and wait here for what Textual would wait for in there, for ever."""
        self._driver.disable_input()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "it waits for a key that nobody presses"
        self._driver._forget_waking()


class _Hearing(Terminal):
    """Keeps what it should tell its app."""

    def __init__(self, app: Dashboard, told: queue.Queue[Message]) -> None:
        super().__init__(app)
        self._told = told

    def process_message(self, message: Message) -> None:
        self._told.put(message)


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
