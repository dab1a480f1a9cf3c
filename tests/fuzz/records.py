"""Target: the logs; whatever a server or a message says, each record is one line that does nothing to a terminal."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from tests.fuzz.expectations import harmless
from tests.fuzz.material import Material
from tests.support.clock import FakeClock
from tui_popretr.config.model import LogSettings
from tui_popretr.config.values import InvalidValueError, file_name
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    ConfigurationRejected,
    Dialogue,
    DialogueLine,
    Direction,
    Fact,
    Level,
    MessageSkipped,
    Noted,
    SessionClosed,
    SessionId,
    SessionResult,
)
from tui_popretr.logs.audit import AuditLog, audit_text
from tui_popretr.logs.logfile import LogFile
from tui_popretr.logs.trace import TraceLog
from tui_popretr.logs.transcript import TranscriptLog, parse_line
from tui_popretr.text import visible

SEEDS: Final = [
    b"gmx\0+OK ready\0RETR 1\0me@gmx.net\0Maildir=/home/me\0<1@a>\0a@b.example\0ends badly\0try again\0\x00\x01",
    b"a-1\0\x1b]0;title\x07\x1b[2J\0 ===== 2026-01-01 00:00:00.000 >> \0x\0\r\n2026 forged\0; Size=1\0\xff\xfe\0\x9b\0",
]
WORDS: Final = [
    b"\r\n", b"\n", b"\x1b[31m", b"\x9b2J", b"\xc2\x9b", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\xef\xbb\xbf",
    b"\xed\xa0\x80", b"; Size=1", b" (recovered)", b"# 2026-", b"<3>", b"-1 07:27:59.107 >> ", b"x" * 2000, b"\0",
]  # fmt: skip

_LIKE_A_RUN: Final = re.compile("-[0-9]+ ")
#: What the message says of itself can pretend to be no other field.
_AUDITED: Final = re.compile(r"; MsgID=[^;]*; Size=320; Sender=[^;]*$")
_WHEN: Final = datetime(2026, 11, 23, 7, 27, 59, 107_000, UTC)


@lru_cache(maxsize=1)
def _folder() -> str:
    folder = tempfile.mkdtemp(prefix="fuzz-logs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def one_input(data: bytes) -> None:
    """Write one line of each kind, and read them back."""
    material = Material(data)
    client = _client(material.text())
    session = SessionId(client, 1 + material.number(200))
    lines = [DialogueLine(session, _WHEN, material.choice(list(Direction)), visible(material.line())) for _ in range(2)]
    audited = audit_text(
        "pop.example.net:995",
        bool(material.number(2)),
        material.text(),
        material.text(),
        material.text(),
        320,
        material.text(),
    )
    if material.number(2):
        audited += " (recovered)"
    error, advice = material.text(), material.text()
    result = SessionResult(ExitCode.TEMPORARY, error or "x", advice, _WHEN, _WHEN, 1, 2, 3, 4, 5)
    facts: list[Fact] = [
        Noted(_WHEN, material.choice(list(Level)), client, error),
        SessionClosed(session, result),
        MessageSkipped(session, 1, None, 320, error, True),
        ConfigurationRejected((error, advice)),
    ]

    transcript = _written(
        "transcript",
        lambda log: [TranscriptLog(log)(Dialogue(session, _WHEN, [(line.direction, line.text) for line in lines]))],
    )
    assert len(transcript) == len(lines)
    for text, line in zip(transcript, lines, strict=True):
        harmless(text)
        parsed = parse_line(text)
        if not _LIKE_A_RUN.search(client):  # who calls a client like the beginning of a line cannot tell them apart
            assert parsed is not None
            assert (parsed.direction, parsed.text) == (line.direction, line.text)
    (record,) = _written("audit", lambda log: AuditLog(log, FakeClock()).record([audited]))
    harmless(record, longest=8000)
    assert _AUDITED.search(record), record
    journal = bool(material.number(2))
    trace = _written(
        "trace",
        lambda log: [TraceLog(log, FakeClock(), level=Level.DEBUG, journal=journal)(fact) for fact in facts],
    )
    assert len(trace) == 6  # the rejection has a line for itself and one for each problem
    for text in trace:
        harmless(text, longest=5000)
    parse_line(data.decode("utf-8", "replace"))


def _client(text: str) -> str:
    """Return the name of a client: what the configuration lets through."""
    try:
        name = file_name(128)(text.encode("utf-8", "replace").decode().strip())
    except InvalidValueError:
        return "client"
    return visible(name) or "client"


def _written(name: str, write: object) -> list[str]:
    """Return what a log has in its file, without its banners."""
    path = os.path.join(_folder(), name)
    reports: list[str] = []
    log = LogFile(LogSettings(path=path), FakeClock(), banner="fuzz", report=reports.append)
    assert callable(write)
    write(log)
    log.close()
    assert reports == []
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    os.unlink(path)
    first, *lines, last, behind = text.split("\n")
    assert first.startswith("# ")
    assert last.startswith("# ")
    assert behind == ""
    return lines
