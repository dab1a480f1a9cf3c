"""The terminal's size: its own first, then what the environment says, then 80x24."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pytest

from tui_popretr.process.terminal_size import terminal_size


@pytest.fixture
def slave() -> Iterator[int]:
    master, slave = pty.openpty()
    yield slave
    os.close(master)
    os.close(slave)


ELSEWHERE = {"COLUMNS": "300", "LINES": "90"}


@pytest.mark.parametrize(
    ("told", "environ", "size"),
    [
        ((120, 40), {}, (120, 40)),
        ((120, 40), ELSEWHERE, (120, 40)),
        ((0, 0), ELSEWHERE, (300, 90)),
        ((0, 40), ELSEWHERE, (300, 40)),
        ((120, 0), ELSEWHERE, (120, 90)),
        ((0, 0), {}, (80, 24)),
        ((0, 0), {"COLUMNS": "0", "LINES": "-1"}, (80, 24)),
        ((0, 0), {"COLUMNS": "wide", "LINES": ""}, (80, 24)),
        ((0, 0), {"COLUMNS": "٣", "LINES": "9" * 30}, (80, 24)),
    ],
)
def test_the_terminal_knows_best(
    slave: int, told: tuple[int, int], environ: dict[str, str], size: tuple[int, int]
) -> None:
    columns, rows = told
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    assert terminal_size(slave, environ) == size


def test_without_a_terminal_the_environment_counts() -> None:
    with open(os.devnull, encoding="utf-8") as nowhere:
        assert terminal_size(nowhere.fileno(), ELSEWHERE) == (300, 90)
    assert terminal_size(-1, {}) == (80, 24)
