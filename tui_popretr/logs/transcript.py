"""The transcript log: the dialogue of every session, one line each, written and read back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time

from tui_popretr.facts import DialogueLine, Direction, Fact, SessionId
from tui_popretr.logs.logfile import LogFile
from tui_popretr.logs.stamps import date_and_time, time_of_day

_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}"
_LINE = re.compile(
    r"(?P<client>[^\n]+?)-(?P<run>[0-9]+) "
    rf"(?:===== (?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}) (?P<opened>{_TIME}) >>"
    rf"|(?P<time>{_TIME}) (?P<way><<|>>|Event:))"
    r"(?: (?P<text>[^\n]*))?\n?"
)
_WAYS = {"<<": Direction.IN, ">>": Direction.OUT, "Event:": Direction.EVENT}


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """A line of a transcript file. Only a session's first line tells the date."""

    session: SessionId
    date: date | None
    time: time
    direction: Direction
    text: str


def format_line(fact: DialogueLine) -> str:
    """Return a line of dialogue as the transcript shows it (SPEC 6). Its text is neutralised already, as in facts."""
    session = fact.session
    direction = fact.direction
    if direction is Direction.OPENED:
        return f"{session.client}-{session.run} ===== {date_and_time(fact.at)} >> {fact.text}"
    way = "Event:" if direction is Direction.EVENT else direction.value
    return f"{session.client}-{session.run} {time_of_day(fact.at)} {way} {fact.text}"


def parse_line(line: str) -> ParsedLine | None:
    """Return what format_line put into a line, None for any other line (a banner, somebody else's file)."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    session = SessionId(match["client"], int(match["run"]))
    text = match["text"] or ""
    try:
        if match["date"] is None:
            return ParsedLine(session, None, time.fromisoformat(match["time"]), _WAYS[match["way"]], text)
        day, opened = date.fromisoformat(match["date"]), time.fromisoformat(match["opened"])
        return ParsedLine(session, day, opened, Direction.OPENED, text)
    except ValueError:
        return None


class TranscriptLog:
    """Subscribes to the engine's facts and writes the dialogue among them."""

    def __init__(self, logfile: LogFile) -> None:
        self._logfile = logfile

    def __call__(self, fact: Fact) -> None:
        if isinstance(fact, DialogueLine):
            self._logfile.write(format_line(fact), fact.at)
