"""The tables of docs/configuration.md: a row for each attribute and element."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TEXT = (Path(__file__).parents[1] / "docs/configuration.md").read_text(encoding="utf-8")


class Row(NamedTuple):
    """A row about attributes or elements: the element that they stand in, their names, default and meaning."""

    owner: str
    names: tuple[str, ...]
    default: str | None  # None: the table has no such column
    meaning: str


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def rows() -> Iterator[Row]:
    """Yield the rows of all tables whose header names the elements that they are about."""
    for table in re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE):
        header, _, *lines = [_cells(line) for line in table.splitlines()]
        owners = re.findall(r"`(\w+)`", header[0]) if re.match("(element of|attribute of|in) `", header[0]) else []
        if header[:2] == ["element", "contents"]:
            owners = ["pop3download"]
        column = header.index("default") if "default" in header else None
        last = 1 if owners == ["pop3download"] and header[0] == "element" else len(header) - 1
        for line in lines:
            for owner in owners:
                names = tuple(re.findall("`([a-z_0-9]+)`", line[0]))
                yield Row(owner, names, None if column is None else line[column], line[last])
