"""The sections of the help: where which keys are bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.binding import BindingType

from tui_popretr.ui.model import filtering
from tui_popretr.ui.screens.columns import ColumnsScreen
from tui_popretr.ui.screens.confirm import ConfirmScreen
from tui_popretr.ui.screens.details import ClientDetails
from tui_popretr.ui.screens.exchange import ExchangeScreen
from tui_popretr.ui.screens.help import Section
from tui_popretr.ui.screens.message import MessageScreen
from tui_popretr.ui.widgets.body import TABS, tab_class
from tui_popretr.ui.widgets.clients import ClientList
from tui_popretr.ui.widgets.exchanges import ExchangesTable
from tui_popretr.ui.widgets.filterbar import FilterInput
from tui_popretr.ui.widgets.transcript import TranscriptPane
from tui_popretr.ui.widgets.transcript_tab import TranscriptTab

_TRANSCRIPT: Sequence[Section] = (
    ("Transcript, both forms", TranscriptTab.BINDINGS),
    ("Transcript", TranscriptPane.BINDINGS),
    ("Exchanges", ExchangesTable.BINDINGS),
)
_DIALOGS: Sequence[Section] = (
    ("Command and reply", ExchangeScreen.BINDINGS),
    ("Columns", ColumnsScreen.BINDINGS),
)


def dashboard_sections(everywhere: Iterable[BindingType]) -> Sequence[Section]:
    """Return the sections for the dashboard; `everywhere` are the keys that every part of it has."""
    tabs = ((TABS[number], tab_class(number).__dict__.get("BINDINGS", ())) for number in range(1, len(TABS)))
    return (
        ("Everywhere", everywhere),
        ("Client list", ClientList.BINDINGS),
        (f"Filter: {filtering.RULE}", FilterInput.BINDINGS),
        *_TRANSCRIPT,
        *tabs,
        ("Client details", ClientDetails.BINDINGS),
        ("Message", MessageScreen.BINDINGS),
        *_DIALOGS,
        ("Questions", ConfirmScreen.BINDINGS),
    )


def viewer_sections(everywhere: Iterable[BindingType]) -> Sequence[Section]:
    """Return the sections for the viewer of a transcript file."""
    return (("Everywhere", everywhere), *_TRANSCRIPT, *_DIALOGS)
