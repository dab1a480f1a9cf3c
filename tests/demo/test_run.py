"""The two runs of the demo, without the dashboard itself: lines of results, what is printed, and what stays."""

from __future__ import annotations

import io
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.demo.terminal import Terminal
from tests.support.clock import local
from tui_popretr.demo import accounts as accounts_module
from tui_popretr.demo import run
from tui_popretr.demo.folder import DemoFolder, make_folder
from tui_popretr.demo.run import ResultLines
from tui_popretr.demo.server import DemoServer
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode, JournalError
from tui_popretr.facts import RetrievalProgressed, SessionClosed, SessionId, SessionResult, SessionStarted


@pytest.fixture
def folder(tmp_path: Path) -> DemoFolder:
    return make_folder(str(tmp_path / "demo"))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_module, "HUGE_OCTETS", 200_000)


class Dashboard:
    """Replaces run_dashboard(): leaves a mail, returns `code`, or raises `problem`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.code = 0
        self.problem: BaseException | None = None
        self.engine: Engine | None = None
        self.no_mouse = False
        monkeypatch.setattr("tui_popretr.ui.shell.run.run_dashboard", self)

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
    assert run.run_watched(folder, out, keep=True) == 0
    text = out.getvalue()
    assert f"  busy  {folder.path}/mail/alice/Maildir/new\n" in text
    assert "/mail/bella" not in text
    assert {folder.audit, folder.transcript, folder.trace, folder.configuration} <= set(text.split())
    assert "The folder stays until you delete it" in text
    assert f"\n  rm -r {folder.path}\n" in text
    assert "tui-popretr init  " in text


def test_the_exit_code_and_the_mouse_are_passed_on(folder: DemoFolder, dashboard: Dashboard) -> None:
    dashboard.code = 143
    assert run.run_watched(folder, Terminal(), keep=True, no_mouse=True) == 143
    assert dashboard.no_mouse


def test_without_keep_nothing_stays(folder: DemoFolder, dashboard: Dashboard) -> None:
    out = Terminal()
    assert run.run_watched(folder, out, keep=False) == 0
    assert not os.path.exists(folder.path)
    assert "have been removed" in out.getvalue()
    assert "The mail, one file per message" not in out.getvalue()


def test_without_keep_nothing_stays_after_a_crash(folder: DemoFolder, dashboard: Dashboard) -> None:
    dashboard.problem = JournalError("the disk is gone")
    with pytest.raises(JournalError):
        run.run_watched(folder, Terminal(), keep=False)
    assert not os.path.exists(folder.path)


def test_nothing_is_written_to_a_lost_terminal(folder: DemoFolder, dashboard: Dashboard) -> None:
    class Gone(Terminal):
        def isatty(self) -> bool:
            return False

    out = Gone()
    assert run.run_watched(folder, out, keep=True) == 0
    assert out.getvalue() == ""


def test_a_failure_of_the_server_is_reported(
    folder: DemoFolder, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ailing(DemoServer):
        def __init__(self, newest: datetime, *, watched: bool) -> None:
            super().__init__(newest, watched=watched)
            self.server.failures.append(KeyError("alice"))

    monkeypatch.setattr(run, "DemoServer", Ailing)
    out = Terminal()
    assert run.run_watched(folder, out, keep=True) == 70
    assert "  the demo's server failed: KeyError('alice')\n" in out.getvalue()
    assert f"More is in {folder.trace}\n" in out.getvalue()


def test_a_server_that_cannot_listen_is_explained(
    folder: DemoFolder, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(DemoServer):
        async def serve(self, *, task_status: object = None) -> None:
            raise OSError(98, "Address already in use")

    monkeypatch.setattr(run, "DemoServer", Deaf)
    out = Terminal()
    assert run.run_watched(folder, out, keep=False) == 70
    assert "  address already in use\n" in out.getvalue()
    assert dashboard.engine is None
    assert not os.path.exists(folder.path)


# --- lines of results -------------------------------------------------------------------------------------------------

START = local(2026, 11, 23)
BUSY = SessionId("busy", 1)


def _closed(client: str, messages: int, *, code: ExitCode = ExitCode.OK, failed: int = 0) -> SessionClosed:
    end = START + timedelta(seconds=1.24)
    error = "" if code is ExitCode.OK else "it failed"
    result = SessionResult(code, error, "", START, end, messages, 1200 * messages, messages, 0, failed)
    return SessionClosed(SessionId(client, 1), result)


def test_a_line_for_each_session_that_has_ended() -> None:
    out = io.StringIO()
    lines = ResultLines(out, ["busy", "wrongpass"])
    for fact in (SessionStarted(BUSY, START), RetrievalProgressed(BUSY, 1, 500)):
        lines(fact)
    assert out.getvalue() == ""
    lines(_closed("busy", 120))
    lines(_closed("wrongpass", 0, code=ExitCode.LOGIN))
    lines(_closed("huge", 1, code=ExitCode.TEMPORARY, failed=2))
    assert out.getvalue().splitlines() == [
        "  busy       120 messages, 144 kB, in 1.2 s",
        "  wrongpass  FAILED, see below",
        "  huge       1 message, 1.2 kB, in 1.2 s; 2 messages left on the server",
    ]
