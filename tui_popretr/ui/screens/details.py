"""The details sheet of a client, live."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui_popretr.status import View
from tui_popretr.ui.model.client_details import details
from tui_popretr.ui.model.parts import Part
from tui_popretr.ui.screens.sheet import TextDialog


class ClientDetails(TextDialog):
    """Shows a client live. It closes when the client is no longer configured."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # The dashboard's actions are for the selected client, which is the one shown.
        Binding("r", "app.run_now", "Run now"),
        Binding("p", "app.pause", "Pause/resume"),
        Binding("x", "app.stop_session", "Stop session"),
        *TextDialog.BINDINGS,
    ]
    KEYS: ClassVar[str] = "r run · p pause · x stop · esc back"

    def __init__(self, view: View, client_id: str) -> None:
        super().__init__(client_id)
        self.view = view
        self.client_id = client_id

    def refresh_view(self, view: View) -> None:
        """Draw the changes: at most ten times a second, at least once a second."""
        self.view = view
        if self.client_id in view.clients:
            self.redraw()
        else:
            self.dismiss()

    def parts(self) -> Iterator[Part]:
        client = self.view.clients.get(self.client_id)
        if client is not None:
            yield from details(client, self.view.now, self.view.wall)
