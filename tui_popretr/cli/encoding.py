"""The file system's encoding: UTF-8, whatever the locale says.

The configuration is Unicode, and names on disk are octets. In a locale of Latin-1 or EUC-JP Python could not name a
Maildir with other characters; and the same configuration would mean other folders than under cron, where the locale is
C and Python takes UTF-8. Only a new start of the interpreter can change it.
"""

from __future__ import annotations

import locale
import os
import sys

_STREAMS = "PYTHONIOENCODING"
#: An option of ours for the interpreter (-X): the environment variable was not the user's.
_MARK = "tui_popretr_streams"


def use_utf8() -> None:
    """Start the interpreter again where it does not use UTF-8; what is shown keeps the locale's encoding.

    Names from the command line and the environment that are not UTF-8 keep their octets. Raises OSError where that
    cannot be done.
    """
    if sys._xoptions.pop(_MARK, None):
        os.environ.pop(_STREAMS, None)
    if sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    environ, options = dict(os.environ), ["-X", "utf8"]
    if _STREAMS not in environ:
        environ[_STREAMS] = locale.getencoding()
        options += ["-X", _MARK]
    os.execve(sys.executable, [sys.executable, *options, *sys.orig_argv[1:]], environ)  # noqa: S606 - no shell is wanted
