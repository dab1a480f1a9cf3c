"""Names of files: unique across clocks, processes and journals, and recognisable as ours.

The tag in a name: J and the journal's id, P and this process's token, Q and the record's id. Nothing in a name comes
from a server.
"""

from __future__ import annotations

import os
import re
import socket
from datetime import datetime
from functools import cache
from typing import Final

#: Random, for each process. A file with another token was left by an earlier process.
PROCESS_TOKEN: Final = os.urandom(4).hex()

_TAG = re.compile(r"J(?P<journal>[0-9a-f]{8})P(?P<process>[0-9a-f]{8})Q[0-9]+")
_OUTSIDE_NAMES = re.compile(r"[^A-Za-z0-9._-]")


def tag(journal_id: str, record_id: int) -> str:
    """Return the part of a name that makes it unique and ours."""
    return f"J{journal_id}P{PROCESS_TOKEN}Q{record_id}"


def is_left_behind(tag_text: str, journal_id: str) -> bool:
    """Whether an earlier process made the file with this tag for this journal."""
    match = _TAG.fullmatch(tag_text)
    return match is not None and match["journal"] == journal_id and match["process"] != PROCESS_TOKEN


def maildir_name(journal_id: str, record_id: int, when: datetime) -> str:
    """Return a name for tmp and new: `SECONDS.TAG.HOST`, as Maildir asks (https://cr.yp.to/proto/maildir.html)."""
    return f"{int(when.timestamp())}.{tag(journal_id, record_id)}.{_host()}"


def folder_name(client: str, record_id: int, when: datetime) -> str:
    """Return a name for a folder: `YYYYmmdd-HHMMSS-CLIENTID-N.eml`, in the time zone of `when`."""
    safe = _OUTSIDE_NAMES.sub("_", client)[:100]
    return f"{when:%Y%m%d-%H%M%S}-{safe}-{record_id}.eml"


def part_name(name: str, journal_id: str, record_id: int) -> str:
    """Return the unfinished file's name in a folder: `.NAME.TAG.part`, which `*.eml` does not match."""
    return f".{name}.{tag(journal_id, record_id)}.part"


def maildir_tag(name: str) -> str:
    """Return the tag in a Maildir name, "" if it is not ours."""
    parts = name.split(".", 2)
    return parts[1] if len(parts) == 3 else ""


def part_tag(name: str) -> str:
    """Return the tag in an unfinished file's name, "" if it is not ours."""
    if not (name.startswith(".") and name.endswith(".part")):
        return ""
    return name.removesuffix(".part").rpartition(".")[2]


@cache
def _host() -> str:
    return _OUTSIDE_NAMES.sub("_", socket.gethostname())[:64] or "localhost"
