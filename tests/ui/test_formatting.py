"""How the dashboard says things: tables of what is said."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from rich.cells import cell_len

from tests.support.clock import local
from tests.support.dashboard import result
from tui_popretr.errors import ExitCode
from tui_popretr.facts import PastSession, SessionResult, TlsDetails
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
    ("seconds", "said"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3780, "1 h 3 min"),
        (2 * 86_400 + 3 * 3600, "2 d 3 h"),
    ],
)
def test_duration(seconds: float, said: str) -> None:
    assert formatting.duration(seconds) == said


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


@pytest.mark.parametrize(
    ("octets", "said", "short"),
    [
        (0, "0 B", "0"),
        (1, "1 B", "1"),
        (999, "999 B", "999"),
        (1000, "1 kB", "1k"),
        (1500, "1.5 kB", "1.5k"),
        (9_960, "10 kB", "10k"),
        (340_000, "340 kB", "340k"),
        (999_400, "999.4 kB", "999k"),
        (999_600, "999.6 kB", "1M"),
        (999_999, "1 MB", "1M"),
        (12_345_678, "12.3 MB", "12M"),
        (5_000_000_000, "5 GB", "5G"),
    ],
)
def test_sizes(octets: int, said: str, short: str) -> None:
    assert formatting.size(octets) == said
    assert formatting.short_size(octets) == short
    assert formatting.rate(octets) == f"{said}/s"
    assert formatting.short_rate(octets) == f"{short}/s"


def test_short_sizes_never_take_more_than_four_columns() -> None:
    assert all(
        len(formatting.short_size(10**power * digits // 1000)) <= 4 for power in range(19) for digits in range(1000)
    )


def test_counts_and_lists() -> None:
    assert [formatting.count(number, "message") for number in (0, 1, 2, 1234)] == [
        "0 messages",
        "1 message",
        "2 messages",
        "1,234 messages",
    ]
    assert formatting.join(("a", "", "b")) == "a · b"
    assert formatting.join(()) == ""


REJECTED = "the server rejected the login (USER/PASS: -ERR [AUTH] go away)"


@pytest.mark.parametrize(
    ("session", "said", "outcome"),
    [
        (result(NOW), "no new mail", "just now, no new mail"),
        (result(NOW, kept=1), "no new mail, 1 kept", "just now, no new mail, 1 kept"),
        (
            result(NOW - timedelta(minutes=2), messages=12, octets=340_000),
            "12 messages, 340 kB",
            "2 min ago, 12 messages, 340 kB",
        ),
        (result(NOW, error="stopped", messages=1, octets=5), "1 message, 5 B, stopped", None),
        (
            result(NOW - timedelta(hours=1), code=ExitCode.LOGIN, error=REJECTED),
            "login rejected: check the password",
            "login rejected: check the password (1 h ago)",
        ),
        (
            result(NOW, code=ExitCode.LOGIN, error="the server allows no login without TLS (USERPASS: no)"),
            "no login without TLS: add <ssl>",
            None,
        ),
        (
            result(NOW, code=ExitCode.TEMPORARY, error="2 messages could not be retrieved: disk full", messages=7),
            "7 messages; 2 messages could not be retrieved: disk full",
            None,
        ),
        (PastSession("a", NOW, NOW, ExitCode.IO_ERROR, 0, 0, ""), "failed (code 74)", None),
        (PastSession("a", NOW, NOW, ExitCode.OK, 3, 4000, ""), "3 messages, 4 kB", "just now, 3 messages, 4 kB"),
    ],
)
def test_how_a_session_ended(session: SessionResult | PastSession, said: str, outcome: str | None) -> None:
    assert formatting.result(session) == said
    if outcome is not None:
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
    ("fraction", "width", "drawn", "plain"),
    [
        (0.0, 4, "    ", "----"),
        (-1.0, 4, "    ", "----"),
        (0.5, 4, "██  ", "##--"),
        (0.54, 4, "██▏ ", "##--"),
        (0.999, 4, "███▉", "###-"),
        (1.0, 4, "████", "####"),
        (7.0, 4, "████", "####"),
        (0.5, 0, "", ""),
    ],
)
def test_bar(fraction: float, width: int, drawn: str, plain: str) -> None:
    assert formatting.bar(fraction, width) == drawn
    assert formatting.bar(fraction, width, plain=True) == plain


def test_a_sparkline_tells_failures_from_little_mail_without_colour() -> None:
    sessions = [
        result(NOW, messages=0),
        result(NOW, messages=1),
        result(NOW, messages=4),
        result(NOW, messages=8),
        result(NOW, code=ExitCode.LOGIN),
    ]
    assert formatting.sparkline(sessions, 10) == "▁▂▅█✗"
    assert formatting.sparkline(sessions, 10, plain=True) == "_.=#!"
    assert formatting.sparkline(sessions, 2) == "█✗"
    assert formatting.sparkline(sessions[:1] * 3, 10) == "▁▁▁"
    assert formatting.sparkline(sessions, 0) == ""
    assert formatting.sparkline([], 10) == ""


@pytest.mark.parametrize(
    ("left", "said", "warned"),
    [
        (timedelta(days=41), "41 days (3 Jan 2027)", False),
        (timedelta(days=14), "14 days (7 Dec 2026)", False),
        (timedelta(days=14, seconds=-1), "13 days (7 Dec 2026)", True),
        (timedelta(days=1), "1 day (24 Nov 2026)", True),
        (timedelta(hours=2), "less than a day (23 Nov 2026)", True),
        (timedelta(hours=-2), "EXPIRED today (23 Nov 2026)", True),
        (timedelta(days=-2, hours=-1), "EXPIRED 2 days ago (21 Nov 2026)", True),
    ],
)
def test_certificates(left: timedelta, said: str, warned: bool) -> None:
    assert formatting.expiry(NOW + left, NOW) == said
    assert TlsDetails("TLSv1.3", "", "", "", (), NOW + left).expires_soon(NOW) is warned


def test_a_certificate_without_a_known_end() -> None:
    assert formatting.expiry(None, NOW) == "not known"
    assert not TlsDetails("TLSv1.3", "", "", "", (), None).expires_soon(NOW)


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


def test_wrapped_lines_never_exceed_their_width_and_lose_no_word() -> None:
    text = "  a bb  ccc 日本語テキスト e\u0301e\u0301e\u0301 " + "x" * 30
    for width in range(2, 40):
        lines = formatting.wrap(text, width)
        assert max(map(cell_len, lines)) <= width
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
