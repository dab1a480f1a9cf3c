"""The items of a transcript view: lines of dialogue, other lines and gaps; and a plain-text search in them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tui_popretr.facts import DialogueLine, Direction
from tui_popretr.logs.timestamps import date_and_time
from tui_popretr.logs.transcript import format_line
from tui_popretr.wording import plural


@dataclass(frozen=True, slots=True)
class Gap:
    """Here `count` lines of any clients were dropped, because they came faster than the view can show them."""

    count: int


@dataclass(frozen=True, slots=True)
class Remark:
    """A line of a log file that is not dialogue, such as a banner; neutralised."""

    text: str


Line = DialogueLine | Remark
Item = DialogueLine | Remark | Gap


def body(item: Item) -> str:
    """Return the text of an item as it is shown and searched, without timestamp, client and direction."""
    match item:
        case DialogueLine(direction=Direction.OPENED, session=session, at=at, text=text):
            return f"{session} {date_and_time(at)} {text}"
        case Gap(count=count):
            return f"… {plural(count, 'line')} not shown …"
        case _:
            return item.text


def is_error(item: Item) -> bool:
    """Return whether an item is a negative reply."""
    return isinstance(item, DialogueLine) and item.direction is Direction.IN and item.text.startswith("-ERR")


def logged(item: Item) -> str:
    """Return an item as in the transcript log, for copying and saving."""
    match item:
        case DialogueLine():
            return format_line(item)
        case Gap():
            return f"# {body(item)}"
        case _:
            return item.text


class SearchPattern:
    """A plain text to search for. The case is ignored unless the text has a capital letter."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._pattern = re.compile(re.escape(text), 0 if text != text.lower() else re.IGNORECASE)

    def is_in(self, text: str) -> bool:
        """Return whether the pattern occurs in `text`."""
        return self._pattern.search(text) is not None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return start and end of each occurrence in `text`."""
        return [match.span() for match in self._pattern.finditer(text)]

    def octets(self) -> re.Pattern[bytes]:
        """Return a fast pattern that matches at least all lines of a log file (UTF-8) in which the text occurs."""
        if not self.text.isascii():
            return re.compile(b"")
        return re.compile(re.escape(self.text.encode()), self._pattern.flags & re.IGNORECASE)
