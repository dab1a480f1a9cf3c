"""Commands: their two forms, and what cannot be sent."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tui_popretr.pop3 import (
    Apop,
    Auth,
    Capa,
    Command,
    Dele,
    List,
    LocalProtocolError,
    Noop,
    Pass,
    Quit,
    Retr,
    SaslCancel,
    SaslResponse,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
)
from tui_popretr.sasl import Response
from tui_popretr.secret import Secret

S = Secret


@pytest.mark.parametrize(
    ("command", "wire", "shown"),
    [
        (Capa(), b"CAPA\r\n", "CAPA"),
        (Stls(), b"STLS\r\n", "STLS"),
        (Utf8(), b"UTF8\r\n", "UTF8"),
        (User("me"), b"USER me\r\n", "USER me"),
        (User("jürgen"), "USER jürgen\r\n".encode(), "USER jürgen"),
        (User("\udce9t\udce9"), b"USER \xe9t\xe9\r\n", r"USER \xe9t\xe9"),
        (User("a\x1b[2Jb"), b"USER a\x1b[2Jb\r\n", r"USER a\x1b[2Jb"),
        (Pass(S("pass word ")), b"PASS pass word \r\n", "PASS ****"),
        (Pass(S("")), b"PASS \r\n", "PASS ****"),
        (Apop("me", S("c4c9")), b"APOP me c4c9\r\n", "APOP me ****"),
        (Auth("CRAM-MD5"), b"AUTH CRAM-MD5\r\n", "AUTH CRAM-MD5"),
        (Auth("PLAIN", Response(S("\0me\0pw"))), b"AUTH PLAIN AG1lAHB3\r\n", "AUTH PLAIN ****"),
        (Auth("EXTERNAL", Response(S(""))), b"AUTH EXTERNAL =\r\n", "AUTH EXTERNAL ="),
        (SaslResponse(Response(S("\0me\0pw"))), b"AG1lAHB3\r\n", "****"),
        (SaslResponse(Response(S(""))), b"\r\n", "****"),
        (SaslCancel(), b"*\r\n", "*"),
        (Stat(), b"STAT\r\n", "STAT"),
        (List(), b"LIST\r\n", "LIST"),
        (List(7), b"LIST 7\r\n", "LIST 7"),
        (Uidl(), b"UIDL\r\n", "UIDL"),
        (Uidl(7), b"UIDL 7\r\n", "UIDL 7"),
        (Retr(1), b"RETR 1\r\n", "RETR 1"),
        (Top(3, 0), b"TOP 3 0\r\n", "TOP 3 0"),
        (Dele(12), b"DELE 12\r\n", "DELE 12"),
        (Noop(), b"NOOP\r\n", "NOOP"),
        (Quit(), b"QUIT\r\n", "QUIT"),
    ],
)
def test_two_forms(command: Command, wire: bytes, shown: str) -> None:
    assert command.wire() == wire
    assert command.shown() == shown


def test_which_replies_have_data() -> None:
    collected = {type(c) for c in (Capa(), List(), Uidl()) if c.multiline and not c.streamed}
    streamed = {type(c) for c in (Retr(1), Top(1, 0)) if c.multiline and c.streamed}
    assert (collected, streamed) == ({Capa, List, Uidl}, {Retr, Top})
    single = [Stls(), User("u"), Pass(S("")), Auth("X"), Stat(), List(1), Uidl(1), Dele(1), Noop(), Quit()]
    assert not any(command.multiline or command.streamed for command in single)


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\0b", "a\r\nDELE 1", "\ud800hunter2"])
def test_no_argument_escapes_its_line(bad: str) -> None:
    for build in (User, lambda t: Pass(S(t)), lambda t: Apop(t, S("d")), lambda t: Apop("u", S(t))):
        with pytest.raises(LocalProtocolError) as caught:
            build(bad)
        assert "hunter2" not in str(caught.value)
        # a UnicodeEncodeError would carry the secret along
        assert caught.value.__context__ is None


@pytest.mark.parametrize("mechanism", ["", "plain", "PLAIN X", "PLAIN\r\n", "A" * 21])
def test_mechanism_names(mechanism: str) -> None:
    with pytest.raises(LocalProtocolError):
        Auth(mechanism)


def test_empty_username() -> None:
    with pytest.raises(LocalProtocolError):
        User("")


def test_message_numbers() -> None:
    for build in (Retr, Dele, List, Uidl, lambda n: Top(n, 0)):
        with pytest.raises(LocalProtocolError):
            build(0)
    with pytest.raises(LocalProtocolError):
        Top(1, -1)


def test_initial_response_fits_a_line_of_255_octets() -> None:
    room = 255 - len(b"AUTH PLAIN \r\n")
    fits = Response(S("x" * (room // 4 * 3)))
    long = Response(S("x" * (room // 4 * 3 + 1)))
    assert (Auth.fits("PLAIN", fits), Auth.fits("PLAIN", long)) == (True, False)
    assert 250 < len(Auth("PLAIN", fits).wire()) <= 255
    with pytest.raises(LocalProtocolError):
        Auth("PLAIN", long)


def test_no_secret_in_any_repr() -> None:
    secret = S("hunter2")
    for command in (
        Pass(secret),
        Apop("me", secret),
        Auth("PLAIN", Response(secret, hide=secret)),
        SaslResponse(Response(secret, hide=secret)),
    ):
        for text in (repr(command), str(command), f"{command}", command.shown()):
            assert "hunter2" not in text
            assert b64encode(b"hunter2").decode() not in text


def test_commands_are_values() -> None:
    assert Retr(1) == Retr(1) != Retr(2)
    assert len({Retr(1), Retr(1), Dele(1)}) == 2
    with pytest.raises(AttributeError):
        Retr(1).message = 2  # type: ignore[misc]
