"""The logins of a client: which it has, which are wanted, and which have a token already."""

from __future__ import annotations

from typing import Final

from tui_popretr.config.model import ClientSettings
from tui_popretr.config.oauth import OAuth, Use
from tui_popretr.errors import UsageError
from tui_popretr.text import visible

_ADVICE: Final = "docs/oauth.md explains how to configure it"


def logins_of(client: ClientSettings, use: Use | None) -> tuple[OAuth, ...]:
    """Return the logins of a client, or the one that is wanted; each token once. Raises UsageError if there is none."""
    name = f"the client '{visible(client.id, 60)}'"
    if not client.oauths:
        raise UsageError(f"{name} has no <oauth>", advice=_ADVICE)
    wanted = [each for each in client.oauths if use in (None, each.use)]
    if not wanted:
        assert use is not None
        uses = ", ".join(each.use.value for each in client.oauths)
        raise UsageError(f"{name} has no <oauth> in <{use.value}>", advice=f"it has one in: {uses}")
    return tuple({each.key: each for each in reversed(wanted)}.values())[::-1]


def same_account(one: str, other: str) -> bool:
    """Whether two texts name one account. A domain's case never counts, and that of the rest at no known provider."""
    return one.casefold() == other.casefold()


def tunnel(environ_connection: str, user: str, port: int) -> str:
    """Return the command that makes a port of this machine one of the machine at the other end of an SSH connection.

    `environ_connection` is SSH_CONNECTION: addresses and ports of the client, then of the server.
    """
    words = environ_connection.split()
    if len(words) != 4:
        return ""
    return f"ssh -L {port}:127.0.0.1:{port} {user}@{words[2]}"
