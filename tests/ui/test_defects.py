"""Defects of the program while the dashboard draws: in the log, on standard error afterwards, never on the screen."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import pytest

from tests.program.process import client, write_configuration
from tests.ui.terminal import OnTerminal, on_terminal
from tui_popretr.ui.shell.defects import Defects

LOG = "<trace flush='0'>%DIRVAR%/trace.log</trace>"

#: In the program: a subscriber, a thread, and the engine itself fail when the file is there.
PATCH = """
import os, threading, trio
from tui_popretr.engine import service
marker, way = {marker!r}, {way!r}
def broken(of_the_test): raise ZeroDivisionError("of the test")
class Subscriber:
    def __call__(self, fact): raise ZeroDivisionError("of the test")
    def __repr__(self): return "(a subscriber of the test)"
async def fail(self, keeper):
    while not os.path.exists(marker): await trio.sleep(0.01)
    if way == "subscriber":
        self._bus.subscribe(Subscriber())
        self._bus.publish(service.Noted(self._clock.now(), service.Level.INFO, None, "a line"))
    elif way == "thread":
        threading.Thread(target=broken, args=(1,), name="of the test").start()
    else:
        raise ZeroDivisionError("of the test")
service.History.write = fail
"""


def started(folder: Path, way: str, *, columns: int = 150) -> tuple[str, str, int]:
    (folder / "var").mkdir()
    path = write_configuration(
        folder / "c.xml", client("isp", "127.0.0.1:1"), before=f"<delay_start>5h</delay_start>{LOG}"
    )
    return path, PATCH.format(marker=str(folder / "go"), way=way), columns


def screen(terminal: OnTerminal) -> str:
    """What was written before the dashboard's screen was left."""
    return terminal.drawn.partition(b"\x1b[?1049l")[0].decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("subscriber", "internal error: (a subscriber of the test) failed and was unsubscribed: ZeroDivisionError"),
        ("thread", "internal error: the thread 'of the test' failed: ZeroDivisionError"),
    ],
)
def test_a_defect_is_in_the_log_at_once_and_printed_afterwards(tmp_path: Path, way: str, words: str) -> None:
    path, patch, columns = started(tmp_path, way)
    with on_terminal(path, patch=patch, columns=columns) as terminal:
        terminal.wait_for("waiting")
        terminal.press("\t3")
        (tmp_path / "go").touch()
        terminal.wait_for("internal error: ")
        assert words in (tmp_path / "var/trace.log").read_text(encoding="utf-8")
        terminal.send(signal.SIGTERM)
        assert terminal.ended(within=10) == 0
        assert terminal.insane() == []
        assert words in terminal.afterwards
        assert "Traceback" not in screen(terminal)


def test_a_defect_that_ends_the_engine_exits_with_70(tmp_path: Path) -> None:
    path, patch, columns = started(tmp_path, "engine")
    with on_terminal(path, patch=patch, columns=columns) as terminal:
        terminal.wait_for("waiting")
        (tmp_path / "go").touch()
        assert terminal.ended(within=15) == 70
        assert terminal.insane() == []
        assert "ZeroDivisionError: of the test" in terminal.afterwards
        assert "Traceback" not in screen(terminal)
    log = (tmp_path / "var/trace.log").read_text(encoding="utf-8")
    assert "ERROR internal error: ZeroDivisionError in <string>, line 18; the program ends" in log


def test_defects_are_printed_once_and_the_hook_is_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    before = threading.excepthook
    reported: list[str] = []
    with Defects() as defects:
        defects.report = reported.append
        defects("a view", ZeroDivisionError("of the test"))
        failing = threading.Thread(target=lambda: 1 / 0, name="of the test")
        failing.start()
        failing.join()
        assert capsys.readouterr() == ("", "")
        defects.print_pending()
    assert threading.excepthook is before
    assert reported == capsys.readouterr().err.splitlines()
    assert reported == [
        "internal error: 'a view' failed and was unsubscribed: ZeroDivisionError('of the test')",
        "internal error: the thread 'of the test' failed: ZeroDivisionError('division by zero')",
    ]


def test_without_standard_error_nothing_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    defects = Defects()
    defects("a view", ZeroDivisionError())
    monkeypatch.setattr(sys, "stderr", None)
    defects.print_pending()
