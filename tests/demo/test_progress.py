"""What the demo says while it retrieves, on a terminal and elsewhere."""

from __future__ import annotations

import io
import shutil
from datetime import timedelta
from os import terminal_size

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.demo.terminal import Terminal
from tests.support.clock import local
from tui_popretr.demo.progress import Progress
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    MaildropListed,
    RetrievalProgressed,
    SessionClosed,
    SessionId,
    SessionResult,
    SessionStarted,
)

START = local(2026, 11, 23)
BUSY, HUGE = SessionId("busy", 1), SessionId("huge", 1)


def _closed(session: SessionId, messages: int, *, code: ExitCode = ExitCode.OK, failed: int = 0) -> SessionClosed:
    end = START + timedelta(seconds=1.24)
    error = "" if code is ExitCode.OK else "it failed"
    return SessionClosed(
        session, SessionResult(code, error, "", START, end, messages, 1200 * messages, messages, 0, failed)
    )


def _started(session: SessionId, octets: int) -> tuple[SessionStarted, MaildropListed]:
    return SessionStarted(session, START), MaildropListed(session, 5, octets, 5, octets, 0, 0)


def test_elsewhere_a_line_for_each_account_that_is_done() -> None:
    out = io.StringIO()
    progress = Progress(out, ["busy", "wrongpass"])
    for fact in (*_started(BUSY, 1000), RetrievalProgressed(BUSY, 1, 500), _closed(BUSY, 120)):
        progress(fact)
    progress(_closed(SessionId("wrongpass", 1), 0, code=ExitCode.LOGIN))
    progress(_closed(HUGE, 1, code=ExitCode.TEMPORARY, failed=2))
    assert out.getvalue().splitlines() == [
        "  busy       120 messages, 144.0 kB, in 1.2 s",
        "  wrongpass  FAILED, see below",
        "  huge       1 message, 1.2 kB, in 1.2 s; 2 messages left on the server",
    ]


@trio_test
async def test_elsewhere_nothing_is_drawn() -> None:
    out = io.StringIO()
    progress = Progress(out, ["busy"])
    progress(SessionStarted(BUSY, START))
    await progress.run()
    assert out.getvalue() == ""


@trio_test
async def test_on_a_terminal_the_last_line_tells_how_far_the_others_are(autojump_clock: MockClock) -> None:
    out = Terminal()
    progress = Progress(out, ["busy", "huge"])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(progress.run)
        for fact in (*_started(BUSY, 1000), SessionStarted(HUGE, START), RetrievalProgressed(BUSY, 2, 449)):
            progress(fact)
        await trio.sleep(1)
        assert out.screen == ["  busy 44%   huge ..."]
        for fact in (*_started(HUGE, 4000), RetrievalProgressed(HUGE, 0, 4000), _closed(BUSY, 5)):
            progress(fact)
        await trio.sleep(1)
        assert out.screen == ["  busy  5 messages, 6.0 kB, in 1.2 s", "  huge 99%"]
        nursery.cancel_scope.cancel()
    assert out.screen == ["  busy  5 messages, 6.0 kB, in 1.2 s", ""]
    assert "\x1b" not in out.getvalue()


@trio_test
async def test_the_last_line_never_wraps(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def narrow(fallback: tuple[int, int] = (80, 24)) -> terminal_size:
        return terminal_size((30, 24))

    monkeypatch.setattr(shutil, "get_terminal_size", narrow)
    out = Terminal()
    progress = Progress(out, ["busy"])
    for number in range(20):
        progress(SessionStarted(SessionId(f"account-{number}", 1), START))
    with trio.move_on_after(1):
        await progress.run()
    assert max(len(piece) for piece in out.getvalue().split("\r")) == 29
