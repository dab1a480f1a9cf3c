"""SASL exchanges and the APOP digest."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from tui_popretr.pop3 import (
    Auth,
    Authentication,
    Continuation,
    Machine,
    Reply,
    SaslCancel,
    SaslResponse,
    State,
    apop_digest,
)
from tui_popretr.sasl import EXCHANGES, Endpoint, Exchange, MechanismUnusable, Response
from tui_popretr.secret import Secret

from .dialogue import authentication, greeted

S = Secret("tanstaaftanstaaf")


def challenge(payload: bytes) -> Continuation:
    return Continuation(Auth("X"), b"+ " + payload, payload)


def test_apop_digest_of_the_rfc() -> None:
    digest = apop_digest(b"<1896.697170952@dbc.mtview.ca.us>", Secret("tanstaaf"))
    assert digest.reveal() == "c4c9334bac560ecc979e58001b3e22fb"
    assert "c4c9" not in repr(digest)


def test_cram_md5_of_the_rfc() -> None:
    auth = authentication("CRAM-MD5", "tim", S)
    assert auth.start() == Auth("CRAM-MD5")
    answer = auth.answer(challenge(b"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"))
    assert answer.wire() == b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"
    assert auth.exchange.problem is None
    # asked once more, it has nothing to say
    assert isinstance(auth.answer(challenge(b"PDE+")), SaslCancel)
    assert auth.exchange.problem is not None


def test_cram_md5_has_no_initial_response() -> None:
    assert authentication("CRAM-MD5", "tim", S, initial_response=True).start().wire() == b"AUTH CRAM-MD5\r\n"


def test_plain() -> None:
    auth = authentication("PLAIN", "me", Secret("pw"))
    assert auth.start().wire() == b"AUTH PLAIN\r\n"
    assert auth.answer(challenge(b"")).wire() == b64encode(b"\0me\0pw") + b"\r\n"
    assert isinstance(auth.answer(challenge(b"")), SaslCancel)


def test_plain_with_initial_response() -> None:
    auth = authentication("PLAIN", "me", Secret("pw"), initial_response=True)
    assert auth.start().wire() == b"AUTH PLAIN " + b64encode(b"\0me\0pw") + b"\r\n"
    assert isinstance(auth.answer(challenge(b"")), SaslCancel)


def test_plain_too_long_for_one_line() -> None:
    auth = authentication("PLAIN", "me", Secret("p" * 300), initial_response=True)
    assert auth.start().wire() == b"AUTH PLAIN\r\n"
    assert auth.answer(challenge(b"")).wire() == b64encode(b"\0me\0" + b"p" * 300) + b"\r\n"


@pytest.mark.parametrize("prompts", [(b"Username:", b"Password:"), (b"User Name", b"who knows?"), (b"", b"")])
@pytest.mark.parametrize("initial_response", [False, True])
def test_login(prompts: tuple[bytes, bytes], initial_response: bool) -> None:
    auth = authentication("LOGIN", "me", Secret("pw"), initial_response=initial_response)
    assert auth.start().wire() == b"AUTH LOGIN\r\n"
    answers = [auth.answer(challenge(b64encode(prompt))).wire() for prompt in (*prompts, b"Any more?")]
    assert answers == [b64encode(b"me") + b"\r\n", b64encode(b"pw") + b"\r\n", b"*\r\n"]
    assert auth.exchange.problem is not None


PROMPTS = (b"", b"go ahead", b"Username:", b"VXNlcm5hbWU6", b"?", b"=", b"\xff\xfe", b"PDE", b"x" * 10_000, b"a\0b")


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "EXTERNAL", "XOAUTH2", "OAUTHBEARER"])
def test_prompts_are_not_looked_at(mechanism: str, prompt: bytes) -> None:
    auth, same = authentication(mechanism, "me", S), authentication(mechanism, "me", S)
    assert auth.start().wire() == b"AUTH %b\r\n" % mechanism.encode()
    for _ in range(2 if mechanism == "LOGIN" else 1):
        answer = auth.answer(challenge(prompt))
        assert isinstance(answer, SaslResponse)
        assert answer.wire() == same.answer(challenge(b"")).wire()
    assert auth.exchange.problem is None


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "EXTERNAL"])
def test_a_prompt_too_many_is_cancelled(mechanism: str) -> None:
    auth = authentication(mechanism, "me", S)
    auth.start()
    for _ in range(2 if mechanism == "LOGIN" else 1):
        auth.answer(challenge(b"go ahead"))
    assert auth.answer(challenge(b"go ahead")).wire() == b"*\r\n"
    assert auth.exchange.problem is not None
    assert "continues" in auth.exchange.problem


@pytest.mark.parametrize("username", [None, "me"])
def test_external(username: str | None) -> None:
    auth = authentication("EXTERNAL", username, None)
    assert auth.start().wire() == b"AUTH EXTERNAL\r\n"
    assert auth.answer(challenge(b"")).wire() == b"\r\n"
    auth = authentication("EXTERNAL", username, None, initial_response=True)
    assert auth.start().wire() == b"AUTH EXTERNAL =\r\n"
    assert isinstance(auth.answer(challenge(b"")), SaslCancel)


@pytest.mark.parametrize(
    ("mechanism", "token", "length"),
    # 255 octets with CRLF are what a command line may have (RFC 2449 §4)
    [("XOAUTH2", 158, 255), ("XOAUTH2", 159, 14), ("XOAUTH2", 4000, 14), ("OAUTHBEARER", 155, 255),
     ("OAUTHBEARER", 156, 18), ("OAUTHBEARER", 4000, 18)],
)  # fmt: skip
def test_a_long_initial_response_answers_the_first_challenge(mechanism: str, token: int, length: int) -> None:
    auth = authentication(mechanism, "me", Secret("t" * token), initial_response=True)
    line = auth.start().wire()
    answer = auth.answer(challenge(b""))
    assert len(line) == length
    if length < 255:
        assert line == b"AUTH %b\r\n" % mechanism.encode()
        assert b"t" * token in b64decode(answer.wire())


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"])
def test_as_much_as_a_line_can_hold(mechanism: str) -> None:
    auth = authentication(mechanism, "me", Secret("x" * 9100))
    auth.start()
    wires = [auth.answer(challenge(b"")).wire() for _ in range(2)]
    assert 12_000 < max(map(len, wires)) <= 12_288
    with pytest.raises(MechanismUnusable, match="longer than 12288"):
        authentication(mechanism, "me", Secret("x" * 9300))


@pytest.mark.parametrize(
    ("mechanism", "payload", "problem"),
    [
        ("CRAM-MD5", b"", "empty"),
        ("CRAM-MD5", b"not base64!", "base64"),
        ("CRAM-MD5", b"PDE", "base64"),
        ("CRAM-MD5", b"\xff\xfe", "base64"),
        ("CRAM-MD5", b"A===", "base64"),
        ("CRAM-MD5", b64encode(b"x" * 1025), "long"),
        ("SCRAM-SHA-256", b"go ahead", "base64"),
        ("SCRAM-SHA-1", b"\xff", "base64"),
        ("SCRAM-SHA-256", b64encode(b"x" * 4097), "long"),
    ],
)
def test_bad_challenges_are_cancelled(mechanism: str, payload: bytes, problem: str) -> None:
    auth = authentication(mechanism, "me", S)
    auth.start()
    answer = auth.answer(challenge(payload))
    assert answer.wire() == b"*\r\n"
    assert auth.exchange.problem is not None
    assert problem in auth.exchange.problem
    # and it stays so
    assert isinstance(auth.answer(challenge(b"PDE+")), SaslCancel)
    assert problem in auth.exchange.problem


@pytest.mark.parametrize("mechanism", sorted(EXCHANGES.keys() - {"EXTERNAL"}))
def test_missing_credentials(mechanism: str) -> None:
    for username, password in ((None, S), ("", S), ("me", None), ("m\0e", S), ("me", Secret("p\0w"))):
        with pytest.raises(MechanismUnusable):
            authentication(mechanism, username, password, server=Endpoint(channel_binding=b"x"))


def test_unknown_mechanism() -> None:
    with pytest.raises(MechanismUnusable):
        authentication("KERBEROS_V4", "me", S)


def test_digests_are_secrets() -> None:
    auth = authentication("CRAM-MD5", "tim", S)
    auth.start()
    answer = auth.answer(challenge(b"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"))
    assert "b913a602" not in repr(answer)
    assert b"b913a602c7eda7a495b4e6e7334d3890" in answer.secrets()


def converse(machine: Machine, auth: Authentication, lines: list[bytes]) -> tuple[list[bytes], Reply | None]:
    """Play an auth against the server's lines; return what we sent and the outcome."""
    sent = [machine.send(auth.start())]
    for line in lines:
        (event,) = machine.receive(line)
        if isinstance(event, Reply):
            return sent, event
        assert isinstance(event, Continuation)
        sent.append(machine.send(auth.answer(event)))
    return sent, None


