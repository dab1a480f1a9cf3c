"""getmail's files of seen messages (versions 5, 6): oldmail-SERVER-PORT-USER for each account, lines `UID NUL TIME`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from tui_popretr.migration.seen_file import SeenAccount, SeenAccountName, SeenFile, home_of, lines_of, uid_of

USUAL: Final = "the files oldmail-... in ~/.config/getmail and ~/.getmail"
_PREFIX: Final = "oldmail-"
_PORT = re.compile("-([0-9]{1,5})-")
_POP3_PORTS = ("110", "995")
# A configuration may quote server and user, or the name may have been copied from the output of `ls`.
_QUOTES: Final = "'\""
# getmail replaces these by one hyphen in file names.
_REPLACED = re.compile(r"[/\\:;<>|]+")


def places(environ: Mapping[str, str]) -> list[str]:
    """Return the files of all accounts in the default folders."""
    home = home_of(environ)
    settings = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    folders = [os.path.join(settings, "getmail"), os.path.join(home, ".getmail")]
    return [
        os.path.join(folder, name)
        for folder in folders
        if os.path.isdir(folder)
        for name in sorted(os.listdir(folder))
        if name.lstrip(_QUOTES).startswith(_PREFIX)
    ]


def spelled(account: SeenAccountName) -> SeenAccountName:
    """Return the account as getmail writes it in a file name."""
    return SeenAccountName(_REPLACED.sub("-", account.user), _REPLACED.sub("-", account.host))


def read(path: str, data: bytes) -> SeenFile:
    """Parse the file. Its UIDs belong to every account that its name may mean."""
    account = SeenAccount(accounts_of(os.path.basename(path)))
    seen = SeenFile(path, [account])
    for number, line in lines_of(data):
        raw, nul, time = line.strip().partition(b"\0")
        uid = uid_of(raw)
        if uid is None or not nul or not time.removeprefix(b"-").isdigit():
            seen.skip(number, line)
        else:
            account.uids.append(uid)
    return seen


def accounts_of(name: str) -> tuple[SeenAccountName, ...]:
    """Return the accounts that a file name may mean: several if host or user contain hyphens."""
    name = name.strip(_QUOTES)
    rest = name.removeprefix(_PREFIX)
    if rest == name:
        return ()
    found: list[tuple[bool, SeenAccountName]] = []
    start = 0
    while match := _PORT.search(rest, start):
        host, user = rest[: match.start()].strip(_QUOTES), rest[match.end() :].strip(_QUOTES)
        if host and user:
            found.append((match[1] not in _POP3_PORTS, SeenAccountName(user, host)))
        start = match.start() + 1
    return tuple(account for _, account in sorted(found, key=lambda pair: pair[0]))
