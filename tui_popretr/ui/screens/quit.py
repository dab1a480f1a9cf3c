"""The question before quitting while sessions run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui_popretr.ui.screens.confirm import ConfirmScreen

#: The number of sessions that are named; the others are counted.
_NAMED = 5


class QuitScreen(ConfirmScreen):
    """Asks whether to quit."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "dismiss(True)", "Yes, quit", show=False)]

    def __init__(self, running: Sequence[str]) -> None:
        many = len(running) > 1
        names = ", ".join(running[:_NAMED])
        more = f" and {len(running) - _NAMED} more" if len(running) > _NAMED else ""
        super().__init__(
            f"{len(running)} sessions run" if many else "A session runs",
            f": {names}{more}.\n{'They end' if many else 'It ends'} with QUIT, within 10 seconds.",
            "Quit?",
        )
