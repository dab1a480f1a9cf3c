"""The Draft of mail servers and commands: a spool, whose message is sent by publish()."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tui_popretr.delivery.spool import Spool
from tui_popretr.errors import DeliveryFailed


class SpoolDraft:
    """The Draft of destinations without files.

    It is not durable: until it is published, the POP3 server has the message.
    """

    __slots__ = ("_description", "_done", "_failed", "_message", "_receipt", "_transfer", "final", "record_id", "tmp")

    def __init__(self, record_id: int, description: str, spool: str, transfer: Callable[[Spool], str]) -> None:
        """`transfer` sends the message and returns the receipt; it raises DeliveryFailed.

        `spool` is the folder for large messages.
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
        """Do nothing: a command has one recipient."""

    def folders_before(self) -> tuple[str, ...]:
        return ()

    def offer(self) -> None:
        """Do nothing: a command that gets the message may accept it."""

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
