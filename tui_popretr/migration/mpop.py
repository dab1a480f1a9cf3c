"""mpop's files of seen messages: lists of UIDs after a line ` COUNT HOST USER`; since 1.4.23 a time after each UID."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from tui_popretr.migration.seen_file import SeenAccount, SeenAccountName, SeenFile, home_of, lines_of, name_of, uid_of

USUAL: Final = "the files in ~/.mpop_uidls"
_HEAD = re.compile(rb" ([0-9]{1,9}) ([^ ]+) ([^ ]+)")
_ENTRY = re.compile(rb"([^ ]+)(?: -?[0-9]+)?")


def places(environ: Mapping[str, str]) -> list[str]:
    """Return the files of all accounts in the default folder."""
    folder = os.path.join(home_of(environ), ".mpop_uidls")
    if not os.path.isdir(folder):
        return [folder]  # some users have one file for all accounts
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def read(path: str, data: bytes) -> SeenFile:
    """Parse the file. If the count in a head is wrong, the head is a bad line, and the list is used."""
    seen = SeenFile(path)
    current: SeenAccount | None = None
    announced = (0, b"", 0)  # of the head: line number, text, count

    def close() -> None:
        if current is not None and len(current.uids) != announced[2]:
            seen.skip(announced[0], announced[1])

    beginning = True
    for number, line in lines_of(data):
        if beginning and line.startswith(b"#"):
            continue  # further down it is a UID
        beginning = False
        if line.startswith(b" "):
            close()
            head = _HEAD.fullmatch(line)
            if head is None:
                current = None
                seen.skip(number, line)
                continue
            current = SeenAccount((SeenAccountName(name_of(head[3]), name_of(head[2])),))
            announced = (number, line, int(head[1]))
            seen.accounts.append(current)
            continue
        entry = _ENTRY.fullmatch(line)
        uid = uid_of(entry[1]) if entry else None
        if uid is None or current is None:
            seen.skip(number, line)
        else:
            current.uids.append(uid)
    close()
    return seen
