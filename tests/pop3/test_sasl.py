"""SASL exchanges and the APOP digest."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tui_popretr.pop3 import (
    Auth,
    Continuation,
    Exchange,
    LocalProtocolError,
    Machine,
    Reply,
    SaslCancel,
    SaslResponse,
    State,
    apop_digest,
    begin,
)
from tui_popretr.pop3.sasl import EXCHANGES, register
from tui_popretr.secret import Secret

from .dialogue import greeted

S = Secret("tanstaaftanstaaf")


def challenge(payload: bytes) -> Continuation:
    return Continuation(Auth("X"), b"+ " + payload, payload)


def test_apop_digest_of_the_rfc() -> None:
    digest = apop_digest(b"<1896.697170952@dbc.mtview.ca.us>", Secret("tanstaaf"))
    assert digest.reveal() == "c4c9334bac560ecc979e58001b3e22fb"
    assert "c4c9" not in repr(digest)


def test_cram_md5_of_the_rfc() -> None:
    exchange = begin("CRAM-MD5", "tim", S)
    assert exchange.start() == Auth("CRAM-MD5")
    answer = exchange.answer(challenge(b"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"))
    assert answer.wire() == b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"
    assert exchange.problem is None
    # asked once more, it has nothing to say
    assert isinstance(exchange.answer(challenge(b"PDE+")), SaslCancel)
    assert exchange.problem is not None


def test_cram_md5_has_no_initial_response() -> None:
    assert begin("CRAM-MD5", "tim", S, initial_response=True).start().wire() == b"AUTH CRAM-MD5\r\n"


def test_plain() -> None:
    exchange = begin("PLAIN", "me", Secret("pw"))
    assert exchange.start().wire() == b"AUTH PLAIN\r\n"
    assert exchange.answer(challenge(b"")).wire() == b64encode(b"\0me\0pw") + b"\r\n"
    assert isinstance(exchange.answer(challenge(b"")), SaslCancel)


def test_plain_with_initial_response() -> None:
    exchange = begin("PLAIN", "me", Secret("pw"), initial_response=True)
    assert exchange.start().wire() == b"AUTH PLAIN " + b64encode(b"\0me\0pw") + b"\r\n"
    assert isinstance(exchange.answer(challenge(b"")), SaslCancel)


def test_plain_too_long_for_one_line() -> None:
    exchange = begin("PLAIN", "me", Secret("p" * 300), initial_response=True)
    assert exchange.start().wire() == b"AUTH PLAIN\r\n"
    assert exchange.answer(challenge(b"")).wire() == b64encode(b"\0me\0" + b"p" * 300) + b"\r\n"


@pytest.mark.parametrize("username", [None, "me"])
def test_external(username: str | None) -> None:
    exchange = begin("EXTERNAL", username, None)
    assert exchange.start().wire() == b"AUTH EXTERNAL\r\n"
    assert exchange.answer(challenge(b"")).wire() == b"\r\n"
    exchange = begin("EXTERNAL", username, None, initial_response=True)
    assert exchange.start().wire() == b"AUTH EXTERNAL =\r\n"
    assert isinstance(exchange.answer(challenge(b"")), SaslCancel)


@pytest.mark.parametrize(
    ("mechanism", "payload", "problem"),
    [
        ("CRAM-MD5", b"", "empty"),
        ("CRAM-MD5", b"not base64!", "base64"),
        ("CRAM-MD5", b"PDE", "base64"),
        ("CRAM-MD5", b"\xff\xfe", "base64"),
        ("CRAM-MD5", b"A===", "base64"),
        ("CRAM-MD5", b64encode(b"x" * 1025), "long"),
        ("PLAIN", b"go ahead", "base64"),
        ("EXTERNAL", b"?", "base64"),
    ],
)
def test_bad_challenges_are_cancelled(mechanism: str, payload: bytes, problem: str) -> None:
    exchange = begin(mechanism, "me", S)
    exchange.start()
    answer = exchange.answer(challenge(payload))
    assert answer.wire() == b"*\r\n"
    assert exchange.problem is not None
    assert problem in exchange.problem
    # and it stays so
    assert isinstance(exchange.answer(challenge(b"PDE+")), SaslCancel)
    assert problem in exchange.problem


@pytest.mark.parametrize("mechanism", ["PLAIN", "CRAM-MD5"])
def test_missing_credentials(mechanism: str) -> None:
    for username, password in ((None, S), ("", S), ("me", None), ("m\0e", S), ("me", Secret("p\0w"))):
        with pytest.raises(LocalProtocolError):
            begin(mechanism, username, password)


def test_unknown_mechanism() -> None:
    with pytest.raises(LocalProtocolError):
        begin("KERBEROS_V4", "me", S)


def test_digests_are_secrets() -> None:
    exchange = begin("CRAM-MD5", "tim", S)
    exchange.start()
    answer = exchange.answer(challenge(b"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"))
    assert "b913a602" not in repr(answer)
    assert b"b913a602c7eda7a495b4e6e7334d3890" in answer.secrets()


def converse(machine: Machine, exchange: Exchange, lines: list[bytes]) -> tuple[list[bytes], Reply | None]:
    """Play an exchange against the server's lines; return what we sent and the outcome."""
    sent = [machine.send(exchange.start())]
    for line in lines:
        (event,) = machine.receive(line)
        if isinstance(event, Reply):
            return sent, event
        assert isinstance(event, Continuation)
        sent.append(machine.send(exchange.answer(event)))
    return sent, None


def test_a_whole_login() -> None:
    machine = greeted()
    sent, reply = converse(machine, begin("PLAIN", "me", Secret("pw")), [b"+ \r\n", b"+OK in\r\n"])
    assert sent == [b"AUTH PLAIN\r\n", b"AG1lAHB3\r\n"]
    assert reply is not None
    assert reply.ok
    assert reply.command == Auth("PLAIN")
    assert (machine.state, machine.outstanding) == (State.TRANSACTION, 0)


def test_a_cancelled_login_leaves_the_next_one_free() -> None:
    machine = greeted()
    sent, reply = converse(machine, begin("CRAM-MD5", "me", S), [b"+ \r\n", b"-ERR cancelled\r\n"])
    assert sent == [b"AUTH CRAM-MD5\r\n", b"*\r\n"]
    assert reply is not None
    assert not reply.ok
    sent, reply = converse(machine, begin("PLAIN", "me", Secret("pw"), initial_response=True), [b"+OK\r\n"])
    assert machine.state is State.TRANSACTION


def test_a_mechanism_can_be_added() -> None:
    class TwoSteps(Exchange):
        mechanism = "X-TWO"

        def opening(self) -> None:
            return None

        def respond(self, challenge: bytes, /) -> SaslResponse:
            return SaslResponse(Secret(challenge.decode()[::-1]))

    register(TwoSteps)
    try:
        sent, reply = converse(greeted(), begin("X-TWO", None, None), [b"+ YWI=\r\n", b"+ Y2Q=\r\n", b"+OK\r\n"])
    finally:
        del EXCHANGES["X-TWO"]
    assert sent == [b"AUTH X-TWO\r\n", b"YmE=\r\n", b"ZGM=\r\n"]
    assert reply is not None
