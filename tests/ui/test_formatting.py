"""How the dashboard says things: tables of what is said."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from rich.cells import cell_len

from tests.support.clock import local
from tests.support.dashboard import result
from tests.test_wording import SIZES
from tui_popretr.errors import ExitCode
from tui_popretr.facts import PastSession, SessionResult
from tui_popretr.ui.model import formatting

NOW = local(2026, 11, 23, 12, 0, 0)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "due"),
        (0, "due"),
        (0.001, "0:01"),
        (1, "0:01"),
        (59.2, "1:00"),
        (272, "4:32"),
        (3599, "59:59"),
        (3599.5, "1:00:00"),
        (3723, "1:02:03"),
        (86_399, "23:59:59"),
        (86_400, "1 d 0 h"),
        (2 * 86_400 + 3 * 3600 + 59, "2 d 3 h"),
    ],
)
def test_countdown(seconds: float, said: str) -> None:
    assert formatting.countdown(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "just now"),
        (1.9, "just now"),
        (2, "2 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (86_400, "1 d ago"),
        (41 * 86_400, "41 d ago"),
        (42 * 86_400, "6 weeks ago"),
    ],
)
def test_ago(seconds: float, said: str) -> None:
    assert formatting.ago(seconds) == said


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (NOW, "12:00:00"),
        (local(2026, 11, 22, 23, 59), "22 Nov 23:59"),
        (local(2026, 3, 1, 7, 5), "1 Mar 07:05"),
        (local(2025, 3, 1, 7, 5), "1 Mar 2025"),
    ],
)
def test_moment(at: datetime, said: str) -> None:
    assert formatting.moment(at, NOW) == said


@pytest.mark.parametrize(("octets", "size"), SIZES)
def test_rates(octets: int, size: str) -> None:
    assert formatting.rate(octets) == f"{size}/s"


def test_joined_parts() -> None:
    assert formatting.join(("a", "", "b")) == "a · b"
    assert formatting.join(()) == ""


REJECTED = "the server rejected the login (USER/PASS: -ERR [AUTH] go away)"


@pytest.mark.parametrize(
    ("session", "outcome"),
    [
        (result(NOW), "just now, no new messages"),
        (result(NOW - timedelta(minutes=2), messages=12, octets=340_000), "2 min ago, 12 messages, 340 kB"),
        (
            result(NOW - timedelta(hours=1), code=ExitCode.LOGIN, error=REJECTED),
            "login rejected: check the password (1 h ago)",
        ),
        (PastSession("a", NOW, NOW, ExitCode.OK, 3, 4000, ""), "just now, 3 messages, 4 kB"),
    ],
)
def test_how_a_session_ended(session: SessionResult | PastSession, outcome: str) -> None:
    assert formatting.outcome(session, NOW) == outcome


def test_there_is_no_outcome_before_the_first_session() -> None:
    assert formatting.outcome(None, NOW) == ""


@pytest.mark.parametrize(
    ("done", "total", "fraction", "rate", "said"),
    [
        (12, 340, 0.635, 1_200_000.0, "12/340 · 63 % · 1.2 MB/s"),
        (0, 340, None, 0.0, "0/340"),
        (339, 340, 1.0, 0.0, "339/340 · 99 %"),
        (340, 340, 1.0, 0.0, "340/340 · 100 %"),
    ],
)
def test_progress(done: int, total: int, fraction: float | None, rate: float, said: str) -> None:
    assert formatting.progress(done, total, fraction, rate) == said


@pytest.mark.parametrize(
    ("fraction", "width", "drawn"),
    [
        (0.0, 4, "    "),
        (-1.0, 4, "    "),
        (0.5, 4, "██  "),
        (0.54, 4, "██▏ "),
        (0.999, 4, "███▉"),
        (1.0, 4, "████"),
        (7.0, 4, "████"),
        (0.5, 0, ""),
    ],
)
def test_bar(fraction: float, width: int, drawn: str) -> None:
    assert formatting.bar(fraction, width) == drawn


def test_a_sparkline_marks_failures_without_colour() -> None:
    sessions = [
        result(NOW, messages=0),
        result(NOW, messages=1),
        result(NOW, messages=4),
        result(NOW, messages=8),
        result(NOW, code=ExitCode.LOGIN),
    ]
    assert formatting.sparkline(sessions, 10) == "▁▂▅█✗"
    assert formatting.sparkline(sessions, 2) == "█✗"
    assert formatting.sparkline(sessions[:1] * 3, 10) == "▁▁▁"
    assert formatting.sparkline(sessions, 0) == ""
    assert formatting.sparkline([], 10) == ""


@pytest.mark.parametrize(
    ("destination", "shown"),
    [
        ("Mailbox=user1", "user1"),
        ("Maildir=/var/mail/user1/Maildir", "user1/Maildir"),
        ("Maildir=mail", "mail"),
        ("File=/srv/incoming/invoices/1.eml", "invoices/1.eml"),
        ("SMTP=[a@b.example, c@d.example]", "a@b.example, c@d.example"),
        ("IMAP=INBOX/a=b", "INBOX/a=b"),
        ("unknown", "unknown"),
    ],
)
def test_place_is_short(destination: str, shown: str) -> None:
    assert formatting.place(destination) == shown


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 5, [""]),
        ("one two three", 8, ["one two", "three"]),
        ("one two", 7, ["one two"]),
        ("abcdefghijk", 4, ["abcd", "efgh", "ijk"]),
        ("ab abcdefghijk", 4, ["ab", "abcd", "efgh", "ijk"]),
        ("日本語テキスト", 5, ["日本", "語テ", "キス", "ト"]),
        ("  indented text", 10, ["  indented", "text"]),
        ("日本", 1, ["日", "本"]),
    ],
)
def test_wrap(text: str, width: int, lines: list[str]) -> None:
    assert formatting.wrap(text, width) == lines


def test_wrapped_lines_fit_their_width_and_lose_no_word() -> None:
    text = "  a bb  ccc 日本語テキスト e\u0301e\u0301e\u0301 " + "x" * 30
    for width in range(2, 40):
        lines = formatting.wrap(text, width)
        assert max(map(cell_len, lines)) <= width
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
