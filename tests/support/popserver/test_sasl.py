"""AUTH: the mechanisms and the exchange of RFC 5034."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re

import pytest
from trio.testing import trio_test

from tests.popserver.dialogue import connected
from tests.support.popserver import CRAM, Mechanism, PopServer, SaslFault, ServedMaildrop, ServerPolicy
from tests.support.popserver.sasl import MECHANISMS, Gate
from tui_popretr.popserver.sasl import CredentialsRejected, Exchange, MalformedResponse

#: All of SASL in clear, so that octets can be looked at.
OPEN = ServerPolicy(clear=frozenset(Mechanism))


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _server(policy: ServerPolicy = OPEN) -> PopServer:
    return PopServer([ServedMaildrop("alice", "sëcret"), ServedMaildrop("robot")], policy=policy)


GOOD = _b64("\0alice\0sëcret".encode())


@trio_test
async def test_plain_in_two_steps() -> None:
    async with connected(_server()) as client:
        await client.line()
        assert await client.ask("AUTH PLAIN") == "+ "
        assert (await client.ask(GOOD)).startswith("+OK")


@trio_test
async def test_plain_with_initial_response_and_any_case() -> None:
    async with connected(_server()) as client:
        await client.line()
        assert (await client.ask(f"auth Plain {GOOD}")).startswith("+OK")


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (_b64(b"\0alice\0wrong"), "-ERR [AUTH]"),
        (_b64(b"\0robot\0"), "-ERR [AUTH]"),
        (_b64(b"\0\xff\0\xff"), "-ERR [AUTH]"),
        (_b64("bob\0alice\0sëcret".encode()), "-ERR [AUTH]"),
        (_b64("alice\0alice\0sëcret".encode()), "+OK"),
        (_b64(b"alice\0secret"), "-ERR the response"),
        ("=", "-ERR the response"),
        ("?!", "-ERR the response"),
        ("ÄÖ", "-ERR the response"),
        ("*", "-ERR the response"),
    ],
)
@trio_test
async def test_plain_initial_responses(response: str, answer: str) -> None:
    async with connected(_server()) as client:
        await client.line()
        assert (await client.ask(f"AUTH PLAIN {response}")).startswith(answer)


@trio_test
async def test_cancel_leaves_the_session_usable() -> None:
    async with connected(_server()) as client:
        await client.line()
        for mechanism in ("PLAIN", "CRAM-MD5"):
            assert (await client.ask(f"AUTH {mechanism}")).startswith("+ ")
            assert await client.ask("*") == "-ERR cancelled"
        assert (await client.ask(f"AUTH PLAIN {GOOD}")).startswith("+OK")


@trio_test
async def test_cram_md5() -> None:
    challenges = set()
    for password, answer in (("sëcret", "+OK"), ("wrong", "-ERR [AUTH]")):
        async with connected(_server(CRAM)) as client:
            await client.line()
            challenge = base64.b64decode((await client.ask("AUTH CRAM-MD5"))[2:])
            challenges.add(challenge)
            digest = hmac.new(password.encode(), challenge, hashlib.md5).hexdigest()
            assert (await client.ask(_b64(f"alice {digest}".encode()))).startswith(answer)
    assert len(challenges) == 2


@trio_test
async def test_cram_md5_takes_no_initial_response() -> None:
    async with connected(_server(CRAM)) as client:
        await client.line()
        assert (await client.ask(f"AUTH CRAM-MD5 {_b64(b'alice 00')}")) == (
            "-ERR this mechanism takes no initial response"
        )
        assert (await client.ask("AUTH CRAM-MD5")).startswith("+ ")
        assert (await client.ask(_b64(b"alice"))).startswith("-ERR")


@trio_test
async def test_what_is_not_offered_is_refused() -> None:
    async with connected(_server(CRAM)) as client:
        await client.line()
        for mechanism in ("PLAIN", "EXTERNAL", "XYZ", "USER"):
            assert (await client.ask(f"AUTH {mechanism}")).startswith("-ERR"), mechanism


@trio_test
async def test_external_needs_tls_whatever_the_policy() -> None:
    async with connected(_server()) as client:
        await client.line()
        assert (await client.ask("AUTH EXTERNAL =")).startswith("-ERR")
        assert (await client.ask("CAPA")).startswith("+OK")
        assert b"EXTERNAL" not in await client.body()


@trio_test
async def test_a_long_response_is_taken_and_a_longer_one_is_not() -> None:
    async with connected(_server()) as client:
        await client.line()
        await client.ask("AUTH PLAIN")
        assert (await client.ask(_b64(b"\0alice\0" + b"x" * 9000))).startswith("-ERR [AUTH]")
        await client.ask("AUTH PLAIN")
        await client.send(b"A" * 12_288)
        assert (await client.line()).startswith("-ERR the line")


@trio_test
async def test_login() -> None:
    async with connected(_server()) as client:
        await client.line()
        for password, answer in (("wrong", "-ERR [AUTH]"), ("sëcret", "+OK")):
            assert await client.ask("AUTH LOGIN") == f"+ {_b64(b'Username:')}"
            assert await client.ask(_b64(b"alice")) == f"+ {_b64(b'Password:')}"
            assert (await client.ask(_b64(password.encode()))).startswith(answer)


@pytest.mark.parametrize(
    ("mechanism", "response", "last"),
    [
        ("XOAUTH2", "user={name}\1auth=Bearer {token}\1\1", ""),
        ("OAUTHBEARER", "n,a={name},\1host=pop.example.test\1port=995\1auth=Bearer {token}\1\1", "AQ=="),
        ("OAUTHBEARER", "n,a={name},\1auth=Bearer {token}\1\1", "AQ=="),
    ],
)
@trio_test
async def test_access_tokens(mechanism: str, response: str, last: str) -> None:
    async with connected(_server()) as client:
        await client.line()
        for name, token in (("alice", "wrong"), ("bob", "sëcret"), ("robot", "")):
            assert await client.ask(f"AUTH {mechanism}") == "+ "
            explained = await client.ask(_b64(response.format(name=name, token=token).encode()))
            assert json.loads(base64.b64decode(explained[2:])).keys() == {"status", "schemes", "scope"}
            assert (await client.ask(last)).startswith("-ERR [AUTH]")
        assert (await client.ask(f"AUTH {mechanism} {_b64(b'alice sesame')}")).startswith("-ERR the response")
        right = _b64(response.format(name="alice", token="sëcret").encode())
        assert (await client.ask(f"AUTH {mechanism} {right}")).startswith("+OK")


# --- SCRAM, with the client's side of another hand -----------------------------------------------------------------


def _scram(mechanism: Mechanism, name: str, password: str, gate: Gate, *, c: str = "biws") -> str:
    """Log in with what RFC 5802 §3 prescribes; return the server's last message."""
    algorithm = "sha1" if "SHA-1" in mechanism.value else "sha256"
    server = MECHANISMS[mechanism](gate)
    assert next(server) == b""
    header = base64.b64decode(c).decode().partition(",,")[0] + ",,"
    bare = f"n={name},r=nonce"
    first = server.send((header + bare).encode()).decode()
    nonce, salt, rounds = re.fullmatch("r=(nonce.+),s=(.+),i=([0-9]+)", first).groups()  # type: ignore[union-attr]
    salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), base64.b64decode(salt), int(rounds))
    key = hmac.digest(salted, b"Client Key", algorithm)
    final = f"c={c},r={nonce}"
    auth_message = f"{bare},{first},{final}".encode()
    signature = hmac.digest(hashlib.new(algorithm, key).digest(), auth_message, algorithm)
    proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
    answer = server.send(f"{final},p={_b64(proof)}".encode()).decode()
    right = hmac.digest(hmac.digest(salted, b"Server Key", algorithm), auth_message, algorithm)
    assert (answer == f"v={_b64(right)}") == (gate.fault is SaslFault.NONE)
    with pytest.raises(StopIteration) as finished:
        server.send(b"")
    assert finished.value.value is gate.maildrops["alice"]
    return answer


