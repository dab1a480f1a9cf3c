"""docs/configuration.md has a row for each declared attribute and element, with its default, and no other rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from scripts.configuration_tables import TEXT, rows
from tui_popretr.config.grammar import ROOTS, Shape
from tui_popretr.config.setting import Setting

SOURCES = {"env", "file", "command"}
#: Explained in the text instead of a table.
IN_TEXT = {
    "password": SOURCES,
    "clientsecret": SOURCES,
    "authtypes": {"initrsp"},
    "clients": {"client"},
    "hooks": {"hook"},
}
#: These may stand in many elements; the text explains them once.
EVERYWHERE = {"enabled", "xml:space"}


def shapes(name: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    """Yield the elements that have attributes or elements, with their names."""
    if shape.attributes or shape.elements:
        yield name, shape
    for inner, each in shape.elements.items():
        yield from shapes(inner, each)


ROWS = list(rows())
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
