"""What a process remembers of a Gmail account, for all its sessions.

- *pause*: until when no request is sent, because the server asked for that, or broke off a request. It would refuse the
  requests of each session, and count them.
- *imported*: the ids of the last imports by Message-ID, to distinguish a message in doubt from an equal earlier one.
- *cuts*: when imports in doubt were broken off.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import trio

#: Seconds of the first pause if the server does not say how long, and of the longest. Each is twice the one before.
FIRST_PAUSE: Final = 60.0
LONGEST_PAUSE: Final = 3600.0
#: Message-IDs that are remembered, and ids for each.
_MESSAGE_IDS: Final = 10_000
_EQUAL: Final = 20


class AccountMemory:
    """The memory of one account."""

    def __init__(self) -> None:
        #: by mark, epoch seconds
        self.cuts: dict[str, float] = {}
        self._imported: OrderedDict[str, list[str]] = OrderedDict()
        self._paused_until = 0.0  # trio's clock
        self._pause = 0.0

    # --- pauses -------------------------------------------------------------------------------------------------------

    @property
    def pause(self) -> float:
        """The seconds until the account may be asked again, 0 if it may now."""
        return max(0.0, self._paused_until - trio.current_time()) if self._pause else 0.0

    def begin_pause(self, wait: float | None) -> float:
        """Begin a pause of `wait` seconds, None: twice as long as the one before. Return the seconds."""
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
        seconds = self._pause if wait is None else wait
        self._paused_until = trio.current_time() + seconds
        return seconds

    def end_pause(self) -> None:
        """The server works again."""
        self._pause = 0.0

    # --- messages -----------------------------------------------------------------------------------------------------

    def add(self, message_id: str, identifier: str) -> None:
        """A message was imported."""
        ids = self._imported.setdefault(message_id, [])
        ids.append(identifier)
        del ids[:-_EQUAL]
        self._imported.move_to_end(message_id)
        if len(self._imported) > _MESSAGE_IDS:
            self._imported.popitem(last=False)

    def imported(self, message_id: str) -> tuple[str, ...]:
        """The ids of the last messages with a Message-ID that were imported."""
        return tuple(self._imported.get(message_id, ()))


_MEMORIES: Final[trio.lowlevel.RunVar[dict[str, AccountMemory]]] = trio.lowlevel.RunVar("memories of Gmail accounts")


def memory_of(account: str) -> AccountMemory:
    """Return the memory of an account, which is that of the running event loop."""
    try:
        memories = _MEMORIES.get()
    except LookupError:
        memories = {}
        _MEMORIES.set(memories)
    return memories.setdefault(account, AccountMemory())
