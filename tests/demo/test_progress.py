"""What the demo says without a terminal while it retrieves."""

from __future__ import annotations

import io
from datetime import timedelta

from tests.support.clock import local
from tui_popretr.demo.progress import Lines
from tui_popretr.errors import ExitCode
from tui_popretr.facts import RetrievalProgressed, SessionClosed, SessionId, SessionResult, SessionStarted

START = local(2026, 11, 23)
BUSY = SessionId("busy", 1)


def _closed(client: str, messages: int, *, code: ExitCode = ExitCode.OK, failed: int = 0) -> SessionClosed:
    end = START + timedelta(seconds=1.24)
    error = "" if code is ExitCode.OK else "it failed"
    result = SessionResult(code, error, "", START, end, messages, 1200 * messages, messages, 0, failed)
    return SessionClosed(SessionId(client, 1), result)


def test_a_line_for_each_account_that_is_done() -> None:
    out = io.StringIO()
    lines = Lines(out, ["busy", "wrongpass"])
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
