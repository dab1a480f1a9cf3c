"""The terminal's writing side after its loss, and the way back without the driver."""

from __future__ import annotations

import contextlib
import os
import pty
import sys
import termios
import tty
from collections.abc import Iterator

import pytest

from tui_popretr.ui import terminal
from tui_popretr.ui.terminal import Sanity, _Output


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
        sanity = Sanity()
        tty.setraw(slave)
        assert termios.tcgetattr(slave) != before
        sanity.restore()
        assert termios.tcgetattr(slave) == before
        written = os.read(master, 1000)
        for sequence in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[?2004l"):
            assert sequence in written
        os.set_blocking(slave, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(slave, b"x" * 4096)
        os.set_blocking(slave, True)
        sanity.restore()
        assert os.get_blocking(slave)


def test_without_a_terminal_there_is_nothing_to_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, encoding="utf-8") as nowhere:
        monkeypatch.setattr(sys, "__stdin__", nowhere)
        assert terminal.output() is None
        Sanity().restore()
