"""What each status and reason of the Gmail API means."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.passwords import PASSWORD, discreet
from tui_popretr.delivery.gmail.refusals import LONGEST_WAIT, error_of, in_doubt, is_busy, read_refusal
from tui_popretr.errors import (
    DeliveryFailed,
    ExitCode,
    GmailLoginFailed,
    GmailProtocolError,
    GmailRefused,
    GmailTemporaryFailure,
    GmailUnusable,
    MessageRejected,
)
from tui_popretr.net.http import Response
from tui_popretr.secret import Secret

NOW: Final = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
SECRET: Final = Secret(PASSWORD)


def response(status: int, body: bytes = b"", **headers: str) -> Response:
    named = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Response("gmail.test", status, "Reason", named, body)


def google(status: int, reason: str = "", message: str = "words", *, word: str = "", **more: Any) -> Response:
    errors = [{"reason": reason, "domain": "global", "message": message}] if reason else []
    return response(
        status,
        json.dumps({"error": {"code": status, "message": message, "errors": errors, "status": word, **more}}).encode(),
    )


def error(found: Response, *, message: bool = True) -> DeliveryFailed:
    refusal = read_refusal(found, SECRET, NOW)
    return error_of(refusal, "import a message", login="tui-popretr login c.xml", message=message)


@pytest.mark.parametrize(
    ("found", "kind", "code"),
    [
        (google(400, "invalidArgument", "Invalid message"), MessageRejected, ExitCode.UNAVAILABLE),
        (google(400), MessageRejected, ExitCode.UNAVAILABLE),
        (google(400, "failedPrecondition", "Mail service not enabled"), GmailRefused, ExitCode.UNAVAILABLE),
        (google(400, word="FAILED_PRECONDITION"), GmailRefused, ExitCode.UNAVAILABLE),
        (google(400, "invalidArgument", "Invalid label: Label_9"), GmailUnusable, ExitCode.CONFIGURATION),
        (google(401, "authError"), GmailLoginFailed, ExitCode.LOGIN),
        (google(403, "rateLimitExceeded"), GmailTemporaryFailure, ExitCode.TEMPORARY),
        (google(403, "userRateLimitExceeded"), GmailTemporaryFailure, ExitCode.TEMPORARY),
        (google(403, "dailyLimitExceeded"), GmailTemporaryFailure, ExitCode.TEMPORARY),
        (google(403, "insufficientPermissions"), GmailLoginFailed, ExitCode.LOGIN),
        (google(403, details=[{"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]), GmailLoginFailed, ExitCode.LOGIN),
        (google(403, "accessNotConfigured"), GmailUnusable, ExitCode.CONFIGURATION),
        (google(403, "domainPolicy"), GmailRefused, ExitCode.UNAVAILABLE),
        (google(403, word="PERMISSION_DENIED"), GmailRefused, ExitCode.UNAVAILABLE),
        (google(404, "notFound"), GmailProtocolError, ExitCode.PROTOCOL),
        (response(408), GmailTemporaryFailure, ExitCode.TEMPORARY),
        (google(413, "uploadTooLarge"), MessageRejected, ExitCode.UNAVAILABLE),
        (response(413, b"<html>"), MessageRejected, ExitCode.UNAVAILABLE),
        (response(405), GmailRefused, ExitCode.UNAVAILABLE),
        (google(400, "invalidArgument", "Invalid value at 'date'"), GmailRefused, ExitCode.UNAVAILABLE),
        (google(400, "badContent", "Multipart body is bad"), GmailRefused, ExitCode.UNAVAILABLE),
        (response(415), MessageRejected, ExitCode.UNAVAILABLE),
        (google(429, "rateLimitExceeded"), GmailTemporaryFailure, ExitCode.TEMPORARY),
        (response(429), GmailTemporaryFailure, ExitCode.TEMPORARY),
        (google(500, "backendError"), GmailTemporaryFailure, ExitCode.TEMPORARY),
        (response(502, b"<html>Bad Gateway"), GmailTemporaryFailure, ExitCode.TEMPORARY),
        (google(503), GmailTemporaryFailure, ExitCode.TEMPORARY),
        (response(504), GmailTemporaryFailure, ExitCode.TEMPORARY),
        (response(302, location="https://else.test/?token=1"), GmailProtocolError, ExitCode.PROTOCOL),
        (response(308), GmailProtocolError, ExitCode.PROTOCOL),
        (response(204), GmailProtocolError, ExitCode.PROTOCOL),
        (response(201, b"{}"), GmailProtocolError, ExitCode.PROTOCOL),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Response) else "",
)
def test_refusals_of_an_import(found: Response, kind: type[DeliveryFailed], code: ExitCode) -> None:
    problem = error(found)
    assert (type(problem), problem.exit_code) == (kind, code)
    assert problem.refused_for_good is (kind is MessageRejected)
    assert problem.ends_retrieval is (kind is not MessageRejected)
    assert str(problem).startswith("cannot import a message: ")
    assert problem.advice or kind in (MessageRejected, GmailRefused)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_another_request_says_nothing_of_a_message(status: int) -> None:
    assert isinstance(error(google(status, "invalidArgument"), message=False), GmailRefused)


@pytest.mark.parametrize(
    ("status", "reason", "busy", "doubt"),
    [
        (400, "", False, False),
        (403, "rateLimitExceeded", True, False),
        (403, "forbidden", False, False),
        (429, "", True, False),
        (500, "", True, True),
        (503, "", True, True),
    ],
)
def test_when_to_wait_and_when_to_ask(status: int, reason: str, busy: bool, doubt: bool) -> None:
    refusal = read_refusal(google(status, reason), SECRET, NOW)
    assert (is_busy(refusal), in_doubt(refusal)) == (busy, doubt)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("999999", LONGEST_WAIT),
        ("Mon, 30 Nov 2026 12:01:00 GMT", 60.0),
        ("Mon, 30 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 30 Nov 9999 12:01:00 GMT", LONGEST_WAIT),
        ("-1", None),
        ("soon", None),
        ("\u0663".encode().decode("latin-1"), None),
        ("", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert read_refusal(response(429, retry_after=value), SECRET, NOW).wait == seconds


def test_retry_after_in_the_text() -> None:
    found = google(429, "rateLimitExceeded", "User-rate limit exceeded.  Retry after 2026-11-30T12:00:45.500Z")
    assert read_refusal(found, SECRET, NOW).wait == 45.5


def test_a_token_that_is_repeated_is_not_shown() -> None:
    problem = error(google(400, "x", f"the token {PASSWORD} is bad\x1b"))
    discreet(str(problem), problem.advice)
    assert "the token **** is bad\\x1b" in str(problem)


@given(
    st.integers(200, 599),
    st.one_of(
        st.binary(max_size=40),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.sampled_from(("", "label", "\x1b", "x")),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(("error", "errors", "reason", "details", "message", "status")), inner)
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps({"error": value}).encode()),
    ),
    st.text(st.characters(max_codepoint=255), max_size=30),
)
def test_any_answer_is_an_error(status: int, body: bytes, after: str) -> None:
    found = Response("h", status, "", ((b"retry-after", after.encode("latin-1")),), body)
    assert str(error(found)).isprintable()
