"""A client's details: its settings without secrets, its TLS, its abilities, its past, and its last error."""

from __future__ import annotations

from collections.abc import Set
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_popretr.ui.view import View


class ClientDetails(ModalScreen[None]):
    """Placeholder."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Back")]

    def __init__(self, view: View, client_id: str) -> None:
        super().__init__()
        self.view = view
        self.client_id = client_id

    def compose(self) -> ComposeResult:
        yield Static(self.client_id)

    def refresh_view(self, view: View, changed: Set[str]) -> None:
        """Draw what is new while the screen is open; at 10 Hz when something changed, and once a second with nothing."""
