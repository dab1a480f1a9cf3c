"""The machine: each dialogue is fed whole, byte by byte, in every way cut in two, and with trailing bytes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.pieces import cuts
from tui_popretr.pop3 import (
    Apop,
    Auth,
    BodyChunk,
    BodyEnd,
    Capa,
    Command,
    Continuation,
    Dele,
    Event,
    Greeting,
    InjectedPlaintext,
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
    SaslResponse,
    Stat,
    State,
    Stls,
    Top,
    Uidl,
    UnexpectedEof,
    UnsolicitedReply,
    User,
    Utf8,
)
from tui_popretr.sasl import Response
from tui_popretr.secret import Secret

from .dialogue import feed, greeted, in_state, logged_in, merged

PLAIN = Auth("PLAIN")
PASSWORD = Pass(Secret("hunter2"))


def ok(command: Command, text: bytes = b"", *, more: bool = False, code: str | None = None) -> Reply:
    return Reply(command, True, b"+OK " + text if text else b"+OK", text, code, more)


def err(command: Command, text: bytes = b"", code: str | None = None) -> Reply:
    return Reply(command, False, b"-ERR " + text if text else b"-ERR", text, code, False)


@dataclass(frozen=True)
class Case:
    """In `state` the commands are sent, then the bytes fed: these events come, and this is the state."""

    state: State
    commands: tuple[Command, ...]
    fed: bytes
    events: tuple[Event, ...]
    after: State


A, T = State.AUTHORIZATION, State.TRANSACTION
CASES = {
    "greeting": Case(
        State.GREETING, (), b"+OK hi\r\n", (Greeting(True, b"hi", b"+OK hi", None),), State.AUTHORIZATION
    ),
    "greeting with a stamp": Case(
        State.GREETING,
        (),
        b"+OK ready <1.2@h>\r\n",
        (Greeting(True, b"ready <1.2@h>", b"+OK ready <1.2@h>", b"<1.2@h>"),),
        A,
    ),
    "greeting with LF alone": Case(State.GREETING, (), b"+OK\n", (Greeting(True, b"", b"+OK", None),), A),
    "greeting refused": Case(
        State.GREETING, (), b"-ERR busy <1@h>\r\n", (Greeting(False, b"busy <1@h>", b"-ERR busy <1@h>", None),),
        State.CLOSED,
    ),
    "CAPA": Case(
        A, (Capa(),), b"+OK list follows\r\nTOP\r\nUIDL\r\n.\r\n",
        (ok(Capa(), b"list follows", more=True), Listing(Capa(), b"TOP\r\nUIDL\r\n")), A,
    ),
    "CAPA refused": Case(A, (Capa(),), b"-ERR what?\r\n", (err(Capa(), b"what?"),), A),
    "UTF8": Case(A, (Utf8(),), b"+OK\r\n", (ok(Utf8()),), A),
    "UTF8 refused": Case(A, (Utf8(),), b"-ERR [UTF8] no\r\n", (err(Utf8(), b"[UTF8] no", "UTF8"),), A),
    "UTF8, USER and PASS at once": Case(
        A, (Utf8(), User("me"), PASSWORD), b"-ERR\r\n+OK\r\n+OK\r\n", (err(Utf8()), ok(User("me")), ok(PASSWORD)), T
    ),
    "USER": Case(A, (User("me"),), b"+OK\r\n", (ok(User("me")),), A),
    "USER and PASS at once": Case(
        A, (User("me"), PASSWORD), b"+OK send it\r\n+OK in\r\n", (ok(User("me"), b"send it"), ok(PASSWORD, b"in")), T
    ),
    "USER and PASS refused": Case(
        A, (User("me"), PASSWORD), b"-ERR no\r\n-ERR [AUTH] no\r\n",
        (err(User("me"), b"no"), err(PASSWORD, b"[AUTH] no", "AUTH")), A,
    ),
    "APOP": Case(A, (Apop("me", Secret("c4")),), b"+OK\r\n", (ok(Apop("me", Secret("c4"))),), T),
    "mailbox in use": Case(
        A, (Apop("me", Secret("c4")),), b"-ERR [in-use] wait\r\n",
        (err(Apop("me", Secret("c4")), b"[in-use] wait", "IN-USE"),), A,
    ),
    "AUTH in one step": Case(
        A, (Auth("PLAIN", Response(Secret("\0u\0p"))),), b"+OK\r\n", (ok(Auth("PLAIN", Response(Secret("\0u\0p")))),), T
    ),
    "AUTH refused": Case(A, (PLAIN,), b"-ERR no such mechanism\r\n", (err(PLAIN, b"no such mechanism"),), A),
    "AUTH challenged": Case(
        A, (PLAIN,), b"+ PDE+\r\n", (Continuation(PLAIN, b"+ ****", b"PDE+"),), State.CHALLENGED
    ),
    "AUTH with an empty challenge": Case(
        A, (PLAIN,), b"+ \r\n", (Continuation(PLAIN, b"+ ", b""),), State.CHALLENGED
    ),
    "AUTH challenged without the space": Case(
        A, (PLAIN,), b"+\r\n", (Continuation(PLAIN, b"+", b""),), State.CHALLENGED
    ),
    "AUTH challenged with what looks like +OK": Case(
        A, (PLAIN,), b"+OK==\r\n", (Continuation(PLAIN, b"+ ****", b"OK=="),), State.CHALLENGED
    ),
    "STLS": Case(A, (Stls(),), b"+OK go\r\n", (ok(Stls(), b"go"),), State.TLS_HANDSHAKE),
    "STLS refused": Case(A, (Stls(),), b"-ERR no\r\n", (err(Stls(), b"no"),), A),
    "QUIT before login": Case(A, (Quit(),), b"+OK bye\r\n", (ok(Quit(), b"bye"),), State.CLOSED),
    "STAT": Case(T, (Stat(),), b"+OK 2 320\r\n", (ok(Stat(), b"2 320"),), T),
    "response code on +OK": Case(T, (Noop(),), b"+OK [X/Y] z\r\n", (ok(Noop(), b"[X/Y] z", code="X/Y"),), T),
    "LIST and UIDL of one": Case(
        T, (List(1), Uidl(1)), b"+OK 1 120\r\n+OK 1 abc\r\n", (ok(List(1), b"1 120"), ok(Uidl(1), b"1 abc")), T
    ),
    "UIDL and LIST": Case(
        T, (Uidl(), List()), b"+OK\r\n1 a\r\n2 b\r\n.\r\n+OK\r\n1 1\r\n2 2\r\n.\r\n",
        (ok(Uidl(), more=True), Listing(Uidl(), b"1 a\r\n2 b\r\n"), ok(List(), more=True),
         Listing(List(), b"1 1\r\n2 2\r\n")), T,
    ),
    "STAT, UIDL and LIST": Case(
        T, (Stat(), Uidl(), List()), b"+OK 1 1\r\n+OK\r\n1 a\r\n.\r\n+OK\r\n1 1\r\n.\r\n",
        (ok(Stat(), b"1 1"), ok(Uidl(), more=True), Listing(Uidl(), b"1 a\r\n"), ok(List(), more=True),
         Listing(List(), b"1 1\r\n")), T,
    ),
    "STAT, UIDL and LIST refused": Case(
        T, (Stat(), Uidl(), List()), b"-ERR no\r\n-ERR\r\n-ERR\r\n",
        (err(Stat(), b"no"), err(Uidl()), err(List())), T,
    ),
    "LIST of nothing": Case(
        T, (List(),), b"+OK\r\n.\r\n", (ok(List(), more=True), Listing(List(), b"")), T
    ),
    "RETR": Case(
        T, (Retr(1),), b"+OK 7 octets\r\na\r\nb\r\n.\r\n",
        (ok(Retr(1), b"7 octets", more=True), BodyChunk(Retr(1), b"a\r\nb\r\n", True), BodyEnd(Retr(1), 6)), T,
    ),
    "RETR refused": Case(T, (Retr(9),), b"-ERR no such message\r\n", (err(Retr(9), b"no such message"),), T),
    "replies come in order": Case(
        T, (Retr(1), Retr(2), Dele(1), Top(3, 0), Noop()),
        b"+OK\r\na\r\n.\r\n-ERR gone\r\n+OK\r\n+OK\r\nh: 1\r\n\r\n.\r\n+OK\r\n",
        (ok(Retr(1), more=True), BodyChunk(Retr(1), b"a\r\n", True), BodyEnd(Retr(1), 3), err(Retr(2), b"gone"),
         ok(Dele(1)), ok(Top(3, 0), more=True), BodyChunk(Top(3, 0), b"h: 1\r\n\r\n", True), BodyEnd(Top(3, 0), 8),
         ok(Noop())), T,
    ),
    "QUIT": Case(T, (Quit(),), b"+OK bye\r\n", (ok(Quit(), b"bye"),), State.UPDATE),
    "QUIT refused": Case(T, (Quit(),), b"-ERR not all\r\n", (err(Quit(), b"not all"),), State.CLOSED),
    "DELE and QUIT at once": Case(
        T, (Dele(1), Dele(2), Quit()), b"+OK\r\n-ERR\r\n+OK\r\n", (ok(Dele(1)), err(Dele(2)), ok(Quit())), State.UPDATE
    ),
    "status lines may end in LF": Case(
        T, (Retr(1), Noop()), b"+OK\na\r\n.\r\n+OK\n",
        (ok(Retr(1), more=True), BodyChunk(Retr(1), b"a\r\n", True), BodyEnd(Retr(1), 3), ok(Noop())), T,
    ),
}  # fmt: skip


def run(case: Case) -> Machine:
    machine = in_state(case.state)
    wire = machine.send_many(case.commands)
    assert wire == b"".join(command.wire() for command in case.commands)
    assert machine.outstanding == len(case.commands)
    return machine


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_dialogue(case: Case) -> None:
    for pieces in cuts(case.fed):
        machine = run(case)
        assert feed(machine, pieces) == (list(case.events), None)
        assert machine.state is case.after
        assert machine.buffered == 0
        assert not machine.answering
        assert machine.outstanding == (case.after is State.CHALLENGED)
        assert machine.idle == (case.after in (A, T))


@pytest.mark.parametrize("trailing", [b"-ERR idle too long\r\n", b"junk\r\n", b"\0", b"+OK\r\n"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_dialogue_with_trailing_bytes(case: Case, trailing: bytes) -> None:
    for pieces in cuts(case.fed + trailing):
        events, error = feed(run(case), pieces)
        assert events == list(case.events)
        match case.after:
            case State.UPDATE | State.CLOSED:
                assert error is None
            case State.TLS_HANDSHAKE:
                assert isinstance(error, InjectedPlaintext)
            case _:
                assert isinstance(error, UnsolicitedReply)
                assert ("idle too long" in str(error)) == (trailing.startswith(b"-ERR"))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_dialogue_that_is_cut(case: Case) -> None:
    """Wherever the connection ends, it is an error, unless the session was over."""
    for i in range(len(case.fed) + 1):
        machine = run(case)
        feed(machine, [case.fed[:i]])
        if i == len(case.fed) and case.after in (State.UPDATE, State.CLOSED):
            machine.receive_eof()
            assert machine.state is State.CLOSED
        else:
            with pytest.raises(UnexpectedEof):
                machine.receive_eof()
            assert machine.state is State.BROKEN


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_command_has_one_final_event(case: Case) -> None:
    finals = [event.command for event in case.events if event.final and not isinstance(event, Greeting)]
    expected = [] if case.after is State.CHALLENGED else list(case.commands)
    assert finals == expected


ALL = (
    Capa(), Stls(), Utf8(), User("u"), PASSWORD, Apop("u", Secret("d")), PLAIN, SaslResponse(Response(Secret(""))),
    Stat(), List(), Uidl(), Retr(1), Top(1, 0), Dele(1), Noop(), Quit(),
)  # fmt: skip
ALLOWED: dict[State, set[type[Command]]] = {
    A: {Capa, Stls, Utf8, User, Pass, Apop, Auth, Quit},
    State.CHALLENGED: {SaslResponse},
    T: {Capa, Stat, List, Uidl, Retr, Top, Dele, Noop, Quit},
}


@pytest.mark.parametrize("state", State)
def test_what_may_be_sent(state: State) -> None:
    for command in ALL:
        machine = in_state(state)
        outstanding = machine.outstanding
        if type(command) in ALLOWED.get(state, set()):
            assert machine.send(command) == command.wire()
        else:
            with pytest.raises(RemoteProtocolError if state is State.BROKEN else LocalProtocolError):
                machine.send(command)
            assert machine.state is state
            assert machine.outstanding == outstanding


def test_send_many_is_all_or_nothing() -> None:
    machine = logged_in()
    with pytest.raises(LocalProtocolError):
        machine.send_many([Noop(), Quit(), Noop()])
    assert (machine.state, machine.outstanding) == (T, 0)
    assert machine.send_many([Noop(), Quit()]) == b"NOOP\r\nQUIT\r\n"


@pytest.mark.parametrize("barrier", [Stls(), PASSWORD, PLAIN, Quit()], ids=lambda c: type(c).__name__)
def test_nothing_is_pipelined_behind_a_turning_point(barrier: Command) -> None:
    machine = greeted()
    machine.send(barrier)
    with pytest.raises(LocalProtocolError):
        machine.send(Capa())


def test_the_same_error_stays() -> None:
    machine = logged_in()
    machine.send(Noop())
    assert len(machine.receive(b"+OK\r\n220 smtp\r\n")) == 1
    assert machine.state is State.BROKEN
    for call in (machine.check, lambda: machine.receive(b""), machine.receive_eof, lambda: machine.send(Noop())):
        with pytest.raises(UnsolicitedReply, match="220 smtp"):
            call()


def test_no_answer_of_pop3() -> None:
    for line in (
        b"220 mx ESMTP\r\n",
        b"HTTP/1.1 400 Bad\r\n",
        b"\x15\x03\x01",
        b"\r\n" * 9,
        b"\r\r\n",
        b" \r\n",
        b"+ go\r\n",
        b"-NO\r\n",
        b"+ok\r\n",
    ):
        for machine in (Machine(), run(CASES["STAT"])):
            with pytest.raises(RemoteProtocolError):
                machine.receive(line)
    with pytest.raises(RemoteProtocolError, match=r"\\x1b\[2J"):
        Machine().receive(b"\x1b[2J\r\n")


# --- STLS -----------------------------------------------------------------------------------------------------------


def test_tls_forgets_the_capabilities() -> None:
    machine = greeted()
    machine.send(Capa())
    machine.receive(b"+OK\r\nSTLS\r\n.\r\n")
    before = machine.capabilities
    assert before is not None
    assert before.stls
    machine.send(Stls())
    machine.receive(b"+OK\r\n")
    machine.tls_started()
    assert machine.capabilities is None
    assert machine.state is A
    assert machine.send(Capa()) == b"CAPA\r\n"


def test_refused_capa_means_none() -> None:
    machine = greeted()
    machine.send_many([Capa(), Capa(), PASSWORD])
    machine.receive(b"+OK\r\nSTLS\r\n.\r\n")
    before = machine.capabilities
    assert before is not None
    machine.receive(b"-ERR\r\n")
    assert machine.capabilities is None


@pytest.mark.parametrize("state", [state for state in State if state is not State.TLS_HANDSHAKE])
def test_tls_starts_only_after_stls(state: State) -> None:
    with pytest.raises(RemoteProtocolError if state is State.BROKEN else LocalProtocolError):
        in_state(state).tls_started()


def test_injected_bytes_are_seen_before_and_after_the_handshake() -> None:
    for injected in (b"+", b"+OK\r\n", b"\n", b"-ERR x\r\n", b"\x16\x03"):
        machine = run(CASES["STLS"])
        assert len(machine.receive(b"+OK\r\n" + injected)) == 1
        for call in (machine.check, machine.tls_started):
            with pytest.raises(InjectedPlaintext):
                call()


# --- unexpected lines -------------------------------------------------------------------------------------------------


def test_an_unfinished_line_is_no_reply_to_the_next_command() -> None:
    for state in (A, T, State.CHALLENGED):
        machine = in_state(state)
        assert machine.receive(b"+OK lo") == []
        with pytest.raises(UnsolicitedReply, match="lo"):
            machine.send(SaslResponse(Response(Secret("x"))) if state is State.CHALLENGED else Capa())
        assert machine.state is State.BROKEN


def test_a_server_that_leaves_says_why() -> None:
    machine = logged_in()
    with pytest.raises(UnsolicitedReply, match=r"Disconnected for inactivity\. \\x07"):
        machine.receive(b"-ERR Disconnected for inactivity. \x07\r\n")


def test_an_unfinished_farewell_is_quoted() -> None:
    machine = logged_in()
    machine.receive(b"-ERR shutting d")
    with pytest.raises(UnexpectedEof, match="shutting d"):
        machine.receive_eof()


def test_eof_says_what_was_awaited() -> None:
    machine = run(CASES["USER and PASS at once"])
    machine.receive(b"+OK\r\n")
    with pytest.raises(UnexpectedEof, match=r"PASS \*\*\*\*"):
        machine.receive_eof()
    machine = run(CASES["RETR"])
    machine.receive(b"+OK\r\nabc")
    with pytest.raises(UnexpectedEof, match="middle of its answer to RETR 1"):
        machine.receive_eof()


@pytest.mark.parametrize("line", [b"+OK welcome\r\n", b"+ PDE+\r\n"])
def test_a_cancelled_login_cannot_go_on(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="cancelled"):
        in_state(State.CANCELLING).receive(line)


def test_continuations_belong_to_auth_alone() -> None:
    machine = greeted()
    machine.send_many([Capa(), PLAIN])
    with pytest.raises(RemoteProtocolError):
        machine.receive(b"+ \r\n")


# --- stray octets ---------------------------------------------------------------------------------------------------

STRAY = (b"text\r\n", b"x", b"-- \r\n", b"--b\r\n", b"+ go\r\n", b"-OK\r\n", b"+ok\r\n", b".\r\n", b"\0", b"+" * 2000)
NOT_STRAY = (b"+OK\r\n", b"+OK again\n", b"-ERR shutting down\r\n", b"-ERR" + b"x" * 2000)


def test_stray_octets_behind_a_message() -> None:
    message = CASES["RETR"].fed
    for commands in ((Retr(1),), (Retr(1), Retr(2)), (Retr(1), Dele(3))):
        for octets in STRAY:
            for pieces in ([message + octets], [message, octets], [message, *(octets[i : i + 1] for i in range(2000))]):
                machine = logged_in()
                machine.send_many(commands)
                _, error = feed(machine, [piece for piece in pieces if piece])
                assert error is not None
                assert machine.stray_octets
                assert machine.state is State.BROKEN
        machine = logged_in()
        machine.send_many(commands)
        feed(machine, [message, b"--"])
        with pytest.raises(RemoteProtocolError):
            machine.receive_eof()
        assert machine.stray_octets


def test_a_line_that_becomes_stray_by_the_next_command() -> None:
    for octets, stray in ((b"--", True), (b"-", False), (b"+O", False), (b"-ERR sh", False)):
        machine = logged_in()
        machine.receive(octets)
        with pytest.raises(UnsolicitedReply):
            machine.send(Noop())
        assert machine.stray_octets is stray


def test_a_status_line_is_never_stray() -> None:
    for octets in NOT_STRAY:
        machine = run(CASES["RETR"])
        _, error = feed(machine, [CASES["RETR"].fed, octets])
        assert error is not None
        assert not machine.stray_octets


def test_a_connection_that_is_cut_has_no_stray_octets() -> None:
    for received in (b"", b"+", b"-ER", b"+OK", b"+OK\r\nte", b"+OK\r\nte\r\n.\r\n", b"+OK\r\nte\r\n.\r\n-"):
        machine = run(CASES["RETR"])
        machine.receive(received)
        with pytest.raises(UnexpectedEof):
            machine.receive_eof()
        assert not machine.stray_octets


# --- empty lines ----------------------------------------------------------------------------------------------------

BLANKS = (b"\r\n", b"\n", b"\n\r\n\n", b"\r\n" * 8)


@pytest.mark.parametrize("blanks", BLANKS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_empty_lines_before_a_status_line_are_skipped(case: Case, blanks: bytes) -> None:
    for pieces in cuts(blanks + case.fed):
        machine = run(case)
        assert feed(machine, pieces) == (list(case.events), None)
        assert (machine.state, machine.buffered) == (case.after, 0)


def test_empty_lines_between_replies_are_skipped() -> None:
    commands = (Dele(1), Retr(2), Uidl(), Dele(2), Quit())
    wire = b"+OK\r\n\r\n+OK\r\na\r\n.\r\n\r\n\r\n+OK\r\n1 a\r\n.\r\n\n-ERR\r\n" + b"\n" * 8 + b"+OK\r\n"
    for pieces in cuts(wire):
        machine = logged_in()
        machine.send_many(commands)
        events, error = feed(machine, pieces)
        assert error is None
        assert [event.command for event in events if event.final] == list(commands)  # type: ignore[union-attr]
        assert machine.state is State.UPDATE


@pytest.mark.parametrize("state", [State.GREETING, A, T, State.LOGGING_IN, State.CHALLENGED, State.QUITTING])
def test_more_than_eight_empty_lines(state: State) -> None:
    for end in (b"\n", b"\r\n"):
        machine = in_state(state)
        assert feed(machine, [end * 8]) == ([], None)
        with pytest.raises(RemoteProtocolError, match="more than 8 empty lines"):
            machine.receive(end)
        assert machine.stray_octets


@pytest.mark.parametrize("blanks", [b"\r\n", b"\n", b"\r", b"\r\n" * 8, b"\n" * 7 + b"\r"])
def test_empty_lines_when_nothing_is_awaited(blanks: bytes) -> None:
    """They belong to the next reply, however they are cut from it."""
    rest = b"\n" if blanks.endswith(b"\r") else b""
    machine = logged_in()
    for _ in range(3):
        assert machine.receive(blanks) == []
        assert machine.idle
        machine.send(Noop())
        assert machine.receive(rest + b"+OK\r\n") == [ok(Noop())]


def test_empty_lines_behind_a_challenge() -> None:
    machine = in_state(State.CHALLENGED)
    assert machine.receive(b"\r\n") == []
    machine.send(SaslResponse(Response(Secret("x"))))
    assert machine.receive(b"\r\n+ \r\n") == [Continuation(PLAIN, b"+ ", b"")]
    machine.send(SaslResponse(Response(Secret("x"))))
    assert machine.receive(b"\r\n+OK\r\n") == [ok(PLAIN)]
    assert machine.state is T


def test_an_empty_line_is_no_continuation() -> None:
    machine = in_state(State.LOGGING_IN)
    assert machine.receive(b"\r\n") == []
    assert machine.state is State.LOGGING_IN


def test_empty_lines_alone_are_not_stray() -> None:
    for blanks in (b"\r\n", b"\n\n", b"\r"):
        machine = logged_in()
        machine.receive(blanks)
        with pytest.raises(UnexpectedEof):
            machine.receive_eof()
        assert not machine.stray_octets
        machine = logged_in()
        _, error = feed(machine, [blanks, b"\nSecond paragraph\r\n"])
        assert isinstance(error, UnsolicitedReply)
        assert machine.stray_octets


# --- views ----------------------------------------------------------------------------------------------------------


def test_answering() -> None:
    machine = logged_in()
    machine.send_many([List(), Retr(1), Retr(2)])
    seen = []
    for piece in (b"+OK\r\n1 1", b"\r\n.\r\n+OK", b"\r\n", b"x\r\n.\r", b"\n+OK\r\n", b".\r\n"):
        machine.receive(piece)
        seen.append(machine.answering)
    assert seen == [True, False, True, True, True, False]


def test_other_buffers_are_taken() -> None:
    machine = run(CASES["RETR"])
    whole = bytearray(CASES["RETR"].fed)
    events = machine.receive(memoryview(whole)[:20]) + machine.receive(whole[20:])
    whole[:] = bytes(len(whole))
    assert feed(run(CASES["RETR"]), [CASES["RETR"].fed])[0] == merged(events)
    assert all(type(event.data) is bytes for event in events if isinstance(event, BodyChunk))
