"""No worker of the dashboard ends the program: all are started in one place, which catches what they raise."""

from __future__ import annotations

import ast
import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

import tui_popretr.ui
from tests.support.dashboard import Played, ScriptedSource, clients, play
from tests.ui.lines import lines
from tests.ui.test_transcript import PaneApp, disk
from tests.ui.test_transcript import play as play_pane
from tests.ui.test_viewer import play as play_viewer
from tests.ui.test_viewer import texts, write
from tui_popretr.logs.reading import Follower, TranscriptFiles
from tui_popretr.ui import work
from tui_popretr.ui.model.formatting import failure_reason
from tui_popretr.ui.shell.viewer import TranscriptViewer
from tui_popretr.ui.widgets import saving
from tui_popretr.ui.widgets.transcript import TranscriptPane

FOLDER = Path(tui_popretr.ui.__file__).parent
#: Calls that start concurrent work.
OTHERS = {"run_worker", "work", "call_from_thread", "create_task", "run_in_executor", "Thread"}


def test_workers_are_started_in_one_place() -> None:
    found = set()
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in OTHERS:
                    found.add((path.relative_to(FOLDER).as_posix(), name))
            imported = node.names if isinstance(node, ast.ImportFrom) and node.module == "textual" else []
            found |= {(path.name, each.name) for each in imported if each.name == "work"}
    assert found == {
        ("work.py", "run_worker"),
        ("shell/attached.py", "Thread"),  # Defects reports its exceptions
        ("shell/engine_thread.py", "Thread"),  # its exceptions are kept for run_dashboard
        ("shell/terminal.py", "create_task"),  # the watch for a lost terminal
    }


def test_a_thread_is_asked_from_guarded_work_alone() -> None:
    """asyncio.to_thread is awaited in coroutines that start() or guarded() runs."""
    users = {path.name for path in FOLDER.rglob("*.py") if "to_thread" in path.read_text(encoding="utf-8")}
    assert users == {"dialogue_pane.py", "log_window.py", "message.py", "preview.py", "saving.py", "viewer.py"}


def failing(problem: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise problem

    return fail


PROBLEMS = [ZeroDivisionError("of the test"), MemoryError(), RecursionError(), OSError(errno.EIO, "of the test")]
PROBLEM = pytest.mark.parametrize("problem", PROBLEMS, ids=repr)


@PROBLEM
def test_failed_work_is_logged_and_its_place_shows_why(problem: Exception) -> None:
    said: list[str] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise problem

    async def scene(shown: Played) -> None:
        work.start(shown.app.screen, "testing", fail(), said.append)
        await shown.app.workers.wait_for_complete()
        await shown.press("3")
        assert said == [failure_reason(problem)]
        assert f"internal error while testing: {type(problem).__name__}" in shown.text
        assert not shown.app._exit

    play(scene, clients("isp"), size=(139, 29), defects=True)


def test_words_that_cannot_be_shown_end_nothing_either() -> None:
    async def fail() -> None:
        raise ZeroDivisionError("of the test")

    async def scene(shown: Played) -> None:
        work.start(shown.app.screen, "testing", fail(), failing(LookupError("of the test")))
        await shown.pilot.pause()
        await shown.press("r")
        assert shown.source.performed
        assert not shown.app._exit

    play(scene, clients("isp"), defects=True)


def test_work_of_a_widget_that_is_removed_is_cancelled() -> None:
    said: list[str] = []
    source = ScriptedSource()

    async def scene(shown: Played) -> None:
        await shown.press("question_mark")
        work.start(shown.app.screen, "testing", asyncio.sleep(3600), said.append)
        await shown.press("escape")
        await shown.app.workers.wait_for_complete()

    play(scene, clients("isp"), source=source)
    assert said == []


@PROBLEM
def test_a_log_on_disk_that_cannot_be_read_is_a_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    monkeypatch.setattr(TranscriptFiles, "before", failing(problem))
    monkeypatch.setattr(TranscriptFiles, "find", failing(problem))

    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(5, first=15), 0)
        await pilot.pause()
        await pilot.press("g", "up")
        await app.settle(pilot)
        assert [each.message for each in app._notifications] == [
            f"the transcript on disk cannot be read: {failure_reason(problem)}"
        ]
        app.clear_notifications()
        await pilot.press("up")  # it can be tried again
        await app.settle(pilot)
        assert len(app._notifications) == 1

    play_pane(script, PaneApp(disk(tmp_path / "log", *lines(20))))


def test_a_transcript_that_cannot_be_saved_is_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "save", failing(ZeroDivisionError("of the test")))

    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(5), 0)
        await pilot.press("S", "enter")
        await app.settle(pilot)
        [notice] = app._notifications
        assert notice.message.endswith(": internal error (ZeroDivisionError)")

    play_pane(script, PaneApp(folder=str(tmp_path)))


@PROBLEM
def test_a_log_that_cannot_be_followed_is_one_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    path = write(tmp_path / "t.log", *lines(3))

    async def script(app: TranscriptViewer, pane: TranscriptPane, pilot: Pilot[int]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Follower, "poll", failing(problem))
            await app.poll()
            await app.poll()
        assert [each.message for each in app._notifications] == [f"the log cannot be read: {failure_reason(problem)}"]
        write(tmp_path / "t.log", *lines(1, first=3))
        await app.poll()
        assert texts(pane)[-1] == "line 3"
        await pilot.press("q")

    assert play_viewer(path, script) == 0