def test_a_whole_login() -> None:
    machine = greeted()
    sent, reply = converse(machine, authentication("PLAIN", "me", Secret("pw")), [b"+ \r\n", b"+OK in\r\n"])
    assert sent == [b"AUTH PLAIN\r\n", b"AG1lAHB3\r\n"]
    assert reply is not None
    assert reply.ok
    assert reply.command == Auth("PLAIN")
    assert (machine.state, machine.outstanding) == (State.TRANSACTION, 0)


def test_a_cancelled_login_leaves_the_next_one_free() -> None:
    machine = greeted()
    sent, reply = converse(machine, authentication("CRAM-MD5", "me", S), [b"+ \r\n", b"-ERR cancelled\r\n"])
    assert sent == [b"AUTH CRAM-MD5\r\n", b"*\r\n"]
    assert reply is not None
    assert not reply.ok
    sent, reply = converse(machine, authentication("PLAIN", "me", Secret("pw"), initial_response=True), [b"+OK\r\n"])
    assert machine.state is State.TRANSACTION


def test_a_mechanism_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    class TwoSteps(Exchange):
        mechanism = "X-TWO"

        def prepare(self) -> None:
            return None

        def answer(self, challenge: bytes, /) -> Response:
            return Response(Secret(challenge.decode()[::-1]))

    monkeypatch.setitem(EXCHANGES, "X-TWO", TwoSteps)
    sent, reply = converse(greeted(), authentication("X-TWO", None, None), [b"+ YWI=\r\n", b"+ Y2Q=\r\n", b"+OK\r\n"])
    assert sent == [b"AUTH X-TWO\r\n", b"YmE=\r\n", b"ZGM=\r\n"]
    assert reply is not None
