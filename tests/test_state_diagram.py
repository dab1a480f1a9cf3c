"""The state diagrams in docs/architecture.md are those that the tables give."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.state_diagram import PROTOCOLS, diagram

ARCHITECTURE = Path(__file__).parents[1] / "docs" / "architecture.md"
END = "<!-- end of the state diagram -->\n"

_each = pytest.mark.parametrize("name", PROTOCOLS)


@_each
def test_the_document_has_the_diagram_of_the_tables(name: str) -> None:
    begin = f"<!-- state diagram: python -m scripts.state_diagram {name} -->\n"
    shown = ARCHITECTURE.read_text().partition(begin)[2].partition(END)[0]
    assert shown.strip() == f"```mermaid\n{diagram(name)}\n```"


@_each
def test_every_state_but_broken_is_in_the_diagram(name: str) -> None:
    assert {state.name for state in PROTOCOLS[name].states if state.name not in diagram(name)} == {"BROKEN"}
