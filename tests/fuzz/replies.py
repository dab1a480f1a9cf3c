"""Target: the reader of SMTP replies; any octets are a reply or a DeliveryFailed, and no secret comes back out."""

from __future__ import annotations

from typing import Final

from tests.fuzz.expectations import PASSWORD, discreet, harmless
from tests.fuzz.material import Material
from tui_popretr.delivery.smtp.connection import Extensions
from tui_popretr.delivery.smtp.deadlines import DEADLINES
from tui_popretr.delivery.smtp.login import log_in
from tui_popretr.delivery.smtp.reply import SHOWN, SmtpReply
from tui_popretr.delivery.smtp.wire import MAX_LINE, SmtpConnection
from tui_popretr.errors import DeliveryFailed
from tui_popretr.facts import Direction
from tui_popretr.secret import Secret

_EHLO: Final = b"250-mx.example\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN CRAM-MD5\r\n250 8BITMIME\r\n"
_TOLD: Final = PASSWORD.encode()
SEEDS: Final = [
    b"220 ready\r\n\0" + _EHLO + b"\x00235 ok\r\n\x00250 ok\r\n\x00354 go\r\n\x00250 taken\r\n\0\3\3\1\0\0",
    b"220-a\r\n220 b\r\n\0"
    + _EHLO
    + b"\x00334 VXNlcm5hbWU6\r\n\x00334 PDE+\r\n\x00535 no "
    + _TOLD
    + b"\r\n\0\3\2\0\1",
    b"421 going\r\n",
    b"220 a\r\n\x00235 ok\r\n250 " + _TOLD + b"\r\n\x00250 ok\r\n\x00\x00\x03\x03\x00",
]
WORDS: Final = [
    b"220 ", b"250-", b"250 ", b"334 ", b"354 ", b"421 ", b"535 ", b"\r\n", b"\n", b"\r", b"-", b"AUTH ", b"SIZE ",
    b"9" * 25, b"=", b"PDE+", _TOLD, b"\xff", b"\0", b"\x1b[2J", b"x" * 4000, _EHLO, b"250 ok\r\n\0", b"\0\2",
]  # fmt: skip


class _Scripted(SmtpConnection):
    """A wire without a socket: what it sends goes nowhere, and what it receives are lines of the input."""

    def __init__(self, material: Material, *, lmtp: bool) -> None:
        super().__init__("the SMTP server x", "client.example", self._said_so, DEADLINES, lmtp=lmtp)
        self._material = material

    def _said_so(self, _: Direction, text: str) -> None:
        harmless(text)
        if _TOLD in self._secrets:
            discreet(text)

    def _send(self, data: bytes, patience: float) -> None:
        assert data.endswith(b"\r\n")
        assert data.count(b"\n") == 1

    def _receive(self, deadline: float) -> None:
        assert len(self._buffer) <= MAX_LINE  # it waits for no more of what it will not have
        data = self._material.line()
        if not data:
            raise self._cut(None)
        self._buffer += data[1:] * 2000 if data.startswith(b"\2") else data  # without end, nearly


def one_input(data: bytes) -> None:
    """Speak with a server that says one piece of the input whenever it is waited for."""
    material = Material(data)
    wire = _Scripted(material, lmtp=bool(material.number(2)))
    steps = [material.number(4) for _ in range(5)]
    try:
        _check(wire.reply(5))
        for step in steps:
            _take(step, wire)
    except DeliveryFailed as error:
        harmless(str(error), longest=1000)
        if _TOLD in wire._secrets:
            discreet(error)


def _take(step: int, wire: SmtpConnection) -> None:
    match step:
        case 0:
            wire.ehlo()
            extensions = Extensions.of(wire)
            assert extensions.largest is None or extensions.largest > 0
        case 1 | 2:
            log_in(wire, "me", Secret(PASSWORD), private=step == 1)
        case _:
            _check(wire.ask(f"X {PASSWORD}", shown="X ****", secrets=(_TOLD,)))


def _check(reply: SmtpReply) -> None:
    assert 200 <= reply.code <= 599
    assert reply.lines
    harmless(str(reply), longest=SHOWN + 1)
