"""A command and its reply, whole, and the message that it retrieved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui_popretr import wording
from tui_popretr.facts import MessageDelivered, MessageSkipped
from tui_popretr.text import visible
from tui_popretr.ui.model.exchanges import Exchange
from tui_popretr.ui.model.formatting import milliseconds
from tui_popretr.ui.model.parts import Heading, Line, Pair, Part
from tui_popretr.ui.screens.message import MessageScreen
from tui_popretr.ui.screens.sheet import TextDialog

Mail = tuple[datetime, MessageDelivered | MessageSkipped]


class ExchangeScreen(TextDialog):
    """Shows an exchange as it is now: a reply may come later."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("m,enter", "read", "Read the message"), *TextDialog.BINDINGS]

    def __init__(self, exchange: Exchange, mails: Sequence[Mail] = ()) -> None:
        """`mails` are the messages whose deliveries are known, oldest first."""
        super().__init__(f"{exchange.session}: {exchange.verb or 'connection'}")
        self._exchange = exchange
        wanted = exchange.session, exchange.message
        #: The message that the command is about, if it is among them.
        self._mail = next((each for each in reversed(mails) if (each[1].session, each[1].number) == wanted), None)

    @property
    def keys(self) -> str:
        return "m read the message · esc back" if self._mail is not None else super().keys

    def parts(self) -> Iterator[Part]:
        exchange = self._exchange
        yield Pair("sent", f"{exchange.at:%Y-%m-%d %H:%M:%S.%f}"[:-3])
        took = exchange.milliseconds
        yield Pair(
            "reply after", "none yet" if took is None else milliseconds(took), "bold red" if exchange.error else ""
        )
        if took is not None and exchange.wait is not None and exchange.wait < took:
            yield Pair("of it", f"{milliseconds(exchange.wait)} after the replies before it")
        if exchange.octets is not None:
            yield Pair("data", self._data(exchange, exchange.octets))
        yield Line("")
        for number, text in enumerate(exchange.whole):
            yield Line(text, "cyan" if not number else "bold red" if exchange.error and number == 1 else "")
        if self._mail is not None:
            yield from self._message(*self._mail)

    @staticmethod
    def _data(exchange: Exchange, octets: int) -> str:
        text = f"{wording.size(octets)} ({octets:,} octets)"
        if exchange.ended is None or exchange.replied is None:
            return text
        return f"{text} in {milliseconds((exchange.ended - exchange.replied).total_seconds() * 1000)}"

    def _message(self, at: datetime, mail: MessageDelivered | MessageSkipped) -> Iterator[Part]:
        yield Heading("Message")
        if isinstance(mail, MessageSkipped):
            yield Pair("not retrieved", visible(mail.reason))
            return
        yield Pair("from", visible(mail.name or mail.sender or ""))
        yield Pair("subject", visible(mail.subject or "(no subject)"), "bold")
        yield Pair("size", wording.size(mail.octets))
        yield Pair("delivered", f"{at:%H:%M:%S} to {visible(mail.destination)}")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._mail is not None if action == "read" else super().check_action(action, parameters)

    def action_read(self) -> None:
        """Read the message."""
        if self._mail is not None:
            self.app.push_screen(MessageScreen(*self._mail))