@pytest.mark.parametrize("mechanism", [Mechanism.SCRAM_SHA_1, Mechanism.SCRAM_SHA_256])
def test_scram(mechanism: Mechanism) -> None:
    gate = Gate({"alice": ServedMaildrop("alice", "sëcret"), "robot": ServedMaildrop("robot")})
    assert _scram(mechanism, "alice", "sëcret", gate) != _scram(mechanism, "alice", "sëcret", gate)
    for name, password in (("alice", "secret"), ("robot", ""), ("eve", "sëcret")):
        with pytest.raises(CredentialsRejected):
            _scram(mechanism, name, password, gate)


def test_scram_with_a_channel_binding() -> None:
    gate = Gate({"alice": ServedMaildrop("alice", "x")}, binding=b"bound")
    plus, plain = Mechanism.SCRAM_SHA_256_PLUS, Mechanism.SCRAM_SHA_256
    bound = b"p=tls-unique,,bound"
    _scram(plus, "alice", "x", gate, c=_b64(bound))
    _scram(plain, "alice", "x", gate)
    for mechanism, binding, error in (
        (plus, b"p=tls-unique,,other", CredentialsRejected),
        (plus, b"p=tls-exporter,,bound", CredentialsRejected),
        (plus, b"n,,", MalformedResponse),
        (plain, bound, MalformedResponse),
        (plain, b"y,,", CredentialsRejected),  # it would have been offered
    ):
        with pytest.raises(error):
            _scram(mechanism, "alice", "x", gate, c=_b64(binding))
    _scram(plain, "alice", "x", Gate(gate.maildrops), c=_b64(b"y,,"))


