"""The parts of a sheet of text: headings, names with values, lines; set in columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.cells import fitted, sanitize


@dataclass(frozen=True, slots=True)
class Heading:
    """Opens a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A name and its value; a long value is wrapped to the right of the name."""

    name: str
    value: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text over the whole width; "" is an empty one."""

    text: str
    style: str = ""


Part = Heading | Pair | Line


def typeset(parts: Iterable[Part], columns: int) -> Text:
    """Return the parts in lines of at most `columns` columns; their text is not read as markup."""
    parts = list(parts)
    names = max((cell_len(part.name) for part in parts if isinstance(part, Pair)), default=0)
    indent = min(names, max(8, columns * 3 // 10)) + 2
    text = Text(no_wrap=True)
    for part in parts:
        if text:
            text.append("\n")
        match part:
            case Heading(title):
                text.append("\n" if text else "")
                text.append(title, "bold cyan")
            case Pair(name, value, style):
                name = fitted(name, min(max(1, columns - 4), max(indent - 2, cell_len(name))))
                text.append(name, "dim").append("  ")
                start = cell_len(name) + 2
                lines = formatting.wrap(sanitize(value), max(2, columns - start))
                text.append(("\n" + " " * start).join(lines), style)
            case Line(line, style):
                text.append("\n".join(formatting.wrap(sanitize(line), max(2, columns))), style)
    return text
