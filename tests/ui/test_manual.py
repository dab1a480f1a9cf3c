"""docs/dashboard.md, help and palette have all keys that are bound; the manual has no others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Final

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

from tests.support.dashboard import Played, clients, play
from tui_popretr.status import ClientState
from tui_popretr.ui import screens, widgets
from tui_popretr.ui.screens.columns import ColumnsScreen
from tui_popretr.ui.screens.confirm import ConfirmScreen
from tui_popretr.ui.screens.details import ClientDetails
from tui_popretr.ui.screens.exchange import ExchangeScreen
from tui_popretr.ui.screens.help import HelpScreen
from tui_popretr.ui.screens.message import MessageScreen
from tui_popretr.ui.screens.preview import PreviewScreen
from tui_popretr.ui.screens.problems import ProblemsScreen
from tui_popretr.ui.screens.quit import QuitScreen
from tui_popretr.ui.screens.sheet import TextDialog
from tui_popretr.ui.shell.app import Dashboard
from tui_popretr.ui.shell.keys import dashboard_sections
from tui_popretr.ui.shell.palette import DashboardCommands
from tui_popretr.ui.widgets.clients import ClientList
from tui_popretr.ui.widgets.exchanges import ExchangesTable
from tui_popretr.ui.widgets.filterbar import FilterInput
from tui_popretr.ui.widgets.filtered import FilteredTable
from tui_popretr.ui.widgets.history import HistoryTab
from tui_popretr.ui.widgets.inputline import LineInput
from tui_popretr.ui.widgets.log import LogTab
from tui_popretr.ui.widgets.messages import MessagesTab
from tui_popretr.ui.widgets.statistics import StatisticsTab
from tui_popretr.ui.widgets.tables import Table
from tui_popretr.ui.widgets.transcript import TranscriptPane
from tui_popretr.ui.widgets.transcript_tab import TranscriptTab
from tui_popretr.ui.widgets.waiting import ServerTab

MANUAL: Final = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text("utf-8")
SECTIONS: Final[dict[str, tuple[type[DOMNode], ...]]] = {
    "Everywhere": (Dashboard,),
    "Client list": (ClientList,),
    "Filter": (FilterInput,),
    "Transcript": (TranscriptTab, TranscriptPane),
    "Exchanges": (ExchangesTable,),
    "Messages": (MessagesTab,),
    "Log": (LogTab,),
    "History": (HistoryTab,),
    "On server": (ServerTab,),
    "Statistics": (StatisticsTab,),
    "Client details": (ClientDetails,),
    "Message": (MessageScreen,),
    "Command and reply": (ExchangeScreen,),
    "Columns": (ColumnsScreen,),
    "Questions": (ConfirmScreen,),
}
#: Actions for which a palette is no help.
MOVING: Final = {"next_pane", "turn_tab(-1)", "turn_tab(1)", "step_back", "command_palette"}
#: Classes whose keys are those of others, or on the screen while they are shown.
OTHERS: Final = {Table, FilteredTable, TextDialog, LineInput, PreviewScreen, HelpScreen, ProblemsScreen, QuitScreen}
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


def bindings(*owners: type[DOMNode]) -> Iterator[Binding]:
    """Return the bindings that classes have of their own."""
    for owner in owners:
        yield from Binding.make_bindings(vars(owner)["BINDINGS"])


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
    bound = {spelt(binding.key) for binding in bindings(*SECTIONS[section])}
    assert sorted(in_manual) == sorted(bound)


def test_every_class_with_keys_has_a_section() -> None:
    for package in (screens, widgets):
        for module in iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    found, waiting = set(), [DOMNode]
    while waiting:
        waiting += (owner := waiting.pop()).__subclasses__()
        if owner.__module__.startswith((f"{screens.__name__}.", f"{widgets.__name__}.")) and "BINDINGS" in vars(owner):
            found.add(owner)
    assert found == {owner for owners in SECTIONS.values() for owner in owners} - {Dashboard} | OTHERS


def test_the_help_has_every_key() -> None:
    shown = [each for _, listed in dashboard_sections(Dashboard.BINDINGS) for each in Binding.make_bindings(listed)]
    missing = [each for owners in SECTIONS.values() for each in bindings(*owners) if each not in shown]
    assert missing == []


def test_the_palette_has_every_action_of_the_dashboard() -> None:
    bound = {binding.action for binding in bindings(Dashboard)}

    async def scene(shown: Played) -> None:
        offered = {action for _, action, _ in DashboardCommands(shown.app.screen)._actions()}
        assert {"detach"} | MOVING == bound - offered

    play(scene, clients("isp"))


def test_the_manual_has_every_state() -> None:
    for state in ClientState:
        assert f"`{state.glyph}` {state.word}" in MANUAL
