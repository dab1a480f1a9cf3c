"""The document and the code name the same steps."""

from __future__ import annotations

import re
from pathlib import Path

from tui_popretr.faultpoints import Step

DOCUMENT = Path(__file__).parents[2] / "docs" / "durability.md"


def test_each_step_is_in_a_table_and_nothing_else_is() -> None:
    rows = re.findall(r"^\|.*\|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    named = [label for row in rows for label in re.findall(r"`([A-Z_]+)`", row)]
    assert sorted(named) == sorted(step.name for step in Step)
