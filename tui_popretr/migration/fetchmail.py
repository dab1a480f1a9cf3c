"""fetchmail's file of seen messages: one line `USER@HOST UID` per message (fetchmail(1), --idfile)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from tui_popretr.migration.seen_file import SeenAccount, SeenAccountName, SeenFile, home_of, lines_of, name_of, uid_of

USUAL: Final = "~/.fetchids"
# Debian's system-wide service
_OF_THE_SYSTEM: Final = "/var/lib/fetchmail/.fetchmail-UIDL-cache"

# The user may hold blanks before its first @, as fetchmail allows, and further @s.
_LINE = re.compile(rb"([^@]+@[^ \t]+)[ \t]+([^ \t]+)")


def places(environ: Mapping[str, str]) -> list[str]:
    """Return the default paths."""
    home = environ.get("FETCHMAILHOME") or environ.get("HOME_ETC") or home_of(environ)
    return [os.path.join(home, ".fetchids"), _OF_THE_SYSTEM]


def read(path: str, data: bytes) -> SeenFile:
    """Parse the file."""
    seen = SeenFile(path)
    accounts: dict[SeenAccountName, SeenAccount] = {}
    for number, line in lines_of(data):
        match = _LINE.fullmatch(line.strip())
        user, _, host = match[1].rpartition(b"@") if match else (b"", b"", b"")
        uid = uid_of(match[2]) if match else None
        if not user or not host or uid is None:
            seen.skip(number, line)
            continue
        account = SeenAccountName(name_of(user), name_of(host))
        if account not in accounts:
            accounts[account] = SeenAccount((account,))
            seen.accounts.append(accounts[account])
        accounts[account].uids.append(uid)
    return seen
