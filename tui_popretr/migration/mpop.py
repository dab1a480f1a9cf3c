"""mpop's memory: lists of UIDs, each headed by ` COUNT HOST USER`; since 1.4.23 with a time behind each UID."""

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
    """Return the files of all accounts in the folder that mpop uses unless told otherwise."""
    folder = os.path.join(home_of(environ), ".mpop_uidls")
    if not os.path.isdir(folder):
        return [folder]  # one file for all accounts, as some have set it up
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def read(path: str, data: bytes) -> SeenFile:
    """Return what the file says. A list that is shorter or longer than its head says is told of, and used."""
    memory = SeenFile(path)
    current: SeenAccount | None = None
    announced = (0, b"", 0)  # number and text of the head's line, and its count

    def close() -> None:
        if current is not None and len(current.uids) != announced[2]:
            memory.pass_over(announced[0], announced[1])

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
                memory.pass_over(number, line)
                continue
            current = SeenAccount((SeenAccountName(name_of(head[3]), name_of(head[2])),))
            announced = (number, line, int(head[1]))
            memory.recollections.append(current)
            continue
        entry = _ENTRY.fullmatch(line)
        uid = uid_of(entry[1]) if entry else None
        if uid is None or current is None:
            memory.pass_over(number, line)
        else:
            current.uids.append(uid)
    close()
    return memory
