"""The window of PIPELINING (RFC 2920): how many commands may be sent before their replies are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from tui_popretr.smtp.commands import Command

#: Octets of several commands that are sent before their replies are read. They fit into any TCP window, so that client
#: and server never wait for each other to read (RFC 2920 §3.1).
WINDOW: Final = 4096


def groups(commands: Iterable[Command], *, pipelining: bool) -> Iterator[list[Command]]:
    """Yield the commands that may be sent together. DATA may only be the last one (RFC 2920 §3.1).

    The first group of a message may be sent together with the end of the message before it.
    """
    group: list[Command] = []
    room = 0
    for command in commands:
        size = len(command.wire())
        if group and (not pipelining or size > room):
            yield group
            group = []
        if not group:
            room = WINDOW
        group.append(command)
        room -= size
    if group:
        yield group
