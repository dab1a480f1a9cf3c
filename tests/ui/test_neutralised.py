"""A text that a terminal would obey, in every field of every fact: no screen, line or log has it as it is."""

from __future__ import annotations

import asyncio
import io
import types
import typing
import unicodedata
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from tests.program.process import client, run_program, write_configuration
from tests.support.clock import FakeClock
from tests.support.dashboard import Played, ScriptedSource, play
from tui_popretr import facts
from tui_popretr.config.model import LogSettings
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Dialogue, DialogueLine, Direction, Fact, Level
from tui_popretr.headless.progress import Progress
from tui_popretr.logs.logfile import LogFile
from tui_popretr.logs.reading import TranscriptFiles
from tui_popretr.logs.trace import TraceLog
from tui_popretr.logs.transcript import TranscriptLog
from tui_popretr.ui.shell.app import Dashboard

#: An override, an escape sequence, an isolate, a joiner, a soft hyphen and a line separator.
MARK = "a\u202eb\x1b[7mc\u2066d\u200de\xadf\u2028g"
CLOCK = FakeClock()


def marked(kind: Any) -> Any:
    """Return something of a type in which every text is MARK."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return marked(inner[0])
    if origin is tuple:
        return (marked(inner[0]),) * 2 if inner[-1] is Ellipsis else tuple(map(marked, inner))
    if origin in (list, Sequence):
        return [marked(inner[0])]
    if kind is str:
        return MARK
    if kind is datetime:
        return CLOCK.now()
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {Level: Level.ERROR, ExitCode: ExitCode.IO_ERROR, Direction: Direction.OPENED}.get(
            kind, next(iter(kind))
        )
    if isinstance(kind, type) and is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{field.name: marked(hints[field.name]) for field in fields(kind)})
    return kind(1)


def raw(text: str) -> set[str]:
    """Return the characters of a text that a terminal would obey, or not show."""
    return {each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") and each != "\n"}


ALL: list[Fact] = [marked(kind) for kind in typing.get_args(Fact)]
#: How the session that all of them are about goes on, and what comes with it.
STORY = [
    each for each in ALL if not isinstance(each, facts.SessionClosed | facts.ConfigurationRejected | facts.ClientPaused)
]
END = [each for each in ALL if isinstance(each, facts.SessionClosed)]
REJECTED = [each for each in ALL if isinstance(each, facts.ConfigurationRejected)]


async def all_screens(played: Played) -> None:
    seen = ""

    def look(what: str) -> None:
        nonlocal seen
        assert raw(played.text) == set(), what
        seen += played.text

    async def keys(*pressed: str) -> None:
        for key in pressed:
            await played.press(key)
            await played.pilot.pause()
            look(f"after {key} of {pressed}")

    look("at first")
    await played.tell(
        *(DialogueLine(each.session, each.at, each.direction, MARK) for each in STORY if isinstance(each, DialogueLine))
    )
    look("dialogue")
    await keys("enter", "escape", "q", "n", "question_mark", "escape", "ctrl+p", "R", "u", "escape")
    await keys(
        "ctrl+p",
        "a",
        "escape",
        "slash",
        "a",
        "escape",
        "escape",
        "tab",
        "slash",
        "a",
        "enter",
        "S",
        "escape",
        "w",
        "T",
        "escape",
    )
    for tab in "234":
        await keys(tab, "tab", "enter", "escape", "up", "enter", "h", "escape", "c", "v", "tab", "1")
    await played.tell(*END)
    look("the end")
    await keys("enter", "escape", "4", "tab", "enter", "escape", "tab", "r", "a", "a")
    await played.tell(*REJECTED)
    look("problems")
    await keys("escape")
    assert "\\u202e" in seen
    assert "\\x1b" in seen


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_no_screen_has_it(size: tuple[int, int]) -> None:
    play(all_screens, *STORY, size=size, source=ScriptedSource(CLOCK))


def test_the_title_is_neutralised() -> None:
    async def run() -> str:
        dashboard = Dashboard(ScriptedSource(CLOCK), title=MARK)
        async with dashboard.run_test(size=(120, 30)) as pilot:
            await pilot.pause()
            return Played(pilot, ScriptedSource(CLOCK)).text

    text = asyncio.run(run())
    assert raw(text) == set()
    assert "\\u202e" in text


def test_a_refusal_is_neutralised() -> None:
    async def scene(played: Played) -> None:
        played.source.refusal = MARK
        await played.press("r")
        await played.pilot.pause()
        assert raw(played.text) == set()
        assert "\\u202e" in played.text

    play(scene, *STORY, source=ScriptedSource(CLOCK))


def test_no_line_of_progress_has_it() -> None:
    terminal = io.StringIO()
    progress = Progress([MARK], terminal, width=lambda: 200)
    for fact in (*STORY, *END):
        progress(fact)
        progress._draw(progress._status())
    progress.finish()
    assert raw(terminal.getvalue()) == {"\r"}
    assert "\\u202e" in terminal.getvalue()


def test_no_log_has_it(tmp_path: Path) -> None:
    for name, log in logs(tmp_path).items():
        for fact in ALL:
            if isinstance(log, TraceLog):
                log(fact)
            elif isinstance(fact, DialogueLine):
                log(Dialogue(fact.session, fact.at, [(fact.direction, "text"), (Direction.IN, "text")]))
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert raw(text) == set(), name
        assert "\\u202e" in text


def test_the_log_on_disk_is_found_by_the_client(tmp_path: Path) -> None:
    log = logs(tmp_path)["transcript"]
    assert isinstance(log, TranscriptLog)
    line = marked(DialogueLine)
    log(Dialogue(line.session, line.at, [(Direction.OPENED, "first"), (Direction.IN, "second")]))
    on_disk = TranscriptFiles(lambda: [str(tmp_path / "transcript")])
    assert [getattr(each, "text", "") for each in on_disk.before(None, 10, MARK).lines] == ["first", "second"]


def logs(folder: Path) -> dict[str, TraceLog | TranscriptLog]:
    files = {
        name: LogFile(LogSettings(str(folder / name), flush=0.0), CLOCK, banner="", report=print)
        for name in ("trace", "transcript")
    }
    return {
        "trace": TraceLog(files["trace"], CLOCK, level=Level.DEBUG),
        "transcript": TranscriptLog(files["transcript"]),
    }


COMMANDS = (
    ("check",),
    ("check", "--connect"),
    ("mark-seen", "--client", "absent"),
    ("--headless", "--once"),
    ("--headless", "--once", "--client", "absent"),
    ("--headless", "--once", "-vv"),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_command_prints_it(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    name = MARK.replace("\x1b[7m", "")
    folder = tmp_path / name
    folder.mkdir()
    path = write_configuration(folder / f"{name}.xml", client(name, "127.0.0.1:1", user=name))
    command, *rest = arguments
    arguments = (path, command, *rest) if command.startswith("-") else (command, path, *rest)
    done = run_program(*arguments)
    assert raw(done.out + done.err) == set()
    assert "\\u202e" in done.out + done.err


def test_no_error_about_a_name_on_the_command_line_has_it(tmp_path: Path) -> None:
    done = run_program("check", str(tmp_path / MARK))
    assert done.code != 0
    assert raw(done.err) == set()
