"""Each variable that Textual and Rich read: which has an effect on the dashboard, and which has none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import rich
import textual

from tests.program.process import client, write_configuration
from tests.ui.terminal import on_terminal
from tui_popretr.ui.shell.variables import SWITCH, hide

#: For developers of Textual.
HIDDEN = {
    "TEXTUAL",
    "TEXTUAL_ALLOW_SIGNALS",
    "TEXTUAL_ANIMATIONS",
    "TEXTUAL_COLOR_SYSTEM",
    "TEXTUAL_DEBUG",
    "TEXTUAL_DEVTOOLS_HOST",
    "TEXTUAL_DEVTOOLS_PORT",
    "TEXTUAL_DIM_FACTOR",
    "TEXTUAL_DISABLE_KITTY_KEY",
    "TEXTUAL_DRIVER",
    "TEXTUAL_FILTERS",
    "TEXTUAL_FPS",
    "TEXTUAL_LOG",
    "TEXTUAL_PRESS",
    "TEXTUAL_SCREENSHOT",
    "TEXTUAL_SCREENSHOT_FILENAME",
    "TEXTUAL_SCREENSHOT_LOCATION",
    "TEXTUAL_SHOW_RETURN",
    "TEXTUAL_SLOW_THRESHOLD",
    "TEXTUAL_SMOOTH_SCROLL",
    "TEXTUAL_SPEEDUPS",
    "TEXTUAL_THEME",
}
#: What the terminal is, and what its user wants.
RESPECTED = {"NO_COLOR", "TERM", "COLORTERM", "TERM_PROGRAM", "LC_TERMINAL", "ESCDELAY", "UNICODE_VERSION"}
#: Only where the terminal does not know its size (tests/process/test_terminal_size.py).
SIZE = {"COLUMNS", "LINES"}
#: For Jupyter, for textual-web, and for output that may be no terminal: all that is drawn here goes to one.
ELSEWHERE = {
    "DATABRICKS_RUNTIME_VERSION",
    "FORCE_COLOR",
    "JUPYTER_COLUMNS",
    "JUPYTER_LINES",
    "ROWS",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
}
READ = re.compile(r"""(?:environ(?:_\w+)?(?:\.get|\.pop|\.setdefault)?|getenv)\s*[(\[]\s*["']([A-Z_]+)["']""")
#: Values that end a dashboard, press keys in it, or write files, where they are obeyed.
HARMFUL = {
    **dict.fromkeys(HIDDEN, "bogus"),
    "TEXTUAL": "debug,devtools",
    "TEXTUAL_ALLOW_SIGNALS": "1",
    "TEXTUAL_DEBUG": "1",
    "TEXTUAL_FPS": "1",
    "TEXTUAL_LOG": "/nonexistent/log",
    "TEXTUAL_PRESS": "q",
    "TEXTUAL_SCREENSHOT": "0",
    "TEXTUAL_SCREENSHOT_LOCATION": "/nonexistent",
    "TEXTUAL_SHOW_RETURN": "1",
}
ODD = {
    **dict.fromkeys(ELSEWHERE, "0"),
    "COLORTERM": "bogus",
    "COLUMNS": "300",
    "ESCDELAY": "bogus",
    "LC_TERMINAL": "bogus",
    "LINES": "90",
    "TERM_PROGRAM": "bogus",
    "UNICODE_VERSION": "bogus",
}


def test_every_variable_that_is_read_is_decided_on() -> None:
    found = set()
    for package in (textual, rich):
        for path in Path(package.__path__[0]).rglob("*.py"):
            found |= set(READ.findall(path.read_text(encoding="utf-8")))
    assert found == HIDDEN | RESPECTED | SIZE | ELSEWHERE


@pytest.mark.parametrize(
    "name", sorted(HIDDEN | RESPECTED | SIZE | ELSEWHERE | {"TEXTUAL_OF_A_LATER_VERSION", "TEXTUALLY"})
)
def test_only_what_is_for_developers_is_removed(name: str) -> None:
    environ = {name: "1"}
    hide(environ)
    assert (name in environ) == (not re.fullmatch("TEXTUAL(_.*)?", name))


@pytest.mark.parametrize(("value", "left"), [("1", True), ("0", False), ("", False)])
def test_the_switch_leaves_them(value: str, left: bool) -> None:
    environ = {"TEXTUAL_PRESS": "q", SWITCH: value}
    hide(environ)
    assert ("TEXTUAL_PRESS" in environ) == left


def test_the_dashboard_is_as_without_them(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1:1"), before="<delay_start>5h</delay_start>")
    with on_terminal(path, environ=HARMFUL | ODD) as terminal:
        terminal.wait_for("waiting")
        terminal.press("q")
        assert terminal.ended(within=10) == 0
        assert terminal.insane() == []
        assert terminal.afterwards.strip() == ""


def test_the_viewer_of_a_transcript_is_as_without_them(tmp_path: Path) -> None:
    log = tmp_path / "transcript.log"
    log.write_text("", encoding="utf-8")
    with on_terminal("transcript", str(log), environ=HARMFUL | ODD) as terminal:
        terminal.wait_for("Quit")
        terminal.press("q")
        assert terminal.ended(within=10) == 0
        assert terminal.insane() == []
        assert terminal.afterwards.strip() == ""


def test_the_dashboard_has_the_terminals_size_and_follows_it(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1:1"), before="<delay_start>5h</delay_start>")
    with on_terminal(path, columns=120, rows=40, environ={"COLUMNS": "300", "LINES": "90"}) as terminal:
        terminal.wait_for("waiting")
        terminal.wait_until(lambda drawn: (120, 40) in frames(drawn))
        assert max(rows for _, rows in frames(terminal.drawn)) == 40
        terminal.resize(80, 24)
        terminal.wait_until(lambda drawn: (80, 24) in frames(drawn))
        terminal.press("q")
        assert terminal.ended(within=10) == 0


def frames(drawn: bytes) -> set[tuple[int, int]]:
    """Return the sizes in which the whole screen was drawn: from its first row, which is the totals', to its last."""
    found = set()
    for frame in drawn.split(b"\x1b[1;1H")[1:]:
        rows = [int(row) for row in re.findall(rb"\x1b\[(\d+);1H", frame)]
        totals = re.sub(rb"\x1b\[[0-9;]*m", b"", frame.partition(b"\r\n")[0]).decode()
        if rows:
            found.add((len(totals), max(rows)))
    return found
