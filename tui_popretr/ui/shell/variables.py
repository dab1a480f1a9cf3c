"""Environment variables for developers of Textual, which have no effect here (checked with Textual 8.2.8, Rich 15.0.0).

Users of another Textual program may have set some of them, and some values end the program with a traceback
(TEXTUAL_COLOR_SYSTEM), press keys (TEXTUAL_PRESS) or write files (TEXTUAL_LOG).
textual.constants reads most of them when it is imported, so they are removed before that: when this package is
imported, in the main thread, before there is another one. Commands that the program starts do not get them either.

Variables that describe the terminal or the user's preferences stay: NO_COLOR, TERM, COLORTERM, TERM_PROGRAM,
LC_TERMINAL, ESCDELAY, UNICODE_VERSION. COLUMNS and LINES stay for a terminal that does not know its size
(tui_popretr.process.terminal_size).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

#: If it is 1, no variable is removed.
SWITCH: Final = "TUI_POPRETR_TEXTUAL"


def hide(environ: MutableMapping[str, str]) -> None:
    """Remove the variables for developers of Textual, unless SWITCH is 1."""
    if environ.get(SWITCH) == "1":
        return
    for name in [name for name in environ if name == "TEXTUAL" or name.startswith("TEXTUAL_")]:
        del environ[name]
