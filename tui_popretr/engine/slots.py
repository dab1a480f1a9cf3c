"""Slots for sessions: limits for all sessions and for each server, and never two sessions on one maildrop."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque

import trio

from tui_popretr.config.account import Server
from tui_popretr.config.model import Concurrency


class SessionSlot:
    """A requested slot: wait for `granted`, and release it in every case."""

    __slots__ = ("_slots", "granted", "host", "maildrop")

    def __init__(self, slots: SessionSlots, server: Server) -> None:
        self._slots = slots
        self.granted = trio.Event()
        self.host = server.host.lower()
        self.maildrop = server.account_key

    def release(self) -> None:
        """Return the slot, or stop waiting for it."""
        self._slots.release(self)


class SessionSlots:
    """Grants slots in order of the requests within a server, and in turns between servers.

    A server without free slots, or a maildrop in use, delays no other requests.
    """

    def __init__(self, limits: Concurrency) -> None:
        self._limits = limits
        self._used = 0
        self._by_host: Counter[str] = Counter()
        self._maildrops: set[tuple[str, int, str]] = set()
        self._waiting: OrderedDict[str, deque[SessionSlot]] = OrderedDict()

    @property
    def limits(self) -> Concurrency:
        return self._limits

    @limits.setter
    def limits(self, limits: Concurrency) -> None:
        """Change the limits; running sessions keep their slots."""
        self._limits = limits
        self._grant_waiting()

    def request(self, server: Server) -> SessionSlot:
        """Request a slot; it may be granted at once."""
        slot = SessionSlot(self, server)
        self._waiting.setdefault(slot.host, deque()).append(slot)
        self._grant_waiting()
        return slot

    def release(self, slot: SessionSlot) -> None:
        """Take a slot back."""
        if slot.granted.is_set():
            self._used -= 1
            self._by_host[slot.host] -= 1
            if not self._by_host[slot.host]:
                del self._by_host[slot.host]
            self._maildrops.discard(slot.maildrop)
        else:
            self._remove(slot)
        self._grant_waiting()

    def _grant_waiting(self) -> None:
        found = True
        while found and self._used < self._limits.total:
            found = False
            for host in list(self._waiting):
                if self._used >= self._limits.total:
                    break
                slot = self._next_of(host)
                if slot is not None:
                    self._grant(slot)
                    found = True

    def _next_of(self, host: str) -> SessionSlot | None:
        if self._by_host[host] >= self._limits.per_server:
            return None
        return next((each for each in self._waiting[host] if each.maildrop not in self._maildrops), None)

    def _grant(self, slot: SessionSlot) -> None:
        self._remove(slot)
        if slot.host in self._waiting:
            self._waiting.move_to_end(slot.host)  # the next slot goes to another server
        self._used += 1
        self._by_host[slot.host] += 1
        self._maildrops.add(slot.maildrop)
        slot.granted.set()

    def _remove(self, slot: SessionSlot) -> None:
        queue = self._waiting[slot.host]
        queue.remove(slot)
        if not queue:
            del self._waiting[slot.host]
