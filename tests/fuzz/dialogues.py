"""Target: the POP3 machine, driven through any commands while a server says anything, in any pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.fuzz.expectations import PASSWORD, discreet, harmless
from tests.fuzz.material import Material, material
from tests.pop3.dialogue import in_state
from tui_popretr.pop3 import (
    Apop,
    Authentication,
    BodyChunk,
    BodyEnd,
    Capa,
    Command,
    Continuation,
    Dele,
    Event,
    Greeting,
    List,
    Listing,
    LocalProtocolError,
    Machine,
    Noop,
    Pass,
    Quit,
    RemoteProtocolError,
    Reply,
    Retr,
    SaslCancel,
    SaslResponse,
    Stat,
    State,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
    parse_list,
    parse_stat,
    parse_uidl,
)
from tui_popretr.pop3.collector import MAX_ROW
from tui_popretr.sasl import Endpoint, Response, begin
from tui_popretr.secret import Secret
from tui_popretr.text import visible

WORDS: Final = [
    b"+OK", b"-ERR", b"+ ", b"\r\n", b".\r\n", b"\r\n.\r\n", b"..", b"[IN-USE] ", b"[SYS/TEMP]", b"<1@h>", b"PDE+",
    b"\n", b"\n.\n", b"\n..", b"1 1", b"9" * 21, b"SASL ", b"EXPIRE NEVER", b"LOGIN-DELAY 9",
    PASSWORD.encode(), b"y" * 600, b"\xff", b"\0",
]  # fmt: skip

_STATES: Final = list(State)
#: Octets that are ever held: CAPA's bound, and a piece.
_HELD: Final = 70 * 1024
_LISTING: Final = 12 * 1024 * 1024 + _HELD
_PASSWORD: Final = Secret(PASSWORD)
_COMMANDS: Final[list[Callable[[], Command]]] = [
    Noop,
    Stat,
    Capa,
    Quit,
    Stls,
    SaslCancel,
    lambda: User("me"),
    lambda: Pass(_PASSWORD),
    lambda: Apop("me", _PASSWORD),
    lambda: SaslResponse(Response(_PASSWORD)),
    List,
    lambda: List(1),
    Uidl,
    lambda: Uidl(1),
    lambda: Retr(1),
    lambda: Top(1, 0),
    lambda: Dele(1),
    Utf8,
]
_MECHANISMS: Final = ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "EXTERNAL"]

_SEND, _LOG_IN, _TLS, _CLOSE, _ENDLESS, _RECEIVE, _QUIET = range(7)


def _sending(*indexes: int) -> list[int]:
    return [number for index in indexes for number in (_SEND, index)]


def _said(state: State, decisions: list[int], said: bytes) -> bytes:
    """Return the input for a dialogue: the state it begins in, what is done, and then what the server says to it."""
    return material(said, [_STATES.index(state), *decisions, *[_RECEIVE, 9] * 3])


SEEDS: Final = [
    _said(State.GREETING, [], b"+OK <1.2@host>\r\n"),
    _said(State.AUTHORIZATION, _sending(7, 8), b"+OK\r\n-ERR [AUTH] you said " + PASSWORD.encode() + b"\r\n"),
    material(
        b"-ERR n\r\n+OK\r\nSASL PLAIN\r\nX " + PASSWORD.encode() + b"\r\n.\r\n",
        [_STATES.index(State.AUTHORIZATION), *_sending(8), _RECEIVE, 3, *_sending(2), _RECEIVE, 9],
    ),
    _said(State.AUTHORIZATION, _sending(5), b"+OK\r\n"),
    _said(State.TRANSACTION, _sending(1, 11, 13), b"+OK 2 9\r\n+OK\r\n1 4\r\n2 5\r\n.\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n"),
    _said(State.TRANSACTION, _sending(15, 17, 3), b"+OK\r\na\r\n..\r\n\r\n.\r\n+OK\r\n+OK bye\r\n"),
    *(
        _said(
            State.AUTHORIZATION, [_LOG_IN, mechanism, initial], b"+ \r\n+ PDE+\r\n-ERR " + PASSWORD.encode() + b"\r\n"
        )
        for mechanism in range(len(_MECHANISMS))
        for initial in (0, 1)
    ),
    # rows and messages whose lines end in LF alone, empty lines, and UIDs of any octets
    _said(State.TRANSACTION, _sending(13, 11), b"\n+OK\n1 two words\n2 \xe9\xff\n.\n\r\n+OK\n1 7\n2\n.\n"),
    _said(State.TRANSACTION, _sending(13), b"+OK\r\n1 " + b"u" * 500 + b"\r\n2 a\r\n3 a\r\n4 \x1b\r\n.\r\n"),
    *(
        material(
            b"+OK\nh: 1\n\n..\ntext\n" + end + b"\r\n\n+OK\r\n",
            [_STATES.index(State.TRANSACTION), *_sending(15), *pieces, _QUIET, *_sending(0), _RECEIVE, 9],
        )
        for end, pieces in (
            (b".\n", (_RECEIVE, 4, _RECEIVE, 2)),
            (b".\r\n", (_RECEIVE, 4, _RECEIVE, 2, _RECEIVE, 0)),
            (b".\nmore\r\n.\r\n", (_RECEIVE, 9)),
        )
    ),
    # the password in the rows of LIST, of which one is too long
    material(
        b"+OK go\r\n+OK\r\n1 1 " + PASSWORD.encode() + b"x" * 67,
        [_STATES.index(State.AUTHORIZATION), *_sending(8), _RECEIVE, 3, *_sending(11), _RECEIVE, 5, _ENDLESS, 6, 8],
    ),
    # without end: a line, the rows of LIST, those of CAPA, and a message
    material(b"+OK " + b"x" * 60, [_STATES.index(State.GREETING), _ENDLESS, 6, 11]),
    *(
        material(
            b"+OK\r\n1 1\r\n" + b"22 22\r\n" * 8, [_STATES.index(state), *_sending(sent), _RECEIVE, 3, _ENDLESS, 6, 11]
        )
        for state, sent in ((State.TRANSACTION, 11), (State.AUTHORIZATION, 2), (State.TRANSACTION, 15))
    ),
]


def one_input(data: bytes) -> None:
    """Hold a dialogue; only its two errors may come out, little is held, and the password is never shown."""
    _Dialogue(Material(data)).run()


class _Dialogue:
    def __init__(self, given: Material) -> None:
        self._material = given
        self._machine: Machine = in_state(given.choice(_STATES))
        self._machine._max_rows = 50
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
            # a listing may have as many rows as STAT has told
            assert self._machine.buffered <= max(_HELD, min(_LISTING, MAX_ROW * self._machine._max_rows))
            assert self._machine.outstanding >= 0

    def _step(self) -> None:
        what = self._material.number(8)
        if what == _SEND:
            self._send(self._material.choice(_COMMANDS)())
        elif what == _LOG_IN:
            self._log_in()
        elif what == _TLS:
            self._machine.tls_started()
        elif what == _CLOSE and not self._material.number(16):
            self._machine.receive_eof()
        elif what == _QUIET:
            self._be_quiet()
        else:
            said = self._material.piece(1 << self._material.number(10))
            if what == _ENDLESS:
                said = said[:64] * (1 << self._material.number(12))  # without end, nearly
            for event in self._machine.receive(said):
                self._look_at(event)
            self._machine.check()

    def _be_quiet(self) -> None:
        complete = self._machine.may_end
        events = self._machine.quiet()
        assert bool(events) is complete
        assert not complete or isinstance(events[-1], BodyEnd)
        assert not self._machine.may_end
        for event in events:
            self._look_at(event)

    def _send(self, command: Command) -> None:
        wire = self._machine.send(command)
        self._told |= PASSWORD.encode() in command.secrets()
        assert wire.endswith(b"\r\n")
        assert wire.count(b"\n") == 1
        harmless(command.shown())
        discreet(command.shown(), command)

    def _log_in(self) -> None:
        mechanism, initial_response = self._material.choice(_MECHANISMS), bool(self._material.number(2))
        exchange = begin(mechanism, "me", _PASSWORD, Endpoint("pop.example.test", 995))
        self._authentication = Authentication(exchange, initial_response=initial_response)
        self._send(self._authentication.start())

    def _look_at(self, event: Event) -> None:
        if isinstance(event, Reply | Greeting | Continuation):
            self._keeps_it(event)
        if isinstance(event, BodyChunk):
            assert event.data
        elif isinstance(event, Continuation) and self._authentication is not None:
            if self._machine.state is State.CHALLENGED:  # it may have moved on with what came behind
                self._send(self._authentication.answer(event))
            harmless(self._authentication.exchange.problem or "", longest=400)
            discreet(self._authentication.exchange.problem)
        elif isinstance(event, Listing):
            self._read(event)
        elif isinstance(event, Reply) and type(event.command) is Stat and event.ok:
            messages, octets = _stat(event.text)
            assert messages >= 0
            assert octets >= 0

    def _read(self, listing: Listing) -> None:
        capabilities = self._machine.capabilities
        if type(listing.command) is Capa and capabilities is not None:
            for line in capabilities.lines:
                harmless(line)
            self._keeps_it(capabilities.lines, capabilities.params("IMPLEMENTATION"))
            harmless(" ".join(capabilities.lines))
            assert capabilities.login_delay is None or capabilities.login_delay >= 0
            assert capabilities.expire is not False
        sizes = parse_list(listing.data, 50)
        assert all(1 <= number <= 50 and (size is None or size >= 0) for number, size in sizes.items())
        uids = parse_uidl(listing.data, 50)
        assert all(1 <= number <= 50 and 1 <= len(uid) <= 1000 for number, uid in uids.items())
        assert len(set(uids.values())) == len(uids)
        for uid in uids.values():
            assert uid.encode("latin-1") in listing.data
            harmless(visible(uid))

    def _keeps_it(self, *things: object) -> None:
        if self._told:
            discreet(*things)

    def _stays_broken(self, error: RemoteProtocolError) -> None:
        for attempt in (lambda: self._machine.receive(b"+OK\r\n"), lambda: self._machine.send(Noop())):
            with pytest.raises(RemoteProtocolError) as again:
                attempt()
            assert again.value is error
        assert self._machine.buffered == 0


def _stat(text: bytes) -> tuple[int, int]:
    try:
        return parse_stat(text)
    except RemoteProtocolError as error:
        harmless(str(error), longest=400)
        return 0, 0
