"""The Draft of a mail server: its recipients, whether it needs 8BITMIME, and the offered transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from tui_popretr.delivery.smtp.rounds import Envelope
from tui_popretr.delivery.smtp.transaction import SmtpTransaction
from tui_popretr.delivery.spool import Spool
from tui_popretr.delivery.spooldraft import SpoolDraft
from tui_popretr.mail.delivered_to import DeliveredToFilter


class Transport(Protocol):
    """The sending side, which is the sink. All methods are blocking."""

    def offer(self, envelope: Envelope) -> SmtpTransaction:
        """Send all but the end. Raises DeliveryFailed."""
        ...

    def complete(self, transaction: SmtpTransaction) -> str:
        """Send the end of an offered message; return the receipt. Raises DeliveryFailed, PartlyAccepted."""
        ...

    def transfer(self, envelope: Envelope) -> str:
        """Do both, without another message in between."""
        ...

    def take_back(self, transaction: SmtpTransaction) -> None:
        """Make sure that an offered message is never completed. May be called again. Never raises."""
        ...


class SmtpDraft(SpoolDraft):
    """The Draft of SmtpSink."""

    __slots__ = ("_dropping", "_eight_bit", "_offered", "_problem", "_sender", "_transport", "waiting")

    def __init__(
        self,
        record_id: int,
        sender: str,
        recipients: tuple[str, ...],
        spool: str,
        transport: Transport,
        *,
        drop_delivered: bool = False,
    ) -> None:
        """`drop_delivered`: remove the Delivered-To fields of the header."""
        super().__init__(record_id, f"SMTP=[{', '.join(recipients)}]", spool, self._hand_over)
        #: Recipients that have not accepted it yet.
        self.waiting = recipients
        self._sender = sender
        self._transport = transport
        self._dropping = DeliveredToFilter() if drop_delivered else None
        self._eight_bit = False
        self._offered: SmtpTransaction | None = None
        self._problem: Exception | None = None  # of the offer

    def write(self, data: bytes) -> None:
        if self._dropping is not None:
            data = self._dropping.feed(data)
        super().write(data)
        self._eight_bit = self._eight_bit or not data.isascii()

    def exclude_recipients(self, recipients: Collection[str]) -> None:
        have_it = {each.lower() for each in recipients}
        self.waiting = tuple(each for each in self.waiting if each.lower() not in have_it)

    def offer(self) -> None:
        if self._failed or not self.waiting:
            return
        try:
            self._offered = self._transport.offer(self._envelope())
        except Exception as problem:  # noqa: BLE001 - publish() raises it
            self._problem = problem

    def abort(self) -> None:
        offered, self._offered = self._offered, None
        if offered is not None:
            self._transport.take_back(offered)
        super().abort()

    def _hand_over(self, message: Spool) -> str:  # noqa: ARG002 - the envelope has it
        if self._problem is not None:
            raise self._problem
        if not self.waiting:
            return ""
        offered, self._offered = self._offered, None
        return self._transport.transfer(self._envelope()) if offered is None else self._transport.complete(offered)

    def _envelope(self) -> Envelope:
        if self._dropping is not None and (rest := self._dropping.finish()):
            super().write(rest)
        return Envelope(self._sender, self.waiting, self._message, self._eight_bit)
