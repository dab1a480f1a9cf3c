"""No secret of ours is in any event or error, also when the server echoes it."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tests.support.pieces import cuts
from tui_popretr.pop3 import (
    Apop,
    Auth,
    Capa,
    Command,
    Continuation,
    List,
    LocalProtocolError,
    Machine,
    Pass,
    RemoteProtocolError,
    Reply,
    SaslResponse,
    Stat,
    User,
    parse_stat,
    parse_uidl,
)
from tui_popretr.sasl import Response
from tui_popretr.secret import Secret

from .dialogue import authentication, feed, greeted

PASSWORD = "hunter2"
RAW = f"\0me\0{PASSWORD}"
CODED = b64encode(RAW.encode())
HIDDEN = (PASSWORD, RAW, CODED.decode(), repr(RAW))
USERPASS: tuple[Command, ...] = (User("me"), Pass(Secret(PASSWORD)))
APOP: tuple[Command, ...] = (Apop("me", Secret(PASSWORD)),)
SASL: tuple[Command, ...] = (authentication("PLAIN", "me", Secret(PASSWORD), initial_response=True).start(),)
LOGINS = {"USERPASS": USERPASS, "APOP": APOP, "SASL": SASL}
ECHOES = [PASSWORD.encode(), b"PASS hunter2 PASS hunter2"]
SASL_ECHOES = [*ECHOES, RAW.encode(), CODED]


def assert_clean(*things: object) -> None:
    for thing in things:
        for text in (repr(thing), str(thing)):
            assert not [secret for secret in HIDDEN if secret in text]


@pytest.mark.parametrize(
    ("login", "echo"),
    [(login, echo) for login in LOGINS.values() for echo in (SASL_ECHOES if login is SASL else ECHOES)],
)
def test_echoed_in_a_reply(login: tuple[Command, ...], echo: bytes) -> None:
    for head in (b"-ERR bad: ", b"+OK ", b"-ERR ["):
        line = head + echo + (b"]" if head.endswith(b"[") else b"") + b"\r\n"
        for pieces in cuts(line * len(login)):
            machine = greeted()
            machine.send_many(login)
            events, error = feed(machine, pieces)
            assert error is None
            assert [type(event) for event in events] == [Reply] * len(login)
            assert_clean(*events)
            last = events[-1]
            assert isinstance(last, Reply)
            assert b"****" in last.line
            assert b"****" in last.text
            assert last.code is None


@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
def test_echoed_in_what_is_no_reply(login: tuple[Command, ...]) -> None:
    for line in (b"? hunter2\r\n", b"\x1b hunter2\r\n", b"-ERR hunter2 " + b"x" * 13_000):
        machine = greeted()
        machine.send_many(login)
        with pytest.raises(RemoteProtocolError, match=r"\*\*\*\*") as caught:
            machine.receive(line)
        assert_clean(caught.value)


def test_half_an_echo() -> None:
    machine = greeted()
    machine.send_many(USERPASS)
    with pytest.raises(RemoteProtocolError) as caught:
        machine.receive(b"? hunt")
    assert "hunt" not in str(caught.value)


def test_echoed_in_what_nobody_asked_for() -> None:
    machine = greeted()
    machine.send_many(USERPASS)
    machine.receive(b"+OK\r\n-ERR no\r\n")
    with pytest.raises(RemoteProtocolError, match=r"\*\*\*\*") as caught:
        machine.receive(b"-ERR unknown command hunter2\r\n")
    assert_clean(caught.value)


def test_echoed_in_a_challenge() -> None:
    machine = greeted()
    machine.send(Auth("PLAIN"))
    machine.receive(b"+ \r\n")
    machine.send(SaslResponse(Response(Secret(RAW), hide=Secret(PASSWORD))))
    (event,) = machine.receive(b"+ " + CODED + b"\r\n")
    assert isinstance(event, Continuation)
    assert event.line == b"+ ****"
    assert event.payload == CODED
    assert_clean(event)
    machine.send(SaslResponse(Response(Secret(""))))
    (event,) = machine.receive(b"-ERR hunter2 " + CODED + b"\r\n")
    assert_clean(event)


def test_cram_digest_echoed() -> None:
    machine, authenticating = greeted(), authentication("CRAM-MD5", "me", Secret(PASSWORD))
    machine.send(authenticating.start())
    (event,) = machine.receive(b"+ PDE+\r\n")
    assert isinstance(event, Continuation)
    answer = authenticating.answer(event)
    machine.send(answer)
    digest = answer.secrets()[-1]
    assert len(digest) == 32
    (event,) = machine.receive(b"-ERR bad digest " + digest + b"\r\n")
    assert isinstance(event, Reply)
    assert event.text == b"bad digest ****"


def test_the_codes_that_matter_survive_a_like_named_password() -> None:
    machine = greeted()
    machine.send(Pass(Secret("IN-USE")))
    (event,) = machine.receive(b"-ERR [IN-USE] wait\r\n")
    assert isinstance(event, Reply)
    assert event.code == "IN-USE"


def test_status_and_empty_password_survive() -> None:
    for password in ("", "O", "+OK", "-ERR", "*"):
        machine: Machine = greeted()
        machine.send(Pass(Secret(password)))
        (event,) = machine.receive(b"+OK logged in\r\n")
        assert isinstance(event, Reply)
        assert event.ok
        assert event.line.startswith(b"+OK ")


def test_after_login_lines_are_left_as_they_are() -> None:
    machine = greeted()
    machine.send(Pass(Secret("2")))
    machine.receive(b"+OK\r\n")
    machine.send(Stat())
    (event,) = machine.receive(b"+OK 2 320\r\n")
    assert isinstance(event, Reply)
    assert event.text == b"2 320"


@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
@pytest.mark.parametrize("head", [b"-ERR you said ", b"+OK ", b"+OK 2 320 "])
def test_echoed_long_after_the_login(login: tuple[Command, ...], head: bytes) -> None:
    for accepted in (b"+OK\r\n", b"-ERR\r\n"):
        machine = greeted()
        machine.send_many(login)
        machine.receive(accepted * len(login))
        for _ in range(2):
            machine.send(Stat() if accepted == b"+OK\r\n" else User("me"))
            (event,) = machine.receive(head + b"hunter2\r\n")
            assert isinstance(event, Reply)
            assert event.line == head + b"****"
            assert event.text == head[4:].lstrip() + b"****"


@pytest.mark.parametrize("password", ["1200", "12001", "3 1200", "octets"])
def test_numbers_are_read_after_login_whatever_the_password(password: str) -> None:
    machine = greeted()
    machine.send(Pass(Secret(password)))
    machine.receive(b"+OK\r\n")
    machine.send(Stat())
    (event,) = machine.receive(b"+OK 3 12001 octets\r\n")
    assert isinstance(event, Reply)
    assert parse_stat(event.text) == (3, 12001)
    assert password.encode() not in event.line


def test_echoed_among_capabilities() -> None:
    for accepted in (b"+OK\r\n", b"-ERR\r\n"):
        machine = greeted()
        machine.send_many(SASL)
        machine.receive(accepted)
        machine.send(Capa())
        rows = b"SASL PLAIN\r\nX-YOU-SAID " + PASSWORD.encode() + b"\r\nIMPLEMENTATION " + CODED + b" 1.0\r\n"
        machine.receive(b"+OK\r\n" + rows + b".\r\n")
        capabilities = machine.capabilities
        assert capabilities is not None
        assert_clean(capabilities, capabilities.lines, capabilities.params("IMPLEMENTATION"))
        assert capabilities.lines == ("SASL PLAIN", "X-YOU-SAID ****", "IMPLEMENTATION **** 1.0")
        assert capabilities.sasl == ("PLAIN",)


def test_a_password_that_is_the_name_of_a_capability() -> None:
    machine = greeted()
    machine.send(Pass(Secret("UIDL")))
    machine.receive(b"+OK\r\n")
    machine.send(Capa())
    machine.receive(b"+OK\r\nUIDL\r\nTOP\r\n.\r\n")
    capabilities = machine.capabilities
    assert capabilities is not None
    assert capabilities.uidl
    assert capabilities.lines == ("****", "TOP")


def test_half_an_echo_after_the_login() -> None:
    machine = greeted()
    machine.send_many(USERPASS)
    machine.receive(b"+OK\r\n+OK\r\n")
    machine.send(Stat())
    with pytest.raises(RemoteProtocolError) as caught:
        machine.receive(b"? hunt")
    assert "hunt" not in str(caught.value)


def test_echoed_in_an_overlong_row() -> None:
    long = "hunter2" * 5
    for row in (b"1 320 hunter2 " + b"x" * 8200, b"1 " + b"x" * 20 + b" " + long.encode() * 2 + b"x" * 8200):
        machine = greeted()
        machine.send(Pass(Secret("hunter2" if b"hunter2 x" in row else long * 2)))
        machine.receive(b"+OK\r\n")
        machine.send(List())
        with pytest.raises(RemoteProtocolError, match=r"has an overlong row: 1 .*\*\*\*\*") as caught:
            feed_all(machine, b"+OK\r\n" + row + b"\r\n.\r\n")
        assert "hunter2" not in str(caught.value)


def test_a_secret_in_a_unique_id() -> None:
    """A long one makes it unusable; a short one is in it by chance."""
    for password, usable in (("12345678", False), ("1234567", True)):
        machine = greeted()
        machine.send(Pass(Secret(password)))
        machine.receive(b"+OK\r\n")
        data = b"1 a%bz\r\n2 b\r\n" % password.encode()
        uids = parse_uidl(data, 2, machine.contains_secret)
        assert uids == ({1: f"a{password}z", 2: "b"} if usable else {2: "b"})


def feed_all(machine: Machine, octets: bytes) -> None:
    for number in range(len(octets)):
        machine.receive(octets[number : number + 1])
        machine.check()


def test_half_an_echo_in_an_endless_line_and_at_the_end() -> None:
    token = "t0ken" * 500
    for said in (b"-ERR you said " + token.encode()[:1400], b"-ERR " + token.encode()[:900]):
        machine = greeted()
        machine.send(Pass(Secret(token)))
        machine.receive(b"+OK\r\n")
        with pytest.raises(RemoteProtocolError) as caught:
            machine.receive(said)
            machine.receive_eof()
        assert "t0ken" not in str(caught.value)
        assert "****" in str(caught.value)


def test_errors_of_ours_show_no_secret() -> None:
    for command in (Pass(Secret(PASSWORD)), Apop("me", Secret(PASSWORD)), SaslResponse(Response(Secret(PASSWORD)))):
        with pytest.raises(LocalProtocolError) as caught:
            Machine().send(command)
        assert_clean(caught.value)
