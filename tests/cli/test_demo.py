"""`tui-popretr demo`: what it does, what it prints, and what it leaves."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from tests.demo.terminal import Terminal
from tests.support.clock import FakeClock
from tests.support.waiting import PATIENCE
from tests.ui.terminal import OnTerminal, on_terminal
from tui_popretr.cli import demo
from tui_popretr.demo import accounts as accounts_module
from tui_popretr.demo import run
from tui_popretr.demo.accounts import DemoAccount, make_accounts
from tui_popretr.demo.folder import DemoFolder, make_folder
from tui_popretr.demo.server import DemoServer
from tui_popretr.errors import CannotCreate

_RECEIVED = re.compile(rb"\AReceived: from \[127\.0\.0\.1\] \(\[127\.0\.0\.1\]\)\r?\n\tby [^\n]+\n\tfor [^\n]+\n")


def _arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    """A demo that is over at once and whose mail is known: less of the huge, less of the slow, a fixed time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts_module, "HUGE_OCTETS", 2_000_000)
        patch.setitem(accounts_module.SLOW_SECONDS, "slow", 0.2)
        patch.setattr(run, "SystemClock", FakeClock)
        yield


def _expected(account: DemoAccount) -> list[str]:
    """Hashes of the messages that have to arrive, as they have to lie on the disk."""
    hashes = []
    for message in account.maildrop.messages:
        if not account.wrong_password and message.uid not in account.maildrop.unreadable:
            octets = b"".join(message.chunks())
            hashes.append(_hash(octets if account.downloads else octets.replace(b"\r\n", b"\n")))
    return sorted(hashes)


def _arrived(folder: DemoFolder, account: DemoAccount) -> list[str]:
    """Hashes of the messages that did arrive, without our Received."""
    where = Path(folder.mail_of(account))
    files = [path.read_bytes() for path in where.iterdir()] if where.exists() else []
    assert all(_RECEIVED.match(octets) for octets in files)
    return sorted(_hash(_RECEIVED.sub(b"", octets)) for octets in files)


