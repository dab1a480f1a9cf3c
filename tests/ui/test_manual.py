"""docs/dashboard.md names all keys that are bound, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest
from textual.binding import Binding, BindingType

from tui_popretr.status import ClientState
from tui_popretr.ui.screens.details import ClientDetails
from tui_popretr.ui.screens.message import MessageScreen
from tui_popretr.ui.shell.app import Dashboard
from tui_popretr.ui.widgets.clients import ClientList
from tui_popretr.ui.widgets.exchanges import ExchangesTable
from tui_popretr.ui.widgets.history import HistoryTab
from tui_popretr.ui.widgets.log import LogTab
from tui_popretr.ui.widgets.messages import MessagesTab
from tui_popretr.ui.widgets.statistics import StatisticsTab
from tui_popretr.ui.widgets.transcript import TranscriptPane
from tui_popretr.ui.widgets.transcript_tab import TranscriptTab
from tui_popretr.ui.widgets.waiting import ServerTab

MANUAL: Final = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text("utf-8")
SECTIONS: Final[dict[str, Iterable[BindingType]]] = {
    "Everywhere": Dashboard.BINDINGS,
    "Client list": ClientList.BINDINGS,
    "Transcript": [*TranscriptTab.BINDINGS, *TranscriptPane.BINDINGS],
    "Exchanges": ExchangesTable.BINDINGS,
    "Messages": MessagesTab.BINDINGS,
    "Log": LogTab.BINDINGS,
    "History": HistoryTab.BINDINGS,
    "On server": ServerTab.BINDINGS,
    "Statistics": StatisticsTab.BINDINGS,
    "Client details": ClientDetails.BINDINGS,
    "Message": MessageScreen.BINDINGS,
}
SPELT: Final = {
    "question_mark": "?",
    "slash": "/",
    "escape": "Esc",
    "ampersand": "&",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "shift+tab": "Shift+Tab",
    **{key: key.title() for key in ("enter", "tab", "space", "up", "down", "left", "right", "home", "end")},
}


def spelt(key: str) -> str:
    """Return a key as the manual writes it."""
    if key.startswith("ctrl+"):
        return f"Ctrl+{key[5:].upper()}"
    return SPELT.get(key, key)


@pytest.mark.parametrize("section", SECTIONS)
def test_the_manual_has_every_key_and_no_other(section: str) -> None:
    text = re.search(rf"^### {section}$(.*?)(?=^#|\Z)", MANUAL, re.MULTILINE | re.DOTALL)
    assert text is not None
    in_manual = [
        key for row in re.findall(r"^\|(.*?)\|.*\|$", text[1], re.MULTILINE) for key in re.findall("`(.+?)`", row)
    ]
    bound = {spelt(binding.key) for binding in Binding.make_bindings(SECTIONS[section])}
    assert sorted(in_manual) == sorted(bound)


def test_the_manual_has_every_state() -> None:
    for state in ClientState:
        assert f"`{state.glyph}` {state.word}" in MANUAL
