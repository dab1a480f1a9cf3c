"""What the tests of the logs share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.clock import FakeClock
from tui_popretr.config.model import LogSettings
from tui_popretr.logs.logfile import LogFile

OpenLog = Callable[[LogSettings], LogFile]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def reports() -> list[str]:
    """What the logs of this test have reported."""
    return []


@pytest.fixture
def open_log(clock: FakeClock, reports: list[str]) -> Iterator[OpenLog]:
    """Opens a log with the banner "test log", closed after the test."""
    opened: list[LogFile] = []

    def open_one(settings: LogSettings) -> LogFile:
        log = LogFile(settings, clock, banner="test log", report=reports.append)
        opened.append(log)
        return log

    yield open_one
    for log in opened:
        log.close()


def lines(path: str | Path) -> list[str]:
    """Return the lines of a log without its banners; the last one must be whole."""
    return [line for line in everything(path) if not line.startswith("# ")]


def banners(path: str | Path) -> list[str]:
    """Return what a log's banners say, without their time."""
    return [line[26:] for line in everything(path) if line.startswith("# ")]


def everything(path: str | Path) -> list[str]:
    """Return all lines of a log; the last one must be whole."""
    text = Path(path).read_text("utf-8")
    assert text == "" or text.endswith("\n")
    return text.split("\n")[:-1]
