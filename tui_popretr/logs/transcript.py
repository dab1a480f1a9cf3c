"""The transcript log: the dialogue of every session, one line each, written and read back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time

from tui_popretr.facts import Dialogue, DialogueLine, Direction, SessionId
from tui_popretr.logs.logfile import LogFile
from tui_popretr.logs.timestamps import date_and_time, time_of_day
from tui_popretr.text import visible

_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}"
_LINE = re.compile(
    r"(?P<client>[^\n]+?)-(?P<run>[0-9]+) "
    rf"(?:===== (?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}) (?P<opened>{_TIME}) >>"
    rf"|(?P<time>{_TIME}) (?P<way><<|>>|Event:))"
    r"(?: (?P<text>[^\n]*))?\n?"
)
_WAYS = {"<<": Direction.IN, ">>": Direction.OUT, "Event:": Direction.EVENT}
_OPENED, _IN, _OUT = Direction.OPENED, Direction.IN, Direction.OUT


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """A line of a transcript file. Only the first line of a session has the date."""

    session: SessionId
    date: date | None
    time: time
    direction: Direction
    text: str


def format_dialogue(dialogue: Dialogue) -> list[str]:
    """Return the lines of a dialogue as in the transcript (docs/logs.md). Their text is already neutralised."""
    session, at = dialogue.session, dialogue.at
    name = f"{visible(session.client)}-{session.run}"
    now = time_of_day(at)
    return [
        f"{name} ===== {date_and_time(at)} >> {text}"
        if direction is _OPENED
        else f"{name} {now} {'<<' if direction is _IN else '>>' if direction is _OUT else 'Event:'} {text}"
        for direction, text in dialogue.said
    ]


def format_line(line: DialogueLine) -> str:
    """Return a single line as in the transcript."""
    return format_dialogue(Dialogue(line.session, line.at, [(line.direction, line.text)]))[0]


def parse_line(line: str) -> ParsedLine | None:
    """Return the parts of a line of format_dialogue(); None for any other line, such as a banner."""
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
    """Subscribes to the dialogue of the sessions and writes it."""

    def __init__(self, logfile: LogFile) -> None:
        self._logfile = logfile

    def __call__(self, dialogue: Dialogue) -> None:
        self._logfile.write_lines(format_dialogue(dialogue), dialogue.at)
