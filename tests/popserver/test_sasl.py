"""AUTH: the mechanisms and the exchange of RFC 5034."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from trio.testing import trio_test

from tests.popserver.dialogue import connected
from tui_popretr.popserver import CRAM, Maildrop, Mechanism, Policy, PopServer
from tui_popretr.popserver.sasl import MECHANISMS, CredentialsRejected, Exchange, Gate, MalformedResponse

#: All of SASL in clear, so that octets can be looked at.
OPEN = Policy(clear=frozenset(Mechanism))


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _server(policy: Policy = OPEN) -> PopServer:
    return PopServer([Maildrop("alice", "sëcret"), Maildrop("robot")], policy=policy)


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
        (_b64(b"alice\0secret"), "-ERR that"),
        ("=", "-ERR that"),
        ("?!", "-ERR that"),
        ("ÄÖ", "-ERR that"),
        ("*", "-ERR that"),
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


def _external(gate: Gate) -> Exchange:
    exchange = MECHANISMS[Mechanism.EXTERNAL](gate)
    assert next(exchange) == b""
    return exchange


@pytest.mark.parametrize("wanted", [b"", b"robot"])
def test_external_is_whom_the_certificate_names(wanted: bytes) -> None:
    robot = Maildrop("robot")
    with pytest.raises(StopIteration) as finished:
        _external(Gate({"robot": robot}, "robot")).send(wanted)
    assert finished.value.value is robot


@pytest.mark.parametrize(("name", "wanted"), [(None, b""), (None, b"robot"), ("robot", b"alice"), ("eve", b"")])
def test_external_is_nobody_else(name: str | None, wanted: bytes) -> None:
    maildrops = {"robot": Maildrop("robot"), "alice": Maildrop("alice", "x")}
    with pytest.raises(CredentialsRejected):
        _external(Gate(maildrops, name)).send(wanted)


def test_malformed_is_not_rejected() -> None:
    exchange = MECHANISMS[Mechanism.PLAIN](Gate({}))
    next(exchange)
    with pytest.raises(MalformedResponse):
        exchange.send(b"one\0two\0three\0four")
