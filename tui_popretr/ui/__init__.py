"""The dashboard, in Textual. It runs in the main thread; the engine runs in a thread of its own."""

import os

from tui_popretr.ui.shell.variables import hide

hide(os.environ)  # before any module of this package imports Textual
