"""A look-up of a host that can be abandoned: getaddrinfo() cannot be interrupted when a resolver is dead."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Sequence
from typing import Any

#: From socket.getaddrinfo().
Address = tuple[Any, ...]


class Lookup:
    """One look-up, in a thread of its own. The thread goes on after a timeout."""

    def __init__(self) -> None:
        self._answers: queue.SimpleQueue[Sequence[Address] | Exception] = queue.SimpleQueue()

    def addresses(self, host: str, port: int, timeout: float) -> Sequence[Address]:
        """Return the addresses, none after give_up(). Raises TimeoutError, OSError, UnicodeError (impossible name)."""

        def look_up() -> None:
            try:
                self._answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                self._answers.put(error)

        threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
        try:
            answer = self._answers.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def give_up(self) -> None:
        """Make addresses() return. From any thread, at any time."""
        self._answers.put(())
