"""The commands: on the wire, in logs, and what cannot stand on a line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tui_popretr.sasl import Response, begin
from tui_popretr.secret import Secret
from tui_popretr.smtp import (
    WINDOW,
    Auth,
    Authentication,
    Command,
    Data,
    Ehlo,
    Extensions,
    Helo,
    Lhlo,
    LocalProtocolError,
    Mail,
    Rcpt,
    Reply,
    SaslCancel,
    SaslResponse,
    StartTls,
    groups,
)

SECRET = Response(Secret("geheim"))


@pytest.mark.parametrize(
    ("command", "wire", "shown"),
    [
        (Ehlo("client.test"), b"EHLO client.test", "EHLO client.test"),
        (Lhlo("[127.0.0.1]"), b"LHLO [127.0.0.1]", "LHLO [127.0.0.1]"),
        (Helo("x"), b"HELO x", "HELO x"),
        (StartTls(), b"STARTTLS", "STARTTLS"),
        (Auth("PLAIN"), b"AUTH PLAIN", "AUTH PLAIN"),
        (Auth("PLAIN", SECRET), b"AUTH PLAIN Z2VoZWlt", "AUTH PLAIN ****"),
        (Auth("PLAIN", Response(Secret(""))), b"AUTH PLAIN =", "AUTH PLAIN ****"),
        (SaslResponse(SECRET), b"Z2VoZWlt", "****"),
        (SaslCancel(), b"*", "*"),
        (Mail("a@x.test"), b"MAIL FROM:<a@x.test>", "MAIL FROM:<a@x.test>"),
        (
            Mail("ü@x.test", size=7, eight_bit=True, utf8=True),
            "MAIL FROM:<ü@x.test> SIZE=7 BODY=8BITMIME SMTPUTF8".encode(),
            "MAIL FROM:<ü@x.test> SIZE=7 BODY=8BITMIME SMTPUTF8",
        ),
        (Rcpt("a@x.test"), b"RCPT TO:<a@x.test>", "RCPT TO:<a@x.test>"),
        (Data(), b"DATA", "DATA"),
    ],
)
def test_the_two_forms(command: Command, wire: bytes, shown: str) -> None:
    assert (command.wire(), command.shown()) == (wire + b"\r\n", shown)
    assert bool(command.secrets()) == ("****" in shown and command != Auth("PLAIN", Response(Secret(""))))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Ehlo("a\r\nQUIT"),
        lambda: Ehlo("ü"),
        lambda: Mail("a\nb"),
        lambda: Mail("ü@x.test"),
        lambda: Mail("a> SIZE=1"),
        lambda: Rcpt("a\0"),
        lambda: Rcpt("a\r"),
        lambda: Rcpt("\udcff", utf8=True),
        lambda: Auth("PLAIN X"),
        lambda: Auth(""),
    ],
)
def test_an_argument_that_cannot_stand_on_a_line(make: Callable[[], Command]) -> None:
    with pytest.raises(LocalProtocolError):
        make()


# --- extensions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"", Extensions()),
        (b"SIZE", Extensions(size=True)),
        (b"SIZE 0", Extensions(size=True)),
        (b"size 1000", Extensions(size=True, largest=1000)),
        (b"SIZE 1000 x", Extensions(size=True, largest=1000)),
        (b"SIZE " + b"9" * 19, Extensions(size=True)),
        (b"SIZE \xd9\xa1", Extensions(size=True)),
        (b"SIZE -1", Extensions(size=True)),
        (b"8BITMIME", Extensions(eight_bit=True)),
        (b"SMTPUTF8 x", Extensions(utf8=True)),
        (b"pipelining", Extensions(pipelining=True)),
        (b"PIPELININGS", Extensions()),
        (b"STARTTLS", Extensions(starttls=True)),
        (b"AUTH plain LOGIN PLAIN", Extensions(mechanisms=("PLAIN", "LOGIN"))),
        (b"AUTH=CRAM-MD5", Extensions(mechanisms=("CRAM-MD5",))),
        (b"\xff\xfe", Extensions()),
    ],
)
def test_extensions(line: bytes, expected: Extensions) -> None:
    assert Extensions.parse((b"mx", line)) == expected
    assert Extensions.parse((line,)) == Extensions(), "the first line is the greeting"


def test_auth_in_two_forms() -> None:
    assert Extensions.parse((b"mx", b"AUTH PLAIN", b"AUTH=LOGIN PLAIN")).mechanisms == ("PLAIN", "LOGIN")


# --- SASL -------------------------------------------------------------------------------------------------------------


def challenge(text: bytes) -> Reply:
    return Reply(334, (text,))


def test_the_initial_response_is_sent_with_auth() -> None:
    assert Authentication(begin("PLAIN", "me", Secret("x"))).start().wire() == b"AUTH PLAIN AG1lAHg=\r\n"


def test_a_long_initial_response_answers_the_first_challenge() -> None:
    authentication = Authentication(begin("PLAIN", "me", Secret("x" * 200)))
    assert authentication.start().wire() == b"AUTH PLAIN\r\n"
    answer = authentication.answer(challenge(b""))
    assert isinstance(answer, SaslResponse)
    assert len(answer.wire()) > 253


def test_a_challenge_that_is_not_base64_is_cancelled() -> None:
    authentication = Authentication(begin("CRAM-MD5", "me", Secret("x")))
    assert authentication.start().wire() == b"AUTH CRAM-MD5\r\n"
    assert isinstance(authentication.answer(challenge(b"PDE+")), SaslResponse)
    assert authentication.answer(challenge(b"?")) == SaslCancel()
    assert authentication.exchange.problem


# --- the window -------------------------------------------------------------------------------------------------------


def test_one_by_one_without_pipelining() -> None:
    commands: list[Command] = [Mail("a@x.test"), Rcpt("b@x.test"), Data()]
    assert list(groups(commands, pipelining=False)) == [[each] for each in commands]
    assert list(groups(commands, pipelining=True)) == [commands]
    assert list(groups([], pipelining=True)) == []


def test_a_group_fits_into_the_window() -> None:
    commands: list[Command] = [Rcpt(f"{'r' * 40}{number}@x.test") for number in range(300)]
    found = list(groups(commands, pipelining=True))
    sizes = [sum(len(each.wire()) for each in group) for group in found]
    assert [each for group in found for each in group] == commands
    assert max(sizes) <= WINDOW
    assert min(sizes[:-1]) > WINDOW - 100


def test_a_command_larger_than_the_window_is_sent_alone() -> None:
    large = Rcpt("r" * 2 * WINDOW)
    assert list(groups([Data(), large, Data()], pipelining=True)) == [[Data()], [large], [Data()]]
