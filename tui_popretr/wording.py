"""Counts, sizes, durations, results of sessions and reloads, and details of certificates in words, for people. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from tui_popretr.errors import ExitCode
from tui_popretr.facts import ConfigurationReloaded, PastSession, SessionResult, TokenDetails

NO_NEW_MESSAGES: Final = "no new messages"

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
#: Errors that have a shorter text: how the error begins, and the shorter text.
_IN_SHORT: Final = (
    *(
        (
            f"the server rejected the login ({method}: the server does not accept the access token",
            "access token rejected",
        )
        for method in ("SASL_OAUTHBEARER", "SASL_XOAUTH2")
    ),
    ("the server rejected the login", "login rejected: check the password"),
    ("the server allows no login without TLS", "no login without TLS: add <ssl>"),
    # OAuth.again and OAuth.first in config/oauth.py
    ("log in again (tui-popretr login", "log in again: tui-popretr login"),
    ("log in (tui-popretr login", "log in: tui-popretr login"),
)


def sentence(text: str) -> str:
    """Return a text of an error or its advice as a sentence: with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def plural(count: int, noun: str, nouns: str = "") -> str:
    """Return a count with its noun: "1 message", "12 messages", "1,234 messages". `nouns` is an irregular plural."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def size(octets: float) -> str:
    """Return a number of octets with a decimal unit: "5 B", "1.5 kB", "340 kB", "12.3 MB"."""
    from humanize import naturalsize  # only for the first size: every command imports this module at start-up

    number, _, unit = naturalsize(octets).partition(" ")
    return f"{number.removesuffix('.0')} {'B' if unit.startswith('Byte') else unit}"


def duration(seconds: float) -> str:
    """Return a duration in at most two units: "0.4 s", "12 s", "2 min 5 s", "4 min", "1 h 3 min", "2 d 3 h"."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        units = (whole // _MINUTE, "min"), (whole % _MINUTE, "s")
    elif whole < _DAY:
        units = (whole // _HOUR, "h"), (whole % _HOUR // _MINUTE, "min")
    else:
        units = (whole // _DAY, "d"), (whole % _DAY // _HOUR, "h")
    return " ".join(f"{number} {unit}" for number, unit in units if number)


def certificate_date(when: datetime, now: datetime) -> str:
    """Return when a certificate begins or expires: "in 41 days, on 2027-01-03", "2 days ago, on 2026-11-21".

    The date is in the time zone of `now`.
    """
    left = (when - now).total_seconds()
    try:
        date = when.astimezone(now.tzinfo).date()
    except OverflowError:  # the end of the year 9999 means never (RFC 5280 §4.1.2.5)
        date = when.date()
    days = int(abs(left)) // _DAY
    apart = plural(days, "day") if days else "less than a day"
    return f"{apart} ago, on {date}" if left < 0 else f"in {apart}, on {date}"


def fingerprint(digits: str) -> str:
    """Return the hex digits of a fingerprint as openssl prints them: "1F:14:22"."""
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).upper()


def token_validity(token: TokenDetails, now: datetime) -> str:
    """Return until when an access token is valid: "until 14:05", "until 2026-11-30 14:05, and has expired"."""
    if token.expires is None:
        return "the provider does not say until when"
    when = token.expires.astimezone(now.tzinfo)
    text = f"until {when:%H:%M}" if when.date() == now.date() else f"until {when:%Y-%m-%d %H:%M}"
    return text if token.expires > now else f"{text}, and has expired"


def mail_volume(messages: int, octets: int) -> str:
    """Return how much mail this is: "12 messages, 340 kB"; "no new messages" if `messages` is 0."""
    return f"{plural(messages, 'message')}, {size(octets)}" if messages else NO_NEW_MESSAGES


def error_with_advice(error: str, advice: str) -> str:
    """Return an error, followed by its advice in parentheses if there is any."""
    return f"{error} ({advice})" if advice else error


def session_result(result: SessionResult) -> str:
    """Return how a session ended, with all its counts and the advice.

    For example "3 messages, 12.3 kB, deleted 3", "no new messages, 6 left on the server" or "failed: the connection
    was closed (check the address); before that 2 messages, 2 kB, deleted 2".
    """
    counts = _counts(result)
    if result.ok:
        return f"{counts}; {result.error}" if result.error else counts  # it was stopped
    text = f"failed: {error_with_advice(result.error, result.advice)}"
    return f"{text}; before that {counts}" if result.messages or result.deleted else text


def _counts(result: SessionResult) -> str:
    parts = [mail_volume(result.messages, result.octets)]
    if result.deleted:
        parts.append(f"deleted {result.deleted:,}")
    if result.skipped:
        other = f" {'other' if result.skipped == 1 else 'others'}" if result.messages else ""
        parts.append(f"{result.skipped:,}{other} left on the server")
    if result.kept:
        parts.append(f"kept {result.kept:,} that arrived cut short")
    if result.failed:
        parts.append(f"failed {result.failed:,}")
    return ", ".join(parts)


def session_summary(session: SessionResult | PastSession) -> str:
    """Return how a session ended in a few words: "12 messages, 340 kB", "login rejected: check the password"."""
    mail = mail_volume(session.messages, session.octets)
    if session.code is not ExitCode.OK:
        failure = session_failure(session)
        return f"{mail}; {failure}" if session.messages else failure
    if session.error:  # it was stopped
        return f"{mail}; {session.error}" if session.messages else session.error
    kept = session.kept if isinstance(session, SessionResult) else 0
    return f"{mail}, kept {kept:,}" if kept else mail


def session_failure(session: SessionResult | PastSession) -> str:
    """Return why a session failed in a few words; "" if it did not fail."""
    if session.code is ExitCode.OK:
        return ""
    for beginning, short in _IN_SHORT:
        if session.error.startswith(beginning):
            return short
    return session.error or f"failed (code {session.code.value})"


def reload_result(fact: ConfigurationReloaded) -> str:
    """Return what a reload has changed: "configuration reloaded: 2 added, 1 changed"."""
    parts = [
        f"{len(ids):,} {word}"
        for ids, word in ((fact.added, "added"), (fact.removed, "removed"), (fact.changed, "changed"))
        if ids
    ]
    return f"configuration reloaded: {', '.join(parts) or 'no client has changed'}"
