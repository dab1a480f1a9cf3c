"""A message on its way to a server or a command: spooled, and handed over when it is published."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tui_popretr.delivery.spool import Spool
from tui_popretr.errors import DeliveryFailed


class SpoolDraft:
    """The Draft of destinations without files. Nothing of it is durable here: until it is published, the POP3 server
    has the message.
    """

    __slots__ = ("_description", "_done", "_failed", "_message", "_receipt", "_transfer", "final", "record_id", "tmp")

    def __init__(self, record_id: int, description: str, spool: str, transfer: Callable[[Spool], str]) -> None:
        """`transfer` hands the message over and returns the receipt; it raises DeliveryFailed.

        `spool` is the folder for what is too large for memory.
        """
        self.record_id = record_id
        self.tmp = self.final = None
        self._description = description
        self._message = Spool(spool)
        self._transfer = transfer
        self._receipt = ""
        self._failed = self._done = False

    @property
    def pending(self) -> int:
        return self._message.pending

    def description(self) -> str:
        return self._description

    def write(self, data: bytes) -> None:
        self._message.write(data)

    def spill(self) -> None:
        self._check()
        try:
            self._message.spill()
        except DeliveryFailed:
            self._failed = True
            raise

    def write_out(self) -> None:
        self._check()

    def sync(self) -> None:
        self._check()

    def exclude_recipients(self, recipients: Collection[str]) -> None:
        """Who takes the message as a whole has one recipient."""

    def folders_before(self) -> tuple[str, ...]:
        return ()

    def offer(self) -> None:
        """Who is handed the message takes it: nothing of that commits nobody."""

    def publish(self) -> None:
        self._check()
        try:
            self._receipt = self._transfer(self._message)
        except DeliveryFailed:
            self._failed = True
            raise
        self._done = True
        self._message.close()

    def receipt(self) -> str:
        return self._receipt

    def folders_after(self) -> tuple[str, ...]:
        return ()

    def abort(self) -> None:
        if not self._done:
            self._failed = True
            self._message.close()

    def _check(self) -> None:
        if self._failed:
            raise DeliveryFailed(f"cannot deliver to {self._description}: an earlier step failed")
