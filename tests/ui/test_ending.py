"""What fails while an app ends, because its widgets are not there or gone, is no crash; what fails before is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual import events
from textual.app import ComposeResult

from tests.support.dashboard import ScriptedSource, clients
from tests.ui.lines import lines
from tui_popretr.facts import SessionId, SessionStarted
from tui_popretr.logs.items import logged
from tui_popretr.ui.shell.app import Dashboard
from tui_popretr.ui.shell.viewer import TranscriptViewer, open_viewer
from tui_popretr.ui.textual_private import EndingApp

KEYS = [
    *("r", "R", "p", "x", "s", "a", "f", "t", "1", "2", "3", "4", "h", "l", "j", "k", "q", "E"),
    *("enter", "escape", "tab", "slash", "question_mark", "ctrl+r", "ctrl+p", "space", "e"),
]


def run(app: EndingApp, then: Callable[[], object]) -> None:
    """Run an app that calls `then` as soon as it handles messages, to its end. Raises what has crashed it."""

    async def main() -> None:
        app.call_later(then)
        await app.run_async(headless=True, size=(80, 24))

    asyncio.run(main())
    if app._exception is not None:
        raise app._exception
    assert app.return_value == 0


def press(app: EndingApp, key: str) -> None:
    app.post_message(events.Key(key, key if len(key) == 1 else None))


class EndsBeforeCompose(Dashboard):
    """exit() is called before there is any widget."""

    def compose(self) -> ComposeResult:
        self.exit(0)
        yield from super().compose()


class EndsInCompose(Dashboard):
    """exit() is called when the screen has its widgets and these do not have theirs yet."""

    def compose(self) -> ComposeResult:
        yield from super().compose()
        asyncio.get_running_loop().call_soon(self.exit, 0)


@pytest.mark.parametrize("kind", [EndsBeforeCompose, EndsInCompose])
def test_an_end_before_the_first_screen_is_there(kind: type[Dashboard]) -> None:
    source = ScriptedSource()
    source.tell(clients("isp", "work"))
    run(kind(source), lambda: None)
    assert source.reported == []


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("kind", [Dashboard, EndsBeforeCompose, EndsInCompose])
def test_a_key_that_comes_behind_the_end(kind: type[Dashboard], key: str) -> None:
    source = ScriptedSource()
    source.tell(clients("isp", "work"), SessionStarted(SessionId("isp", 1), source.now()))
    app = kind(source)

    def end_and_press() -> None:
        app.exit(0)
        press(app, key)

    run(app, end_and_press)


@pytest.mark.parametrize("key", ["a", "t", "question_mark", "q", "enter", "slash", "G"])
def test_a_key_that_comes_behind_the_viewers_end(tmp_path: Path, key: str) -> None:
    (tmp_path / "t.log").write_text("".join(f"{logged(line)}\n" for line in lines(20)), encoding="utf-8")
    app: TranscriptViewer = open_viewer(str(tmp_path / "t.log"))

    def end_and_press() -> None:
        app.exit(0)
        press(app, key)

    run(app, end_and_press)


def fail() -> None:
    raise ZeroDivisionError("of the test")


def test_a_failure_after_the_end_is_only_reported() -> None:
    source = ScriptedSource()
    app = Dashboard(source)

    def end_and_fail() -> None:
        app.exit(0)
        app.call_later(fail)

    run(app, end_and_fail)
    assert source.reported == ["internal error while the dashboard ended: ZeroDivisionError: of the test"]
    assert app.crash is None


def test_what_fails_before_the_end_is_a_crash() -> None:
    source = ScriptedSource()
    app = Dashboard(source)
    with pytest.raises(ZeroDivisionError, match="of the test"):
        run(app, lambda: app.call_later(fail))
    assert isinstance(app.crash, ZeroDivisionError)
    assert source.reported == []
