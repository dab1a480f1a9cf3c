"""A message for a server or a command: its octets, and what has to be known about them to send it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from tui_popretr.delivery.spool import Spool
from tui_popretr.mail.delivered_to import DeliveredToFilter


class Converter(Protocol):
    """Changes the octets of one message, chunk by chunk."""

    def feed(self, chunk: bytes) -> bytes:
        """Return the next octets."""
        ...

    def finish(self) -> bytes:
        """Return the rest at the end of the message."""
        ...


class OutgoingMessage:
    """One message that is being received, and then sent. It has no path: tmp and final are None.

    It is not durable: until it is delivered, the POP3 server has it.
    """

    __slots__ = ("_filter", "content", "description", "eight_bit", "final", "have_it", "message_id", "record_id", "tmp")

    def __init__(
        self,
        record_id: int,
        description: str,
        content: Spool,
        *,
        drop_delivered: bool = False,
        converter: Converter | None = None,
    ) -> None:
        """`description`: the destination for the audit line. `drop_delivered`: remove Delivered-To fields.

        `converter`: what changes the octets, in place of that.
        """
        self.record_id = record_id
        self.content = content
        #: It has octets over 127.
        self.eight_bit = False
        #: The recipients that accepted it in an earlier session, in lower case.
        self.have_it: frozenset[str] = frozenset()
        #: The Message-ID, without angle brackets, by which the receiver can find it; None if there is none.
        self.message_id: str | None = None
        self.tmp = self.final = None
        self.description = description
        self._filter = DeliveredToFilter() if drop_delivered else converter

    @property
    def pending(self) -> int:
        """Octets that are only in memory."""
        return self.content.pending

    def exclude_recipients(self, recipients: Collection[str]) -> None:
        """Do not send it to these recipients: they accepted it in an earlier session."""
        self.have_it = frozenset(each.lower() for each in recipients)

    def write(self, data: bytes) -> None:
        """Add octets, in memory only."""
        self._add(data if self._filter is None else self._filter.feed(data))

    def finish(self) -> None:
        """Take the end of the message, in memory only. Once, before it is sent."""
        if self._filter is not None:
            self._add(self._filter.finish())
            self._filter = None

    def spill(self) -> None:
        """Move the octets in memory to a file without a name. Blocking. Raises DeliveryFailed."""
        self.content.spill()

    def abort(self) -> None:
        """Discard the content. May be called again, also after the message was sent. Never raises."""
        self.content.close()

    def _add(self, data: bytes) -> None:
        self.content.write(data)
        self.eight_bit = self.eight_bit or not data.isascii()
