"""Each kind of text for people: what it is for the smallest, usual and largest values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest

from tests.oauth.making import oauth_for
from tests.support.clock import local
from tests.support.making import session_result
from tests.support.oauth_provider import OAuthProvider
from tui_popretr import wording
from tui_popretr.errors import ExitCode
from tui_popretr.facts import PastSession, SessionResult, TlsDetails

NOW = local(2026, 11, 23, 12, 0, 0)
REJECTED = "the server rejected the login (USER/PASS: -ERR [AUTH] go away)"
NOT_ACCEPTED = "the server rejected the login (SASL_XOAUTH2: the server does not accept the access token (status 401))"

result = partial(session_result, NOW)


def test_counts_have_the_right_plural() -> None:
    assert [wording.plural(count, "message") for count in (0, 1, 2, 1234)] == [
        "0 messages",
        "1 message",
        "2 messages",
        "1,234 messages",
    ]
    assert [wording.plural(count, "entry", "entries") for count in (1, 2)] == ["1 entry", "2 entries"]


SIZES = [
    (0, "0 B"),
    (1, "1 B"),
    (999, "999 B"),
    (1000, "1 kB"),
    (1500, "1.5 kB"),
    (9_960, "10 kB"),
    (340_000, "340 kB"),
    (999_400, "999.4 kB"),
    (999_600, "999.6 kB"),
    (999_999, "1 MB"),
    (12_345_678, "12.3 MB"),
    (5_000_000_000, "5 GB"),
]


@pytest.mark.parametrize(("octets", "text"), SIZES)
def test_sizes(octets: int, text: str) -> None:
    assert wording.size(octets) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3659, "1 h"),
        (3780, "1 h 3 min"),
        (86_400, "1 d"),
        (2 * 86_400 + 3 * 3600, "2 d 3 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("left", "text", "soon"),
    [
        (timedelta(days=41), "in 41 days, on 2027-01-03", False),
        (timedelta(days=14), "in 14 days, on 2026-12-07", False),
        (timedelta(days=14, seconds=-1), "in 13 days, on 2026-12-07", True),
        (timedelta(days=1), "in 1 day, on 2026-11-24", True),
        (timedelta(hours=2), "in less than a day, on 2026-11-23", True),
        (timedelta(hours=-2), "less than a day ago, on 2026-11-23", True),
        (timedelta(days=-2, hours=-1), "2 days ago, on 2026-11-21", True),
    ],
)
def test_when_a_certificate_expires(left: timedelta, text: str, soon: bool) -> None:
    assert wording.certificate_date(NOW + left, NOW) == text
    assert TlsDetails("TLSv1.3", "", "", "", (), NOW + left).expires_soon(NOW) is soon


def test_the_date_of_expiry_is_in_local_time() -> None:
    now = datetime(2026, 11, 23, 12, 0, tzinfo=timezone(timedelta(hours=14)))
    expires = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
    assert wording.certificate_date(expires, now).endswith(", on 2027-01-01")


def test_a_certificate_that_never_expires() -> None:
    now = datetime(2026, 11, 23, 12, 0, tzinfo=timezone(timedelta(hours=14)))
    never = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert wording.certificate_date(never, now).endswith(", on 9999-12-31")


@pytest.mark.parametrize(
    ("session", "text"),
    [
        (result(), "no new messages"),
        (result(messages=3, octets=12_345, deleted=3), "3 messages, 12.3 kB, deleted 3"),
        (result(messages=1, octets=5), "1 message, 5 B"),
        (result(messages=1, octets=9, skipped=2), "1 message, 9 B, 2 others left on the server"),
        (result(messages=1, octets=9, skipped=1), "1 message, 9 B, 1 other left on the server"),
        (result(deleted=2, skipped=4), "no new messages, deleted 2, 4 left on the server"),
        (result(kept=2), "no new messages, kept 2 that arrived cut short"),
        (result(error="stopped by the user"), "no new messages; stopped by the user"),
        (
            result(code=ExitCode.LOGIN, error="login rejected", advice="check username and password"),
            "failed: login rejected (check username and password)",
        ),
        (result(code=ExitCode.TEMPORARY, error="connection lost", skipped=3), "failed: connection lost"),
        (
            result(code=ExitCode.TEMPORARY, error="cut", messages=2, octets=2_000_000, deleted=2, failed=1),
            "failed: cut; before that 2 messages, 2 MB, deleted 2, failed 1",
        ),
    ],
)
def test_the_result_of_a_session(session: SessionResult, text: str) -> None:
    assert wording.session_result(session) == text


@pytest.mark.parametrize(
    ("session", "text"),
    [
        (result(), "no new messages"),
        (result(kept=1), "no new messages, kept 1"),
        (result(messages=12, octets=340_000, deleted=12), "12 messages, 340 kB"),
        (result(error="stopped"), "stopped"),
        (result(error="stopped", messages=1, octets=5), "1 message, 5 B; stopped"),
        (result(code=ExitCode.LOGIN, error=REJECTED), "login rejected: check the password"),
        (result(code=ExitCode.LOGIN, error=NOT_ACCEPTED), "access token rejected"),
        (
            result(code=ExitCode.LOGIN, error="the server allows no login without TLS (USERPASS: no)"),
            "no login without TLS: add <ssl>",
        ),
        (
            result(code=ExitCode.TEMPORARY, error="2 messages failed", messages=7, octets=8000),
            "7 messages, 8 kB; 2 messages failed",
        ),
        (PastSession("a", NOW, NOW, ExitCode.IO_ERROR, 0, 0, ""), "failed (code 74)"),
        (PastSession("a", NOW, NOW, ExitCode.OK, 3, 4000, ""), "3 messages, 4 kB"),
    ],
)
def test_the_summary_of_a_session(session: SessionResult | PastSession, text: str) -> None:
    assert wording.session_summary(session) == text


def test_a_session_without_an_error_has_no_failure() -> None:
    assert wording.session_failure(result(error="stopped")) == ""


def test_a_sentence() -> None:
    assert wording.sentence("it is damaged: <x>") == "It is damaged: <x>."


@pytest.mark.parametrize(("mark", "words"), [("again", "log in again"), ("first", "log in")])
def test_the_user_has_to_log_in(mark: str, words: str) -> None:
    error = f"{getattr(oauth_for(OAuthProvider()), mark)}: the rest is long"
    assert wording.session_failure(result(code=ExitCode.LOGIN, error=error)) == f"{words}: tui-popretr login"


def test_a_fingerprint_is_written_as_openssl_writes_it() -> None:
    assert wording.fingerprint("1f14220a") == "1F:14:22:0A"