def test_a_server_without_the_password_signs_wrongly() -> None:
    gate = Gate({"alice": ServedMaildrop("alice", "x")}, fault=SaslFault.WRONG_SIGNATURE)
    assert _scram(Mechanism.SCRAM_SHA_256, "alice", "x", gate).startswith("v=")


@trio_test
async def test_scram_on_the_wire() -> None:
    async with connected(_server(CRAM)) as client:
        await client.line()
        assert (await client.ask("AUTH SCRAM-SHA-256")).startswith("-ERR")
    async with connected(_server()) as client:
        await client.line()
        for first in (b"hello", b"n,,n=alice", b"p=tls-unique,,n=alice,r=x", b"n,,n=alice,r=\xff"):
            assert (await client.ask(f"AUTH SCRAM-SHA-256 {_b64(first)}")).startswith("-ERR the response")
        assert (await client.ask(f"AUTH SCRAM-SHA-256 {_b64(b'n,,n=alice,r=x')}")).startswith("+ ")
        assert (await client.ask(_b64(b"hello"))).startswith("-ERR the response")
        await client.ask("CAPA")
        assert b"-PLUS" not in await client.body(), "there is no TLS to be bound to"


def _external(gate: Gate) -> Exchange:
    exchange = MECHANISMS[Mechanism.EXTERNAL](gate)
    assert next(exchange) == b""
    return exchange


@pytest.mark.parametrize("wanted", [b"", b"robot"])
def test_external_logs_in_as_the_certificates_name(wanted: bytes) -> None:
    robot = ServedMaildrop("robot")
    with pytest.raises(StopIteration) as finished:
        _external(Gate({"robot": robot}, "robot")).send(wanted)
    assert finished.value.value is robot


@pytest.mark.parametrize(("name", "wanted"), [(None, b""), (None, b"robot"), ("robot", b"alice"), ("eve", b"")])
def test_external_rejects_other_names(name: str | None, wanted: bytes) -> None:
    maildrops = {"robot": ServedMaildrop("robot"), "alice": ServedMaildrop("alice", "x")}
    with pytest.raises(CredentialsRejected):
        _external(Gate(maildrops, name)).send(wanted)


def test_malformed_is_not_rejected() -> None:
    exchange = MECHANISMS[Mechanism.PLAIN](Gate({}))
    next(exchange)
    with pytest.raises(MalformedResponse):
        exchange.send(b"one\0two\0three\0four")
