"""Target: the IMAP machine, driven through any commands while a server says anything, in any pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.fuzz.expectations import PASSWORD, discreet, harmless
from tests.fuzz.material import Material, material
from tests.imap.dialogue import INBOX, appending, in_state
from tui_popretr.imap import (
    MAX_LINE,
    MAX_RESPONSE,
    AddLabels,
    Append,
    Authentication,
    Capability,
    Close,
    Command,
    Continuation,
    Examine,
    FetchData,
    LocalProtocolError,
    Login,
    Logout,
    Machine,
    Message,
    Noop,
    RemoteProtocolError,
    Response,
    SaslCancel,
    SearchHeader,
    StartTls,
    State,
    Status,
    Text,
)
from tui_popretr.sasl import begin
from tui_popretr.secret import Secret

_TOLD: Final = PASSWORD.encode()
_STATES: Final = list(State)
_COMMANDS: Final[list[Callable[[], Command]]] = [
    Capability, StartTls, Noop, Logout, Close, SaslCancel, lambda: Examine(INBOX), lambda: Examine(Text(b"\xff")),
    lambda: SearchHeader("Message-ID", b"<a@b>", 7), lambda: FetchData((1, 2), ("UID", "RFC822.SIZE")),
    lambda: AddLabels((1,), (Text(b"x"),)), lambda: Append(INBOX, (Message(3), Message(5))),
    lambda: Append(Text(b"\xff"), (Message(3),)), lambda: Login("me", Secret(PASSWORD)),
    lambda: Login("m\xe9", Secret(PASSWORD + "\xe9")),
]  # fmt: skip
_MECHANISMS: Final = ["PLAIN", "LOGIN", "CRAM-MD5"]
_SEND, _LOG_IN, _TLS, _CLOSE, _CONTENT, _NEXT, _END, _GO_ON, _ENDLESS, _RECEIVE = range(10)
_IN_APPEND: Final = len(_STATES)


def _said(state: State | int, decisions: list[int], said: bytes) -> bytes:
    begun = state if isinstance(state, int) else _STATES.index(state)
    return material(said, [begun, *decisions, *[_RECEIVE, 9] * 3])


def _sending(*indexes: int) -> list[int]:
    return [number for index in indexes for number in (_SEND, index)]


SEEDS: Final = [
    _said(State.GREETING, _sending(0), b"* OK [CAPABILITY IMAP4rev1 LITERAL+] hi\r\na1 OK [CAPABILITY X]\r\n"),
    _said(State.SELECTED, _sending(8, 9), b"* SEARCH 7 8\r\na3 OK\r\n* 1 FETCH (UID 7 X {3}\r\nabc)\r\na4 NO [X]\r\n"),
    _said(State.SELECTED, _sending(8), b'* ESEARCH (TAG "a3") UID ALL 1:9\r\n* LIST (\\A) "/" "x"\r\na3 OK\r\n'),
    _said(
        State.AUTHENTICATED, _sending(6), b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* STATUS x (UIDNEXT 3)\r\na2 OK\r\n"
    ),
    _said(_IN_APPEND, [_CONTENT, 3, _NEXT, _CONTENT, 5, _END], b"+ go\r\na2 OK [APPENDUID 7 1:2] x\r\n* BYE\r\n"),
    _said(_IN_APPEND, [_RECEIVE, 4, _CONTENT, 3, _END], b"a2 NO [TRYCREATE] no\r\n"),
    _said(State.STARTING_TLS, [], b"a1 OK go\r\n* OK injected\r\n"),
    *(
        _said(State.NOT_AUTHENTICATED, [_LOG_IN, mechanism], b"+ PDE+\r\n+ \r\na1 NO you said " + _TOLD + b"\r\n")
        for mechanism in range(len(_MECHANISMS))
    ),
    _said(State.NOT_AUTHENTICATED, [*_sending(13)], b"* OK " + _TOLD + b"\r\na1 OK [" + _TOLD + b"]\r\n"),
    _said(State.NOT_AUTHENTICATED, [*_sending(14), _RECEIVE, 3, _GO_ON], b"+ go\r\n+ go\r\na1 OK\r\n"),
    material(b"* OK " + b"x" * 60, [_STATES.index(State.LEAVING), _ENDLESS, 6, 11]),
    material(b"* 1 FETCH (X {2}\r\nab)\r\n", [_STATES.index(State.SELECTED), _ENDLESS, 6, 11]),
]
WORDS: Final = [
    b"* ", b"+ ", b"a1 ", b"a2 ", b"a3 ", b"OK ", b"NO ", b"BAD ", b"BYE ", b"PREAUTH ", b"[CAPABILITY ", b"] ",
    b"CAPABILITY IMAP4rev1 LITERAL+\r\n", b"LIST () ", b"STATUS ", b"SEARCH ", b"ESEARCH ", b" FETCH (", b" EXISTS",
    b"[APPENDUID ", b"{3}\r\n", b"~{0}\r\n", b"{99999999999}\r\n", b"NIL", b'"', b"\\", b"(", b")", b"[", b"]", b"1:*",
    b"4294967296", b"\r\n", b"\n", b"\r", b"PDE+", _TOLD, b"\xff", b"\0", b"\x1b[2J", b"x" * 4000, b"\2",
]  # fmt: skip


def one_input(data: bytes) -> None:
    """Hold a dialogue; only its two errors may come out, little is held, and the password is never shown."""
    _Dialogue(Material(data)).run()


class _Dialogue:
    def __init__(self, given: Material) -> None:
        self._material = given
        begun = given.number(len(_STATES) + 1)
        self._machine: Machine = appending(3, 5) if begun == _IN_APPEND else in_state(_STATES[begun])
        self._authentication: Authentication | None = None
        self._told = False  # the server has the password from us

    def run(self) -> None:
        while self._material:
            try:
                self._step()
            except LocalProtocolError as error:
                harmless(str(error), longest=1200)
                discreet(error)
            except RemoteProtocolError as error:
                harmless(str(error), longest=400)
                self._keeps_it(error)
                assert self._machine.state is State.BROKEN
                self._stays_broken(error)
                return
            assert self._machine.buffered <= MAX_LINE + MAX_RESPONSE

    def _step(self) -> None:
        machine, what = self._machine, self._material.number(11)
        if what == _SEND:
            self._send(self._material.choice(_COMMANDS)())
        elif what == _LOG_IN:
            exchange = begin(self._material.choice(_MECHANISMS), "me", Secret(PASSWORD))
            self._authentication = Authentication(exchange, initial_response=bool(self._material.number(2)))
            self._send(self._authentication.start())
        elif what == _TLS:
            machine.tls_started()
        elif what == _CLOSE and not self._material.number(16):
            machine.receive_eof()
        elif what == _CONTENT:
            machine.content(b"x" * self._material.number(8))
        elif what == _NEXT:
            assert machine.next_message().endswith(b"}\r\n")
        elif what == _END:
            assert machine.end() == b"\r\n"
            assert machine.unsent is None
        elif what == _GO_ON:
            machine.go_on()
        else:
            self._receive(what)

    def _receive(self, what: int) -> None:
        said = self._material.piece(1 << self._material.number(10))
        if what == _ENDLESS:
            said = said[:64] * (1 << self._material.number(12))  # without end, nearly
        unsent = self._machine.unsent
        for response in self._machine.receive(said):
            self._look_at(response)
            early = isinstance(response, Status) and response.ok and response.command is unsent
            assert unsent is None or not early, "a message was accepted before its end"
        self._machine.check()

    def _send(self, command: Command) -> None:
        wire = self._machine.send(command)
        self._told |= _TOLD in b"".join(command.secrets())
        assert wire.endswith(b"\r\n")
        harmless(command.shown())
        discreet(command.shown(), command)

    def _look_at(self, response: Response) -> None:
        self._keeps_it(response, response.line)
        if isinstance(response, Status):
            harmless(str(response), longest=301)
            self._keeps_it(str(response))
        # the machine may have moved on with what came behind
        challenged = isinstance(response, Continuation) and self._machine.state is State.CHALLENGED
        if challenged and self._authentication is not None:
            assert isinstance(response, Continuation)
            self._send(self._authentication.answer(response))
            harmless(self._authentication.exchange.problem or "", longest=400)
            discreet(self._authentication.exchange.problem)

    def _keeps_it(self, *things: object) -> None:
        if self._told:
            discreet(*things)

    def _stays_broken(self, error: RemoteProtocolError) -> None:
        for attempt in (lambda: self._machine.receive(b"* OK\r\n"), lambda: self._machine.send(Noop())):
            with pytest.raises(RemoteProtocolError) as again:
                attempt()
            assert again.value is error
        assert self._machine.buffered == 0