def _hash(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


@dataclass(frozen=True)
class Played:
    """A demo that is over."""

    folder: DemoFolder
    code: int
    text: str


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder, out = make_folder(str(tmp_path_factory.mktemp("played") / "demo")), io.StringIO()
    return Played(folder, run.run_once(folder, out, keep=True), out.getvalue())


def _accounts() -> tuple[DemoAccount, ...]:
    return make_accounts(FakeClock().now())


def test_every_message_arrives_byte_for_byte(played: Played) -> None:
    assert played.code == 0, played.text
    for account in _accounts():
        expected = _expected(account)
        assert len(expected) == account.expected
        assert _arrived(played.folder, account) == expected, account.id


def test_the_summary_has_a_row_for_each_account(played: Played) -> None:
    summary = played.text.partition("\nAccount ")[2].splitlines()
    for account in _accounts():
        (row,) = [line for line in summary if re.match(rf"{account.id} +127\.0\.0\.1:\d+ ", line)]
        assert f" {account.expected} " in row
    assert [line.split()[0] for line in summary if line.endswith("FAILED: login rejected")] == ["wrongpass"]
    assert sum(line.endswith("all arrived") for line in summary) == 5


def test_failures_are_explained_with_advice(played: Played) -> None:
    words = " ".join(played.text.split())
    assert "wrongpass: the server rejected the login" in words
    assert "What to do: check username and password." in words
    assert "refusing: 1 message could not be retrieved" in words


def test_the_paths_in_the_summary_exist(played: Played) -> None:
    named = re.findall(rf"{re.escape(played.folder.path)}\S*", played.text)
    assert len(named) >= 10
    assert [path for path in named if not os.path.exists(path)] == []
    assert {played.folder.audit, played.folder.transcript, played.folder.configuration} <= set(named)
    delivered = {played.folder.mail_of(account) for account in _accounts() if account.expected}
    assert delivered <= set(named)


def test_the_excerpt_shows_no_password(played: Played) -> None:
    shown = played.text.partition("The dialogue of account tls")[2].partition("\n\n")[0]
    transcript = Path(played.folder.transcript).read_text(encoding="utf-8").splitlines()
    lines = [line.strip().removesuffix("...") for line in shown.splitlines()[1:] if "more lines" not in line]
    assert len(lines) == 10
    assert all(any(known.startswith(line) for known in transcript) for line in lines)
    assert "AUTH PLAIN" in shown
    assert "good-bye" in shown
    assert "wonderland" not in played.text


def test_without_a_terminal_the_output_is_plain_text(played: Played) -> None:
    assert played.text.isascii()
    assert played.text.replace("\n", "").isprintable()
    own = [line for line in played.text.splitlines() if played.folder.path not in line]
    assert [line for line in own if len(line) >= 80] == []


def test_on_a_terminal_the_progress_is_erased(tmp_path: Path) -> None:
    out = Terminal()
    assert run.run_once(make_folder(str(tmp_path / "demo")), out, keep=True) == 0
    assert " of 7 done" in out.getvalue()
    assert " of 7 done" not in "\n".join(out.screen)
    assert "\x1b" not in out.getvalue()
    assert any(line.startswith("7 clients: 155 messages, ") for line in out.screen)


def test_without_keep_nothing_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.run(_arguments("--no-keep", "--folder", str(tmp_path / "demo"))) == 0
    assert list(tmp_path.iterdir()) == []
    text = capsys.readouterr().out
    assert "have been removed" in text
    assert "audit.log" not in text


def test_the_mail_is_kept_by_default() -> None:
    assert _arguments().keep is True
    assert _arguments().folder is None


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(CannotCreate):
        demo.run(_arguments("--folder", str(tmp_path)))


# --- when it does not go as scripted --------------------------------------------------------------------------------


def test_an_unexpected_end_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Troubled(DemoServer):
        def __init__(self, newest: datetime) -> None:
            super().__init__(newest)
            busy = self.accounts[0].maildrop
            busy.unreadable.add(busy.messages[6].uid)

    monkeypatch.setattr(run, "DemoServer", Troubled)
    out = io.StringIO()
    assert run.run_once(make_folder(str(tmp_path / "demo")), out, keep=True) == 70
    printed = out.getvalue().partition("The demo did not run as expected")[2]
    assert "busy: it had to succeed, but: 1 message could not be retrieved" in printed
    assert "wrongpass" not in printed
    assert "Then:" not in printed


def test_a_server_that_cannot_listen_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(DemoServer):
        async def serve(self, *, task_status: object = None) -> None:
            raise OSError(98, "Address already in use")

    monkeypatch.setattr(run, "DemoServer", Deaf)
    out = io.StringIO()
    assert run.run_once(make_folder(str(tmp_path / "demo")), out, keep=False) == 70
    assert "  address already in use\n" in out.getvalue()
    assert "did not end" not in out.getvalue()
    assert list(tmp_path.iterdir()) == []


def test_a_failed_server_does_not_hide_missing_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(DemoServer):
        def __init__(self, newest: datetime) -> None:
            super().__init__(newest)
            self.server.failures.append(KeyError("alice"))

    async def retrieve(demo_run: run.DemoRun, out: io.StringIO) -> None:
        """End without results."""

    monkeypatch.setattr(run, "DemoServer", Failing)
    monkeypatch.setattr(run, "_retrieve", retrieve)
    out = io.StringIO()
    assert run.run_once(make_folder(str(tmp_path / "demo")), out, keep=False) == 70
    assert "  the demo's server failed: KeyError('alice')\n" in out.getvalue()
    assert "  busy: its session did not end\n" in out.getvalue()


def test_a_demo_that_hangs_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(accounts_module.SLOW_SECONDS, "slow", 3600)
    monkeypatch.setattr(run, "TIMEOUT", 0.3)
    out = io.StringIO()
    assert run.run_once(make_folder(str(tmp_path / "demo")), out, keep=True) == 70
    assert "it had not ended after 0.3 seconds" in out.getvalue()


@pytest.fixture
def _handlers() -> Iterator[None]:
    """The process's signal handlers, put back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    class Stopping(io.StringIO):
        def write(self, text: str) -> int:
            if "wrongpass  FAILED" in text:
                signal.raise_signal(number)
            return super().write(text)

    monkeypatch.setitem(accounts_module.SLOW_SECONDS, "slow", 3600)
    out = Stopping()
    assert run.run_once(make_folder(str(tmp_path / "demo")), out, keep=False) == 128 + number
    assert out.getvalue().endswith("\nStopped.\n")
    assert list(tmp_path.iterdir()) == []


# --- the program itself ---------------------------------------------------------------------------------------------


def test_as_a_program(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "tui_popretr", "demo", "--folder", str(folder)]
    finished = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert str(folder / "logs" / "transcript.log") in finished.stdout
    assert len(os.listdir(folder / "mail" / "alice" / "Maildir" / "new")) == 120
    (huge,) = (folder / "mail" / "frank" / "Maildir" / "new").iterdir()
    assert huge.stat().st_size > 50_000_000


def test_the_command_line_is_known_without_loading_the_demo() -> None:
    code = (
        "import sys, tui_popretr.cli.demo; print([name for name in sys.modules if name in "
        "('trio', 'textual', 'tui_popretr.demo', 'tui_popretr.engine')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert loaded.stdout.strip() == "[]"


# --- with a terminal --------------------------------------------------------------------------------------------------

#: A demo whose sessions are over soon. No mail arrives: if its start is slow, the first session would have more.
_SHORT = """\
from tui_popretr.demo import accounts
accounts.HUGE_OCTETS = 200_000
accounts.SLOW_SECONDS["slow"] = 0.2
accounts.WATCHED_SECONDS.clear()
accounts.Arrivals = lambda *_: None
"""


class Screen(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("keyboard", "screen", "term", "words", "face"),
    [
        (True, True, "xterm", (), "dashboard"),
        (True, True, None, (), "dashboard"),
        (True, True, "xterm", ("--headless",), "lines"),
        (True, True, "dumb", (), "lines"),
        (False, True, "xterm", (), "lines"),
        (True, False, "xterm", (), "lines"),
    ],
)
def test_the_dashboard_needs_a_terminal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keyboard: bool,
    screen: bool,
    term: str | None,
    words: tuple[str, ...],
    face: str,
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(run, "run_once", lambda *_, **__: shown.append("lines"))
    monkeypatch.setattr(run, "run_watched", lambda *_, **__: shown.append("dashboard"))
    monkeypatch.setattr(sys, "stdin", Screen(keyboard))
    monkeypatch.setattr(sys, "stdout", Screen(screen))
    monkeypatch.delenv("TERM", raising=False)
    if term is not None:
        monkeypatch.setenv("TERM", term)
    demo.run(_arguments("--folder", str(tmp_path / "demo"), *words))
    assert shown == [face]


def _quit(program: OnTerminal) -> None:
    """Press q, and y where the dashboard asks since a session runs."""
    before = program.text.count("Quit?")
    program.press("q")
    deadline = time.monotonic() + PATIENCE
    while program.process.poll() is None and program.text.count("Quit?") == before:
        assert time.monotonic() < deadline, "q was not heeded"
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.process.wait(0.05)
    if program.process.poll() is None:
        program.press("y")


def test_on_a_terminal_it_opens_the_dashboard(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with on_terminal("demo", "--folder", str(folder), patch=_SHORT) as program:
        for text in ("7 clients", "busy", "Transcript", "120 messages", "login rejected"):
            program.wait_for(text)
        program.press("\x12")  # ctrl+r
        program.wait_for("configuration reloaded: no client has changed")
        _quit(program)
        assert program.ended() == 0
        assert program.insane() == []
        left = program.afterwards
    for line in ("The mail, one file per message", "The folder stays until you delete it"):
        assert line in left
    named = re.findall(rf"{re.escape(str(folder))}\S*", left)
    assert len(named) >= 10
    assert [path for path in named if not os.path.exists(path)] == []
    assert len(os.listdir(folder / "mail" / "alice" / "Maildir" / "new")) >= 120


def test_a_signal_ends_the_dashboard_and_removes_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with on_terminal("demo", "--no-keep", "--folder", str(folder), patch=_SHORT) as program:
        program.wait_for("120 messages")
        program.send(signal.SIGTERM)
        assert program.ended() == 0
        assert program.insane() == []
        assert "have been removed" in program.afterwards
    assert list(tmp_path.iterdir()) == []


def test_headless_on_a_terminal_draws_nothing(tmp_path: Path) -> None:
    with on_terminal("demo", "--headless", "--folder", str(tmp_path / "demo"), patch=_SHORT) as program:
        assert program.ended() == 0
        program.wait_for("The folder stays until you delete it")
        assert b"\x1b" not in program.drawn
