"""Answers to the queries of the dashboard in the pictures: an account over its quota, and a month of mail."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta

from tui_popretr.answers import Answer, Statistics, Tally, WaitingMail, WaitingMessage, WaitingReason
from tui_popretr.commands import ListWaiting, Query, ReadStatistics

_WAITING = (
    (412, 1_834, WaitingReason.NEW, "new", "Ada Byron", "Re: Tables for the next lecture"),
    (
        411,
        25_381_204,
        WaitingReason.TOO_LARGE,
        "too large: 25.4 MB, the limit is 10 MB",
        "Print shop",
        "Proofs, 300 dpi",
    ),
    (410, 5_120, WaitingReason.NEW, "new", "Grace Hopper", "A moth in relay 70"),
    (409, 2_240, WaitingReason.SKIPPED, "skipped", "Newsletter", "Forty offers for your garden"),
    (398, 3_301, WaitingReason.PRESERVED, "preserve: it was delivered", "Edsger D.", "EWD 1036"),
    (
        397,
        48_120,
        WaitingReason.FAILED,
        "failed twice: the connection was closed",
        "Mary Shelley",
        "Chapter 5, second draft",
    ),
    (391, 2_877, WaitingReason.PRESERVED, "preserve: it was delivered", "日本語の会", "来週の集まりについて"),
    (388, 7_410, WaitingReason.KEPT, "kept: shorter than listed", "Backup", "Report of the night"),
    (385, 1_020, WaitingReason.DELETION_PENDING, "deletion pending", "Ada Byron", "Tables, at last"),
)


def sample_answer(query: Query, now: datetime) -> Answer | ValueError:
    """Return the answer to a query."""
    match query:
        case ListWaiting(client):
            return _waiting(client, now)
        case ReadStatistics(client):
            return _statistics(client, now)
        case _:
            return ValueError("there is no such thing in a picture")


def _waiting(client: str, now: datetime) -> WaitingMail:
    messages = tuple(
        WaitingMessage(
            number,
            f"0000{number:04x}5f3a",
            size,
            reason,
            text,
            sender="",
            name=name,
            subject=subject,
            date=f"{now - timedelta(hours=7 * (412 - number)):%a, %-d %b %Y %H:%M:%S +0000}",
            digest="00",
        )
        for number, size, reason, text, name, subject in _WAITING
    )
    return WaitingMail(client, now, len(messages), sum(each.size for each in messages), messages)


def _statistics(client: str | None, now: datetime) -> Statistics:
    chance = random.Random(1)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hour = now.replace(minute=0, second=0, microsecond=0)
    days = []
    for back in range(200, -1, -1):
        begin = midnight - timedelta(days=back)
        messages = int((90 if begin.weekday() < 5 else 25) * chance.uniform(0.6, 1.3))
        days.append(Tally(begin, 288, int(chance.random() < 0.12), messages, messages * chance.randint(9_000, 40_000)))
    hours = []
    for back in range(47, -1, -1):
        begin = hour - timedelta(hours=back)
        messages = int(9 * chance.random() * max(0.0, math.sin((begin.hour - 5) / 18 * math.pi)))
        hours.append(Tally(begin, 12, int(back == 20), messages, messages * chance.randint(9_000, 40_000)))
    return Statistics(client, tuple(hours), tuple(days), 2.4, 1_210_000.0)
