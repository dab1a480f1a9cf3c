"""Lines that are too long for a terminal are wrapped between words. Those for a pipe or a file stay as they are."""

from __future__ import annotations

import sys
import textwrap
from typing import Final, TextIO

from tui_popretr.process.terminal_size import terminal_size

_NARROWEST: Final = 40


def folded(text: str, stream: TextIO | None = None, *, hang: int | None = None) -> str:
    """Return the text as it is printed to a stream, by default standard output.

    The continuation of an indented line is indented by 2 more columns, or by `hang` columns in all.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None or not stream.isatty():
        return text
    width = max(terminal_size(stream.fileno())[0], _NARROWEST)
    return "\n".join(_fold(line, width, hang) for line in text.split("\n"))


def refilled(text: str, width: int) -> str:
    """Return a text with its paragraphs wrapped at a width. Indented lines, such as examples, stay as they are."""
    lines: list[str] = []
    paragraph: list[str] = []
    for line in (*text.split("\n"), ""):
        if line and not line[0].isspace():
            paragraph.append(line)
            continue
        if paragraph:
            lines += _wrapped(" ".join(paragraph), max(width, _NARROWEST), "")
            paragraph = []
        lines.append(line)
    return "\n".join(lines[:-1])


def _fold(line: str, width: int, hang: int | None) -> str:
    depth = len(line) - len(line.lstrip())
    if hang is not None and " " not in line[hang:]:
        return line  # a fingerprint: it would only leave its label
    if not depth:
        return "\n".join(_wrapped(line, width, ""))
    return "\n".join(_wrapped(line, width, " " * (depth + 2 if hang is None else hang)))


def _wrapped(line: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]
