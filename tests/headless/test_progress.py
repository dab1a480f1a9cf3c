"""Progress on a terminal, as it looks there: a small terminal that knows what the program may use."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.program.process import client, environment, mail, write_configuration
from tests.support.making import session_result
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    ClientQueued,
    Level,
    MaildropListed,
    MessageSkipped,
    Noted,
    RetrievalProgressed,
    SessionAdvanced,
    SessionClosed,
    SessionId,
    SessionStarted,
    Stage,
)
from tui_popretr.headless.progress import INTERVAL, Progress

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Terminal(io.StringIO):
    """Knows carriage return, newline and printable characters; anything else fails the test, as does a full line."""

    def __init__(self, width: int = 80) -> None:
        super().__init__()
        self.width = width
        self.lines = [""]
        self.writes = 0
        self._column = 0

    def write(self, text: str) -> int:
        self.writes += 1
        for character in text:
            if character == "\r":
                self._column = 0
            elif character == "\n":
                self.lines.append("")
                self._column = 0
            else:
                assert character.isprintable()
                line = self.lines[-1].ljust(self._column)
                self.lines[-1] = line[: self._column] + character + line[self._column + 1 :]
                self._column += 1
        return len(text)

    @property
    def shown(self) -> list[str]:
        """The lines without blanks at their ends; the last is the one the cursor is on."""
        return [line.rstrip() for line in self.lines]


def session(name: str) -> SessionId:
    return SessionId(name, 1)


result = partial(session_result, NOW)


def listed(name: str, count: int) -> MaildropListed:
    return MaildropListed(session(name), count, count, count, count, 0, 0)


REJECTED = result(ExitCode.LOGIN, "login rejected", "check username and password")


class Shown:
    """A progress that runs on a terminal; step() lets it draw."""

    def __init__(self, *clients: str, width: int = 80) -> None:
        self.terminal = Terminal(width)
        self.progress = Progress(clients, self.terminal, width=lambda: self.terminal.width)

    async def __aenter__(self) -> Shown:
        self._stack = contextlib.AsyncExitStack()
        nursery = await self._stack.enter_async_context(trio.open_nursery())
        self._cancel: Callable[[], None] = nursery.cancel_scope.cancel
        nursery.start_soon(self.progress.run)
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._cancel()
        await self._stack.aclose()

    async def step(self) -> list[str]:
        await trio.sleep(2 * INTERVAL)
        return self.terminal.shown


@trio_test
async def test_a_run_from_beginning_to_end(autojump_clock: MockClock) -> None:
    async with Shown("isp1", "isp2", "work") as shown:
        progress = shown.progress
        progress(SessionStarted(session("isp1"), NOW))
        progress(SessionAdvanced(session("isp1"), Stage.CONNECTING))
        assert await shown.step() == ["0 of 3 done · isp1: connecting"]
        progress(SessionStarted(session("work"), NOW))
        progress(SessionAdvanced(session("work"), Stage.LOGIN))
        progress(SessionAdvanced(session("isp1"), Stage.LISTING))
        assert await shown.step() == ["0 of 3 done · isp1: listing · work: logging in"]
        progress(listed("isp1", 340))
        progress(SessionAdvanced(session("isp1"), Stage.RETRIEVING))
        progress(RetrievalProgressed(session("isp1"), 12, 3_400_000))
        assert await shown.step() == ["0 of 3 done · isp1 12/340 (3.4 MB) · work: logging in"]
        progress(SessionClosed(session("work"), REJECTED))
        failed = "work: failed: login rejected (check username and password)"
        assert await shown.step() == [failed, "1 of 3 done · isp1 12/340 (3.4 MB)"]
        progress(SessionAdvanced(session("isp1"), Stage.CLOSING))
        assert (await shown.step())[-1] == "1 of 3 done · isp1: closing"
        progress(SessionClosed(session("isp1"), result(messages=340, octets=5_000_000, deleted=340)))
        finished = "isp1: 340 messages, 5 MB, deleted 340"
        assert await shown.step() == [failed, finished, "2 of 3 done"]
        progress(SessionClosed(session("isp2"), result()))
        progress.finish()
        whole = [failed, finished, "isp2: no new messages", "3 clients: 340 messages, 5 MB; 1 failed", ""]
        assert await shown.step() == whole
        # nothing after the end, whatever comes
        progress(SessionStarted(session("isp1"), NOW))
        progress.finish()
        assert await shown.step() == whole


@trio_test
async def test_it_is_drawn_at_most_ten_times_a_second(autojump_clock: MockClock) -> None:
    async with Shown("isp") as shown:
        shown.progress(SessionStarted(session("isp"), NOW))
        shown.progress(listed("isp", 10_000))
        shown.progress(SessionAdvanced(session("isp"), Stage.RETRIEVING))
        await shown.step()
        before = shown.terminal.writes
        for number in range(1000):
            shown.progress(RetrievalProgressed(session("isp"), number, number))
            await trio.sleep(0.001)
        assert 9 <= shown.terminal.writes - before <= 11
        # and the last state is shown, though nothing comes after it
        assert (await shown.step())[-1] == "0 of 1 done · isp 999/10000 (999 B)"
        quiet = shown.terminal.writes
        shown.progress(RetrievalProgressed(session("isp"), 999, 999))
        await shown.step()
        assert shown.terminal.writes == quiet


@trio_test
async def test_what_has_no_room_is_counted(autojump_clock: MockClock) -> None:
    names = [f"client{number}" for number in range(50)]
    async with Shown(*names) as shown:
        for name in names:
            shown.progress(SessionStarted(session(name), NOW))
        (line,) = await shown.step()
        assert line == "0 of 50 done · client0: connecting · client1: connecting · 48 more"
        for width, expected in [
            (40, "0 of 50 done · 50 running"),
            (46, "0 of 50 done · client0: connecting · 49 more"),
            (20, "0 of 50 done · 50 …"),
            (2, "…"),
            (1, ""),
        ]:
            shown.terminal.width = width
            shown.progress(SessionAdvanced(session("client0"), Stage.CONNECTING))
            assert await shown.step() == [expected]
            assert len(expected) < max(width, 2)


@trio_test
async def test_wide_characters_take_two_columns(autojump_clock: MockClock) -> None:
    async with Shown("日本", width=31) as shown:
        shown.progress(SessionStarted(session("日本"), NOW))
        assert await shown.step() == ["0 of 1 done · 日本: connecting"]
        shown.terminal.width = 30
        shown.progress(SessionAdvanced(session("日本"), Stage.CONNECTING))
        assert await shown.step() == ["0 of 1 done · 1 running"]


@pytest.mark.parametrize(("columns", "width"), [(120, 120), (0, 300)])
def test_the_terminals_own_width_counts(columns: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    master, slave = pty.openpty()
    with open(master, "rb", buffering=0), open(slave, "w", encoding="utf-8") as terminal:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 0, columns, 0, 0))
        assert Progress(["isp"], terminal)._width() == width
    assert Progress(["isp"], io.StringIO())._width() == 80


@trio_test
async def test_troubles_stay_above_the_living_line(autojump_clock: MockClock) -> None:
    async with Shown("isp") as shown:
        progress = shown.progress
        progress(SessionStarted(session("isp"), NOW))
        await shown.step()
        progress(MessageSkipped(session("isp"), 3, "u3", 2000, "the server says no\x1b[2J", failure=True))
        progress(MessageSkipped(session("isp"), 4, "u4", 2000, "larger than maxsize", failure=False))
        progress(Noted(NOW, Level.WARNING, None, "the disk is slow"))
        progress(Noted(NOW, Level.ERROR, "isp", "internal error"))
        progress(Noted(NOW, Level.INFO, None, "SIGTERM: ending"))
        progress(Noted(NOW, Level.INFO, "isp", "nothing of note"))
        progress(Noted(NOW, Level.DEBUG, None, "nor this"))
        progress(ClientQueued("isp"))
        assert await shown.step() == [
            "isp: message 3 (UID u3, 2 kB) stays on the server: the server says no\\x1b[2J",
            "the disk is slow",
            "isp: internal error",
            "SIGTERM: ending",
            "0 of 1 done · isp: connecting",
        ]


@trio_test
async def test_an_interrupted_run_says_what_did_not_finish(autojump_clock: MockClock) -> None:
    async with Shown("one", "two", "three") as shown:
        shown.progress(SessionStarted(session("one"), NOW))
        shown.progress(SessionStarted(session("two"), NOW))
        await shown.step()
        shown.progress(SessionClosed(session("two"), result(error="stopped", messages=1, octets=1)))
        shown.progress.finish()
        assert shown.terminal.shown == [
            "two: 1 message, 1 B; stopped",
            "3 clients: 1 message, 1 B; 2 not finished",
            "",
        ]


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


@trio_test
async def test_a_terminal_that_is_gone_costs_nothing(autojump_clock: MockClock) -> None:
    progress = Progress(["isp"], Gone())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(progress.run)
        progress(SessionStarted(session("isp"), NOW))
        await trio.sleep(1)
        progress(SessionClosed(session("isp"), REJECTED))
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    progress.finish()


def on_a_terminal(*arguments: str) -> tuple[int, str]:
    """Run the program with a terminal as its standard error; return the exit code and what was written to it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tui_popretr", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=environment({"PYTHONIOENCODING": "utf-8"}),
    )
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while piece := os.read(ours, 4096):
            written += piece
    os.close(ours)
    return process.wait(), written.decode()


def test_the_real_program_on_a_real_terminal(tmp_path: Path) -> None:
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail())
    with running_server([box]) as server:
        path = write_configuration(
            tmp_path / "c.xml",
            client("isp", server.address),
            client("work", server.address, user="other", password="wrong"),
        )
        code, written = on_a_terminal("--headless", "--once", path)
        terminal = Terminal()
        terminal.write(written.replace("\r\n", "\n"))
        assert code == 77
        *ended, total, rest = terminal.shown
        assert rest == ""
        assert total.startswith("2 clients: 1 message, ")
        assert total.endswith("; 1 failed")
        assert sorted(line.partition(" ")[0] for line in ended) == ["isp:", "work:"]

        code, written = on_a_terminal("--headless", "--once", path, "-v")
        assert " INFO isp: no new messages" in written
        assert "of 2 done" not in written
