"""The file system's encoding: UTF-8 in every locale.

The configuration is Unicode, and file names are octets. With a Latin-1 or EUC-JP locale, Python cannot name a Maildir
with other characters. Under cron the locale is C and Python uses UTF-8, so the same configuration would name other
folders. Only a new start of the interpreter changes the encoding.
"""

from __future__ import annotations

import contextlib
import locale
import os
import sys

_STREAMS = "PYTHONIOENCODING"
#: An -X option of this program that marks the second start. "streams": _STREAMS was set by the first start.
_MARK = "tui_popretr_start"


def use_utf8() -> None:
    """Start the interpreter again if it does not use UTF-8; output keeps the locale's encoding.

    Names from the command line and the environment that are not UTF-8 keep their octets. If that is not possible, or
    does not help, nothing changes.
    """
    mark = sys._xoptions.get(_MARK)
    if mark == "streams":
        os.environ.pop(_STREAMS, None)
    if sys.getfilesystemencoding() == "utf-8" or mark is not None or not sys.executable:
        return
    environ, mark = dict(os.environ), "plain"
    if _STREAMS not in environ:
        environ[_STREAMS] = locale.getencoding()
        mark = "streams"
    command = [sys.executable, "-X", "utf8", "-X", f"{_MARK}={mark}", *sys.orig_argv[1:]]
    with contextlib.suppress(OSError):
        os.execve(sys.executable, command, environ)  # noqa: S606 - no shell is involved
