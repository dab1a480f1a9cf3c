"""Answers to the queries of commands.py: what a dashboard or a script asks of the engine.

Times are local. Sizes are octets, durations seconds. Text from servers and from mail is decoded, and neutralised where
it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


@dataclass(frozen=True, slots=True)
class Tally:
    """The sums over the sessions that ended in an hour or a day, which began at `begin`."""

    begin: datetime
    sessions: int
    failures: int  # sessions that failed
    messages: int
    octets: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The totals of a client, of all with None, oldest first; hours and days without a session are left out.

    The medians are of the sessions that the journal keeps: the duration of those that succeeded, and the octets a
    second of those that delivered a message. None without such a session.
    """

    client: str | None
    hours: tuple[Tally, ...]
    days: tuple[Tally, ...]
    duration: float | None = None
    rate: float | None = None


class WaitingReason(Enum):
    """Why a message is still on the server. PRESERVED: it was delivered, and stays by preserve or deleteafter."""

    NEW = "new"
    PRESERVED = "preserve"
    SEEN = "seen"
    TOO_LARGE = "too large"
    FAILED = "failed"
    KEPT = "kept"
    DELETION_PENDING = "deletion pending"
    SKIPPED = "skipped"
    DELIVERING = "delivering"


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message on the server. `uid` is None without UIDL; `digest` is the hash of its header in hex, "" without TOP.

    `text` is the reason in words. sender, name, subject and date are of its header and neutralised, "" where there is
    none; `date` is as written.
    """

    number: int
    uid: str | None
    size: int
    reason: WaitingReason
    text: str
    sender: str = ""
    name: str = ""
    subject: str = ""
    date: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """What is on a client's server, the newest first: the latest of `count` messages with `octets` in all.

    `remark`: why something is missing, such as headers where the server refuses TOP.
    """

    client: str
    at: datetime
    count: int
    octets: int
    messages: tuple[WaitingMessage, ...]
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """The header and the first lines of a message, not neutralised; `cut`: lines are missing.

    It is decoded as UTF-8; other octets are surrogates (surrogateescape), since the message may name another charset.
    """

    client: str
    number: int
    text: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What an action has done, in words: a line for each message. `failed`: how many were left as they are."""

    texts: tuple[str, ...]
    failed: int = 0


Answer = Statistics | WaitingMail | Preview | Done
