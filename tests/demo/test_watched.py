"""The demo with the dashboard, but for the dashboard: what is around it, and what is told when it has ended."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

from tests.demo.terminal import Terminal
from tui_popretr.demo import accounts as accounts_module
from tui_popretr.demo import watched
from tui_popretr.demo.folder import DemoFolder, make_folder
from tui_popretr.demo.server import DemoServer
from tui_popretr.engine.service import Engine
from tui_popretr.errors import JournalError


@pytest.fixture
def folder(tmp_path: Path) -> DemoFolder:
    return make_folder(str(tmp_path / "demo"))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_module, "HUGE_OCTETS", 200_000)


class Dashboard:
    """Stands for ui.run.run_dashboard: leaves a mail, ends with `code`, or raises `problem`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.code = 0
        self.problem: BaseException | None = None
        self.engine: Engine | None = None
        self.no_mouse = False
        monkeypatch.setattr(watched, "run_dashboard", self)

    def __call__(self, engine: Engine, *, no_mouse: bool, title: str) -> int:
        self.engine, self.no_mouse = engine, no_mouse
        assert title == "demo"
        destination = engine.settings.clients[0].destination
        new = os.path.join(destination.path, "new")  # type: ignore[union-attr]  # a Maildir
        os.makedirs(new)
        Path(new, "1.mail").touch()
        if self.problem is not None:
            raise self.problem
        return self.code


@pytest.fixture
def dashboard(monkeypatch: pytest.MonkeyPatch) -> Dashboard:
    return Dashboard(monkeypatch)


def test_the_summary_names_what_is_left(folder: DemoFolder, dashboard: Dashboard) -> None:
    out = Terminal()
    assert watched.run_watched(folder, out, keep=True) == 0
    text = out.getvalue()
    assert f"  busy  {folder.path}/mail/alice/Maildir/new\n" in text
    assert "/mail/bella" not in text
    assert {folder.audit, folder.transcript, folder.trace, folder.configuration} <= set(text.split())
    assert "The folder stays until you delete it" in text
    assert "tui-popretr init  " in text


def test_the_dashboard_s_exit_code_and_mouse_are_passed_on(folder: DemoFolder, dashboard: Dashboard) -> None:
    dashboard.code = 143
    assert watched.run_watched(folder, Terminal(), keep=True, no_mouse=True) == 143
    assert dashboard.no_mouse


def test_without_keep_nothing_stays(folder: DemoFolder, dashboard: Dashboard) -> None:
    out = Terminal()
    assert watched.run_watched(folder, out, keep=False) == 0
    assert not os.path.exists(folder.path)
    assert "removed again" in out.getvalue()
    assert "The mail, one file a message" not in out.getvalue()


def test_without_keep_nothing_stays_of_a_crash_either(folder: DemoFolder, dashboard: Dashboard) -> None:
    dashboard.problem = JournalError("the disk is gone")
    with pytest.raises(JournalError):
        watched.run_watched(folder, Terminal(), keep=False)
    assert not os.path.exists(folder.path)


def test_a_terminal_that_is_gone_is_not_written_to(folder: DemoFolder, dashboard: Dashboard) -> None:
    class Gone(Terminal):
        def isatty(self) -> bool:
            return False

    out = Gone()
    assert watched.run_watched(folder, out, keep=True) == 0
    assert out.getvalue() == ""


def test_a_failure_of_the_demo_s_server_is_told(
    folder: DemoFolder, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ailing(DemoServer):
        def __init__(self, newest: datetime, *, watched: bool) -> None:
            super().__init__(newest, watched=watched)
            self.server.failures.append(KeyError("alice"))

    monkeypatch.setattr(watched, "DemoServer", Ailing)
    out = Terminal()
    assert watched.run_watched(folder, out, keep=True) == 70
    assert "  the demo's server failed: KeyError('alice')\n" in out.getvalue()
    assert f"More is in {folder.trace}\n" in out.getvalue()


def test_a_server_that_cannot_listen_is_explained(
    folder: DemoFolder, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(DemoServer):
        async def serve(self, *, task_status: object = None) -> None:
            raise OSError(98, "Address already in use")

    monkeypatch.setattr(watched, "DemoServer", Deaf)
    out = Terminal()
    assert watched.run_watched(folder, out, keep=False) == 70
    assert "  address already in use\n" in out.getvalue()
    assert dashboard.engine is None
    assert not os.path.exists(folder.path)
