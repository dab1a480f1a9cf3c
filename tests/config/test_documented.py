"""docs/configuration.md has a row for each declared attribute and element, with its default, and no other rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tui_popretr.config.grammar import ROOTS, Shape
from tui_popretr.config.setting import Setting

TEXT = (Path(__file__).parents[2] / "docs/configuration.md").read_text()

#: Explained in the text instead of a table.
IN_TEXT = {"password": {"env", "file", "command"}, "authtypes": {"initrsp"}, "clients": {"client"}}
#: These may stand in many elements; the text explains them once.
EVERYWHERE = {"enabled", "xml:space"}


class Row(NamedTuple):
    """A row about attributes or elements: the element that they stand in, their names and their default."""

    owner: str
    names: tuple[str, ...]
    default: str | None  # None: the table has no such column


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _rows() -> Iterator[Row]:
    """Yield the rows of all tables whose header names the elements that they are about."""
    for table in re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE):
        header, _, *lines = [_cells(line) for line in table.splitlines()]
        owners = re.findall(r"`(\w+)`", header[0]) if re.match("(element of|attribute of|in) `", header[0]) else []
        if header[:2] == ["element", "contents"]:
            owners = ["pop3download"]
        column = header.index("default") if "default" in header else None
        for line in lines:
            for owner in owners:
                names = tuple(re.findall("`([a-z_0-9]+)`", line[0]))
                yield Row(owner, names, None if column is None else line[column])


def shapes(name: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    """Yield the elements that have attributes or elements, with their names."""
    if shape.attributes or shape.elements:
        yield name, shape
    for inner, each in shape.elements.items():
        yield from shapes(inner, each)


ROWS = list(_rows())
DECLARED = dict(shapes("pop3download", ROOTS["pop3download"]))
DEFAULTS = [
    pytest.param(row.default, setting, id=f"{owner}-{setting.name}")
    for owner, shape in DECLARED.items()
    for setting in shape.settings
    for row in ROWS
    if row.owner == owner and setting.name in row.names and row.default is not None
]


@pytest.mark.parametrize("owner", DECLARED)
def test_each_name_has_a_row_and_each_row_is_declared(owner: str) -> None:
    shape = DECLARED[owner]
    documented = {name for row in ROWS if row.owner == owner for name in row.names}
    assert documented - EVERYWHERE == {*shape.attributes, *shape.elements} - EVERYWHERE - IN_TEXT.get(owner, set())


@pytest.mark.parametrize("name", sorted(EVERYWHERE.union(*IN_TEXT.values())))
def test_the_other_names_are_in_the_text(name: str) -> None:
    assert re.search(rf'\b{name}="|<{name} ', TEXT)


@pytest.mark.parametrize(("cell", "setting"), DEFAULTS)
def test_the_default_of_a_row_is_that_of_the_declaration(cell: str, setting: Setting) -> None:
    if setting.required:
        assert cell == "must be given"
    elif setting.default:
        assert cell == f"`{setting.default}`"
    else:
        assert cell
        assert not re.fullmatch("`[^`]*`", cell)


def test_many_defaults_are_compared() -> None:
    assert len(DEFAULTS) > 50
