"""Environment variables for developers of Textual, which do nothing here (checked with Textual 8.2.8 and Rich 15.0.0).

Users of another Textual program may have some of them set, and a value that this program's screens were never tried
with ends it with a traceback (TEXTUAL_COLOR_SYSTEM), presses keys (TEXTUAL_PRESS) or writes files (TEXTUAL_LOG).
textual.constants reads most of them when it is imported, so they are removed before that: when this package is
imported, in the main thread, before there is another one. Commands that the program starts do not get them either.

What describes the terminal or the user's wish stays: NO_COLOR, TERM, COLORTERM, TERM_PROGRAM, LC_TERMINAL, ESCDELAY,
UNICODE_VERSION. COLUMNS and LINES stay for a terminal that does not know its size (tui_popretr.termsize).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

#: Set to 1 it leaves all variables to Textual.
SWITCH: Final = "TUI_POPRETR_TEXTUAL"


def hide(environ: MutableMapping[str, str]) -> None:
    """Remove what is meant for developers of Textual, unless the switch is on."""
    if environ.get(SWITCH) == "1":
        return
    for name in [name for name in environ if name == "TEXTUAL" or name.startswith("TEXTUAL_")]:
        del environ[name]
