"""The state diagram in docs/architecture.md is the one that the tables give."""

from __future__ import annotations

from pathlib import Path

from scripts.state_diagram import diagram
from tui_popretr.pop3 import State

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"
BEGIN = "<!-- state diagram: python -m scripts.state_diagram -->\n"
END = "<!-- end of the state diagram -->\n"


def test_the_document_has_the_diagram_of_the_tables() -> None:
    shown = ARCHITECTURE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert shown.strip() == f"```mermaid\n{diagram()}\n```"


def test_every_state_but_broken_is_in_the_diagram() -> None:
    assert {state for state in State if state.name not in diagram()} == {State.BROKEN}
