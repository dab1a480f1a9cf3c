"""Target: the SMTP machine, driven through any commands while a server says anything, in any pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.fuzz.expectations import PASSWORD, discreet, harmless
from tests.fuzz.material import Material, material
from tests.smtp.dialogue import in_content, in_state
from tui_popretr.sasl import begin
from tui_popretr.secret import Secret
from tui_popretr.smtp import (
    MAX_LINE,
    MAX_LINES,
    SHOWN,
    Auth,
    Authentication,
    Command,
    Data,
    Ehlo,
    Helo,
    Lhlo,
    LocalProtocolError,
    Machine,
    Mail,
    Noop,
    Quit,
    Rcpt,
    RemoteProtocolError,
    Reply,
    Rset,
    SaslCancel,
    StartTls,
    State,
)

_EHLO: Final = b"250-mx.example\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN CRAM-MD5\r\n250 8BITMIME\r\n"
_TOLD: Final = PASSWORD.encode()
_STATES: Final = list(State)
_COMMANDS: Final[list[Callable[[], Command]]] = [
    lambda: Ehlo("x"), lambda: Lhlo("x"), lambda: Helo("x"), StartTls, lambda: Mail("a@x.test"),
    lambda: Rcpt("a@x.test"), Data, Rset, Noop, Quit, SaslCancel, lambda: Auth("LOGIN"),
]  # fmt: skip
_MECHANISMS: Final = ["PLAIN", "LOGIN", "CRAM-MD5"]
_SEND, _LOG_IN, _TLS, _CLOSE, _CONTENT, _END, _ENDLESS, _RECEIVE = range(8)
_LMTP: Final = len(_STATES)


def _said(state: State | int, decisions: list[int], said: bytes) -> bytes:
    begun = state if isinstance(state, int) else _STATES.index(state)
    return material(said, [begun, *decisions, *[_RECEIVE, 9] * 3])


def _sending(*indexes: int) -> list[int]:
    return [number for index in indexes for number in (_SEND, index)]


SEEDS: Final = [
    _said(State.GREETING, [_RECEIVE, 3, *_sending(0)], b"220 a\r\n" + _EHLO),
    _said(State.READY, _sending(4, 5, 6), b"250 ok\r\n250-ok\r\n250 ok\r\n354 go\r\n250 early\r\n"),
    _said(State.CONTENT, [_CONTENT, 3, _END], b"x.\r\n250 taken\r\n250 more\r\n"),
    _said(_LMTP, [_END], b"250 a\r\n421 b\r\n"),
    _said(State.STARTING_TLS, [], b"220 go\r\n220 injected\r\n"),
    *(
        _said(State.READY, [_LOG_IN, mechanism], b"334 PDE+\r\n334 \r\n535 you said " + _TOLD + b"\r\n")
        for mechanism in range(len(_MECHANISMS))
    ),
    material(b"250-" + b"x" * 60, [_STATES.index(State.LEAVING), _ENDLESS, 6, 11]),
    material(b"250-x\r\n" * 9, [_STATES.index(State.LEAVING), _ENDLESS, 6, 11]),
]
WORDS: Final = [
    b"220 ", b"250-", b"250 ", b"334 ", b"354 ", b"421 ", b"535 ", b"\r\n", b"\n", b"\r", b"-", b"AUTH ", b"SIZE ",
    b"9" * 25, b"=", b"PDE+", _TOLD, b"\xff", b"\0", b"\x1b[2J", b"x" * 4000, _EHLO, b"250 ok\r\n", b"\2",
]  # fmt: skip


def one_input(data: bytes) -> None:
    """Hold a dialogue; only its two errors may come out, little is held, and the password is never shown."""
    _Dialogue(Material(data)).run()


class _Dialogue:
    def __init__(self, given: Material) -> None:
        self._material = given
        begun = given.number(len(_STATES) + 1)
        self._machine: Machine = in_content(lmtp=True) if begun == _LMTP else in_state(_STATES[begun])
        self._authentication: Authentication | None = None
        self._told = False  # the server has the password from us

    def run(self) -> None:
        while self._material:
            try:
                self._step()
            except LocalProtocolError as error:
                harmless(str(error), longest=400)
            except RemoteProtocolError as error:
                harmless(str(error), longest=400)
                self._keeps_it(error)
                assert self._machine.state is State.BROKEN
                self._stays_broken(error)
                return
            assert self._machine.buffered <= MAX_LINE * (MAX_LINES + 1)
            assert self._machine.outstanding >= 0

    def _step(self) -> None:
        what = self._material.number(9)
        if what == _SEND:
            self._send(self._material.choice(_COMMANDS)())
        elif what == _LOG_IN:
            exchange = begin(self._material.choice(_MECHANISMS), "me", Secret(PASSWORD))
            self._authentication = Authentication(exchange)
            self._send(self._authentication.start())
        elif what == _TLS:
            self._machine.tls_started()
        elif what == _CLOSE and not self._material.number(16):
            self._machine.receive_eof()
        elif what == _CONTENT:
            assert b"\r\n.\r\n" not in self._machine.content(self._material.piece(self._material.number(256)))
        elif what == _END:
            assert self._machine.end().endswith(b".\r\n")
            assert self._machine.outstanding
        else:
            said = self._material.piece(1 << self._material.number(10))
            if what == _ENDLESS:
                said = said[:64] * (1 << self._material.number(12))  # without end, nearly
            for reply in self._machine.receive(said):
                self._look_at(reply)
            self._machine.check()

    def _send(self, command: Command) -> None:
        wire = self._machine.send(command)
        self._told |= _TOLD in command.secrets()
        assert wire.endswith(b"\r\n")
        assert wire.count(b"\n") == 1
        harmless(command.shown())
        discreet(command.shown(), command)

    def _look_at(self, reply: Reply) -> None:
        assert 200 <= reply.code <= 599
        assert reply.lines
        harmless(str(reply), longest=SHOWN + 1)
        self._keeps_it(reply)
        extensions = self._machine.extensions
        assert extensions.largest is None or extensions.largest > 0
        # the machine may have moved on with what came behind
        if reply.code == 334 and self._authentication is not None and self._machine.state is State.CHALLENGED:
            self._send(self._authentication.answer(reply))
            harmless(self._authentication.exchange.problem or "", longest=400)
            discreet(self._authentication.exchange.problem)

    def _keeps_it(self, *things: object) -> None:
        if self._told:
            discreet(*things)

    def _stays_broken(self, error: RemoteProtocolError) -> None:
        for attempt in (lambda: self._machine.receive(b"250 ok\r\n"), lambda: self._machine.send(Noop())):
            with pytest.raises(RemoteProtocolError) as again:
                attempt()
            assert again.value is error
        assert self._machine.buffered == 0
