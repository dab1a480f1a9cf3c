"""`tui-popretr transcript FILE`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.ui.lines import line, lines
from tui_popretr.cli.main import main
from tui_popretr.errors import UsageError
from tui_popretr.facts import DialogueLine
from tui_popretr.logs.items import Item, logged
from tui_popretr.logs.reading import Follower, TranscriptFiles
from tui_popretr.ui.shell.viewer import TranscriptViewer, open_viewer
from tui_popretr.ui.widgets.transcript import TranscriptPane

Script = Callable[[TranscriptViewer, TranscriptPane, Pilot[int]], Awaitable[None]]


def write(path: Path, *items: Item) -> str:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{logged(item)}\n" for item in items)
    return str(path)


def play(path: str, script: Script) -> int | None:
    """Run a script in the viewer of a file; return what the viewer returned."""
    app = open_viewer(path)

    async def run() -> None:
        async with app.run_test(size=(80, 12)) as pilot:
            await pilot.pause()
            await script(app, app.query_one(TranscriptPane), pilot)

    asyncio.run(run())
    return app.return_value


def texts(pane: TranscriptPane) -> list[str]:
    return [item.text for item in pane.view.shown.items if isinstance(item, DialogueLine)]


def test_the_file_is_shown_and_followed(tmp_path: Path) -> None:
    path = write(tmp_path / "t-202601.log", *lines(20))

    async def script(app: TranscriptViewer, pane: TranscriptPane, pilot: Pilot[int]) -> None:
        assert texts(pane)[-1] == "line 19"
        assert pane.view.following
        write(tmp_path / "t-202601.log", *lines(1, first=20))
        await app.poll()
        assert texts(pane)[-1] == "line 20"
        # the month is over
        write(tmp_path / "t-202602.log", line("next"))
        await app.poll()
        await app.poll()
        assert texts(pane)[-1] == "next"
        await pilot.press("q")

    assert play(path, script) == 0


def test_older_files_come_before_it_and_newer_ones_are_left_out(tmp_path: Path) -> None:
    for number in range(3):
        path = write(tmp_path / f"t-20260{number + 1}.log", line(f"in {number}"))
    path = str(tmp_path / "t-202602.log")

    async def script(app: TranscriptViewer, pane: TranscriptPane, pilot: Pilot[int]) -> None:
        assert texts(pane) == ["in 0", "in 1"]
        await app.poll()
        assert texts(pane) == ["in 0", "in 1"]

    play(path, script)


def test_one_client_is_that_of_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "t.log", *(line(f"line {number}", "ab"[number % 2]) for number in range(12)))

    async def script(app: TranscriptViewer, pane: TranscriptPane, pilot: Pilot[int]) -> None:
        await pilot.press("k", "a")
        assert texts(pane)[-1] == "line 10"
        assert len(texts(pane)) == 6
        await pilot.press("a")
        assert texts(pane)[-1] == "line 11"
        # a place on the disk is kept
        await pilot.press("g", "g")
        await app.workers.wait_for_complete()
        await pilot.press("j", "j", "j", "a")
        await app.workers.wait_for_complete()
        await pilot.pause()
        item = pane.view.current_item
        assert isinstance(item, DialogueLine)
        assert (pane.client, item.text) == ("b", "line 3")

    play(path, script)


def test_help_and_theme(tmp_path: Path) -> None:
    path = write(tmp_path / "t.log", *lines(3))

    async def script(app: TranscriptViewer, pane: TranscriptPane, pilot: Pilot[int]) -> None:
        before = app.theme
        await pilot.press("t")
        assert app.theme != before
        await pilot.press("question_mark")
        assert len(app.screen_stack) == 2
        await pilot.press("escape")
        assert len(app.screen_stack) == 1

    play(path, script)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, why in (
        (tmp_path / "none", "no such file"),
        (tmp_path, "is a directory"),
        (tmp_path / "pipe", "it is a pipe, not a regular file"),
        ("/dev/zero", "it is a device, not a regular file"),
    ):
        with pytest.raises(UsageError, match=why):
            open_viewer(str(path))


def test_a_file_that_a_pipe_has_replaced_is_not_waited_for(tmp_path: Path) -> None:
    path = write(tmp_path / "t.log", *lines(3))
    history = TranscriptFiles(lambda: [path])
    follower = Follower(path, lambda: [path])
    os.remove(path)
    os.mkfifo(path)
    assert history.before(None, 10).lines == []
    assert history.after(None, 10).lines == []
    assert [str(getattr(line, "text", line)) for line in follower.poll()[0]] == [f"# {path} starts again"]


def test_without_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcript", os.fspath(tmp_path / "t.log")]) == 64
    assert "terminal" in capsys.readouterr().err
