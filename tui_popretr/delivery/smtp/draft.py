"""A message on its way to a mail server: to whom, and whether 8BITMIME is needed."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tui_popretr.delivery.smtp.transaction import Letter
from tui_popretr.delivery.spool import Spool
from tui_popretr.delivery.spooldraft import SpoolDraft


class SmtpDraft(SpoolDraft):
    """The Draft of SmtpSink."""

    __slots__ = ("_eight_bit", "_send", "_sender", "waiting")

    def __init__(
        self, record_id: int, sender: str, recipients: tuple[str, ...], spool: str, send: Callable[[Letter], str]
    ) -> None:
        """`send` hands a letter over and returns the receipt; it is the sink's."""
        super().__init__(record_id, f"SMTP=[{', '.join(recipients)}]", spool, self._hand_over)
        #: Who is still to get it.
        self.waiting = recipients
        self._sender = sender
        self._send = send
        self._eight_bit = False

    def write(self, data: bytes) -> None:
        super().write(data)
        self._eight_bit = self._eight_bit or not data.isascii()

    def leave_out(self, recipients: Collection[str]) -> None:
        have_it = {each.lower() for each in recipients}
        self.waiting = tuple(each for each in self.waiting if each.lower() not in have_it)

    def _hand_over(self, message: Spool) -> str:
        return self._send(Letter(self._sender, self.waiting, message, self._eight_bit)) if self.waiting else ""
