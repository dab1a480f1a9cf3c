"""Times, rates, results and progress as short texts for narrow columns. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from rich.cells import cell_len, chop_cells

from tui_popretr import wording
from tui_popretr.errors import ExitCode, describe_os_error
from tui_popretr.facts import PastSession, SessionResult
from tui_popretr.text import visible

SEPARATOR: Final = " · "

_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86_400, 604_800
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_HEIGHTS: Final = "▁▂▃▄▅▆▇█"
_FAILED: Final = "✗"

# --- times ----------------------------------------------------------------------------------------------------------


def countdown(seconds: float) -> str:
    """Return the time to a due moment: "2 d 3 h", "1:02:03", "4:32", and "due" afterwards.

    It is rounded up: "0:01" is shown until the moment itself.
    """
    left = math.ceil(seconds)
    if left <= 0:
        return "due"
    if left >= _DAY:
        days, rest = divmod(left, _DAY)
        return f"{days} d {rest // _HOUR} h"
    minutes, second = divmod(left, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def ago(seconds: float) -> str:
    """Return a time in the past: "just now", "12 s ago", "2 min ago", "3 h ago", "5 d ago", "8 weeks ago"."""
    past = int(seconds)
    if past < 2:
        return "just now"
    for limit, size, unit in (
        (_MINUTE, 1, "s"),
        (_HOUR, _MINUTE, "min"),
        (_DAY, _HOUR, "h"),
        (6 * _WEEK, _DAY, "d"),
    ):
        if past < limit:
            return f"{past // size} {unit} ago"
    return f"{past // _WEEK} weeks ago"


def moment(at: datetime, now: datetime) -> str:
    """Return a wall-clock time in at most 12 columns: "07:27:59" of today, else "23 Nov 07:27", else "23 Nov 2025"."""
    if at.date() == now.date():
        return f"{at:%H:%M:%S}"
    return f"{at.day} {at:%b %H:%M}" if abs((now - at).days) < 300 else f"{at.day} {at:%b %Y}"


def header_date(text: str, now: datetime) -> str:
    """Return the date of a message's header as moment() does; neutralised as it is written if it is not understood."""
    from email.utils import parsedate_to_datetime

    try:
        return moment(parsedate_to_datetime(text).astimezone(now.tzinfo), now)
    except (ValueError, OverflowError):
        return visible(text)


# --- sizes ----------------------------------------------------------------------------------------------------------


def rate(octets_a_second: float) -> str:
    """Return a speed: "1.2 MB/s"."""
    return f"{wording.size(round(octets_a_second))}/s"


def milliseconds(count: float) -> str:
    """Return a short time: "4.2 ms", "340 ms", and from a second on as duration() does: "1.2 s"."""
    if count >= 999.5:
        return wording.duration(count / 1000)
    return f"{count:.1f} ms" if count < 9.95 else f"{count:.0f} ms"


def join(parts: Iterable[str]) -> str:
    """Return the parts that are not empty, joined with middle dots."""
    return SEPARATOR.join(part for part in parts if part)


# --- sessions -------------------------------------------------------------------------------------------------------


def outcome(session: SessionResult | PastSession | None, now: datetime) -> str:
    """Return a client's last result: "2 min ago, 12 messages, 340 kB"; a failure comes before its time.

    "" if there was no session yet.
    """
    if session is None:
        return ""
    when = ago((now - session.ended).total_seconds())
    if session.code is ExitCode.OK:
        return f"{when}, {wording.session_summary(session)}"
    return f"{wording.session_summary(session)} ({when})"


def place(destination: str) -> str:
    """Return a destination of the audit line in few characters, without its kind: "user1", "a@b, c@d", "mail/1.eml".

    Of a path it is the end, since many paths begin alike.
    """
    kind, _, name = destination.partition("=")
    if kind in ("Maildir", "File"):
        return "/".join(name.split("/")[-2:])
    return name.removeprefix("[").removesuffix("]") or destination


def progress(done: int, total: int, fraction: float | None, octets_a_second: float) -> str:
    """Return how far a retrieval is: "12/340 · 63 % · 1.2 MB/s", without the parts not known yet.

    `fraction` is of the octets, 0 to 1. 100 % is shown only when all messages are there.
    """
    parts = [f"{done}/{total}"]
    if fraction is not None:
        percent = int(fraction * 100)
        parts.append(f"{percent if done >= total else min(percent, 99)} %")
    if octets_a_second >= 1:
        parts.append(rate(octets_a_second))
    return join(parts)


def bar(fraction: float, width: int) -> str:
    """Return a progress bar of exactly `width` columns, in eighths of a block."""
    fraction = min(1.0, max(0.0, fraction))
    full, eighth = divmod(int(fraction * width * 8), 8)
    return ("█" * full + (_EIGHTHS[eighth] if full < width else "")).ljust(width)


def sparkline(sessions: Sequence[SessionResult | PastSession], width: int) -> str:
    """Return the messages of the latest sessions as a row of at most `width` columns, latest last.

    The lowest mark is a session without mail, ✗ a failed session.
    """
    if width <= 0:
        return ""
    shown = sessions[-width:]
    most = max((each.messages for each in shown), default=0)

    def mark(session: SessionResult | PastSession) -> str:
        if session.code is not ExitCode.OK:
            return _FAILED
        return _HEIGHTS[math.ceil(session.messages * (len(_HEIGHTS) - 1) / most)] if most else _HEIGHTS[0]

    return "".join(map(mark, shown))


# --- lines -----------------------------------------------------------------------------------------------------------


def wrap(text: str, width: int) -> list[str]:
    """Return text in lines of at most `width` columns, broken at blanks, and within words that are too long.

    Blanks at the beginning are kept.
    """
    words = text.lstrip(" ")
    lines: list[str] = []
    line = " " * min(len(text) - len(words), max(0, width - 1))
    for number, word in enumerate(words.split(" ")):
        joined = f"{line} {word}" if number else line + word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line.strip(" "):
            lines.append(line)
        *whole, line = chop_cells(word, max(2, width)) or [""]
        lines += whole
    return [*lines, line]


def failure_reason(problem: Exception) -> str:
    """Return the reason of a failure."""
    match problem:
        case RecursionError():
            return "it is nested too deeply"
        case MemoryError():
            return "there is not enough memory"
        case OSError():
            return describe_os_error(problem)
        case _:
            return f"internal error ({type(problem).__name__})"
