"""The cause of a refusal by the Gmail API, by status and reason, and the error for it.

An answer that refuses a request has `{"error": {"code", "message", "errors": [{"reason"}], "status", "details"}}`
(https://developers.google.com/workspace/gmail/api/guides/handle-errors). A proxy on the way may answer anything.

Only refusals of an import may be about the message: 413, 415, 422, and 400 without a reason or text that means
something else. Of all other refusals no message is the cause: they must never count against one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from tui_popretr.delivery.gmail.api import NotUnderstood, fields_of
from tui_popretr.errors import (
    DeliveryFailed,
    GmailLoginFailed,
    GmailProtocolError,
    GmailRefused,
    GmailTemporaryFailure,
    GmailUnusable,
    MessageRejected,
)
from tui_popretr.net.http import Response
from tui_popretr.secret import STARS, Secret
from tui_popretr.text import visible

#: The user, the project or Google as a whole is to send less for a while.
_BUSY: Final = frozenset(
    {
        "ratelimitexceeded",
        "userratelimitexceeded",
        "dailylimitexceeded",
        "quotaexceeded",
        "limitexceeded",
        "rate_limit_exceeded",
        "resource_exhausted",
        "backenderror",
    }
)
#: The access token does not allow the request.
_SCOPES: Final = frozenset(
    {"insufficientpermissions", "insufficient_permissions", "access_token_scope_insufficient", "insufficientscopes"}
)
#: The API is off in the project of the client id.
_API_OFF: Final = frozenset({"accessnotconfigured", "service_disabled", "api_disabled"})
#: Of the account, not of a message.
_ACCOUNT: Final = frozenset({"failedprecondition", "failed_precondition", "domainpolicy", "delegationdenied"})
#: What may be refused for the message.
_OF_MESSAGE: Final = frozenset({400, 413, 415, 422})
#: Texts of 400 about the form of a request: all messages are refused alike.
_REQUEST: Final = re.compile(r"invalid (value at|json payload)|unknown name|upload ?type|multipart", re.IGNORECASE)
_LABEL: Final = re.compile(r"\blabels?\b|labelid", re.IGNORECASE)
#: Gmail names the time in the text of a refusal, too.
_AFTER: Final = re.compile(r"retry after (\d{4}-\d\d-\d\dT[0-9:.]+Z)", re.IGNORECASE)
#: Seconds that a server may ask to wait. A longer time is taken as this one.
LONGEST_WAIT: Final = 86_400.0

_OFF_ADVICE: Final = (
    "enable the Gmail API in the project of the client id (docs/gmail.md), and wait a few minutes: the answer names the"
    " address"
)
_NOT_GMAIL: Final = "check <url> in <gmail>, and whether something between here and Google answers for it"
_ACCOUNT_ADVICE: Final = "log in to Gmail in a browser with this account: it may be full, suspended or without Gmail"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an answer says of itself. `reasons` are in lower case."""

    status: int
    reasons: frozenset[str] = frozenset()
    message: str = ""
    #: seconds; None: the server does not say
    wait: float | None = None
    shown: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.shown


def read_refusal(response: Response, secret: Secret, now: datetime) -> Refusal:
    """Return what an answer that is no success says. `secret` is the access token: it is not shown."""
    try:
        error = fields_of(response.body).get("error")
    except NotUnderstood:
        error = None
    found = error if isinstance(error, dict) else {}
    text = found.get("message") if isinstance(found.get("message"), str) else ""
    message = visible(_without(text or "", secret), 300)
    reasons = frozenset(each.lower() for each in _reasons(found))
    words = message or response.reason
    shown = f"{response.status} {words}".strip()
    return Refusal(response.status, reasons, message, _wait(response, text or "", now), shown)


def _reasons(error: dict[str, Any]) -> Iterator[str]:
    status = error.get("status")
    if isinstance(status, str):
        yield status
    for name in ("errors", "details"):
        listed = error.get(name)
        for each in listed if isinstance(listed, list) else ():
            if isinstance(each, dict) and isinstance(each.get("reason"), str):
                yield each["reason"]


def _without(text: str, secret: Secret) -> str:
    return text.replace(secret.reveal(), STARS) if secret else text


def _wait(response: Response, message: str, now: datetime) -> float | None:
    """Return how long the server asks to wait, in seconds (RFC 9110 §10.2.3)."""
    value = response.header("retry-after").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return min(float(value), LONGEST_WAIT)
    try:
        if value:
            until = parsedate_to_datetime(value)
        elif (named := _AFTER.search(message)) is not None:
            until = datetime.fromisoformat(named[1])
        else:
            return None
    except (ValueError, OverflowError):
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return min(max(0.0, (until - now).total_seconds()), LONGEST_WAIT)


def is_busy(refusal: Refusal) -> bool:
    """Whether requests are refused for a while, whatever they are."""
    status = refusal.status
    return status in (408, 429) or status >= 500 or (status == 403 and not refusal.reasons.isdisjoint(_BUSY))


def in_doubt(refusal: Refusal) -> bool:
    """Whether the server may have done it: it, or a proxy, has failed on the way, or names another success than 200."""
    return refusal.status >= 500 or 200 < refusal.status < 300


def error_of(refusal: Refusal, what: str, *, login: str, message: bool = False) -> DeliveryFailed:
    """Return the error for a refusal. `what` as in "cannot WHAT"; `login`: the command that logs in.

    `message`: the request was an import, so the cause may be the message.
    """
    text = f"cannot {what}: {refusal}"
    status, reasons = refusal.status, refusal.reasons
    if 300 <= status < 400:
        return GmailProtocolError(f"cannot {what}: the answer redirects elsewhere, which is not followed")
    if status == 401:
        return GmailLoginFailed(text, advice=f"log in again: {login}")
    if is_busy(refusal):
        return GmailTemporaryFailure(text)
    if status == 403:
        return _forbidden(text, reasons, login)
    if status == 404:
        return GmailProtocolError(text, advice=_NOT_GMAIL)
    if not reasons.isdisjoint(_ACCOUNT):
        return GmailRefused(text, advice=_ACCOUNT_ADVICE)
    if status in (400, 409) and _LABEL.search(refusal.message):
        return GmailUnusable(text, advice="check <labels> in <gmail>")
    if message and status in _OF_MESSAGE and not _REQUEST.search(refusal.message):
        return MessageRejected(text)
    if status >= 400:
        return GmailRefused(text)
    return GmailProtocolError(text, advice=_NOT_GMAIL)


def _forbidden(text: str, reasons: frozenset[str], login: str) -> DeliveryFailed:
    if not reasons.isdisjoint(_API_OFF):
        return GmailUnusable(text, advice=_OFF_ADVICE)
    if not reasons.isdisjoint(_SCOPES):
        failure = GmailLoginFailed(text, advice=f"the access token does not allow it; log in again: {login}")
        failure.login_missing = True
        return failure
    return GmailRefused(text, advice=_ACCOUNT_ADVICE)
