"""AUTO on the wire: which commands it sends, and which it does not."""

from __future__ import annotations

import hmac
from base64 import b64encode
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.session.attempts import (
    APOP_NO,
    APOP_OK,
    AUTO,
    NO,
    PLAIN_OK,
    RESPONSE,
    USERPASS_OK,
    Attempt,
    capa,
)
from tests.support.clock import FakeClock
from tests.support.making import server_settings
from tests.support.passwords import PASSWORD
from tests.support.streams import Peer, memory_connection
from tui_popretr.bus import Bus
from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import NoUsableMechanism
from tui_popretr.facts import SessionId
from tui_popretr.pop3 import Capa
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.login import LoginOptions, log_in

NO_AUTH = "-ERR [AUTH] no"
CRAM_CHALLENGE = "+ " + b64encode(b"<1@h>").decode()
CRAM_ANSWER = b64encode(b"alice " + hmac.new(PASSWORD.encode(), b"<1@h>", "md5").hexdigest().encode()).decode()
TLS: dict[str, Any] = {"tls": TlsPolicy()}
LOOPBACK: dict[str, Any] = {"address": "127.0.0.1"}


@pytest.mark.parametrize("settings", [TLS, LOOPBACK, {"address": "::1"}])
@pytest.mark.parametrize(
    ("dialogue", "succeeded"),
    [
        ([capa("PLAIN LOGIN"), *PLAIN_OK], "SASL_PLAIN"),
        ([capa("CRAM-MD5 PLAIN"), ("AUTH CRAM-MD5", CRAM_CHALLENGE), (CRAM_ANSWER, "+OK")], "SASL_CRAM_MD5"),
        ([("CAPA", "-ERR"), *USERPASS_OK], "USERPASS"),
        ([("CAPA", "+OK\nUSER\n."), *USERPASS_OK], "USERPASS"),
        # listed but not supported: the password was not checked
        ([capa("SCRAM-SHA-256 PLAIN"), ("AUTH SCRAM-SHA-256", NO), *PLAIN_OK], "SASL_PLAIN"),
        ([capa("PLAIN", "USER"), ("AUTH PLAIN", NO), *USERPASS_OK], "USERPASS"),
    ],
)
@trio_test
async def test_auto(
    settings: dict[str, Any], dialogue: list[tuple[str, str]], succeeded: str, autojump_clock: MockClock
) -> None:
    attempt = Attempt(AUTO, greeting="+OK ready", **settings)
    assert await attempt.against(*dialogue) == succeeded
    assert attempt.rest == []


@trio_test
async def test_auto_takes_a_stamp_for_an_offer_that_may_not_stand(autojump_clock: MockClock) -> None:
    for answer in ("-ERR unknown command", "-ERR no APOP for you"):
        dialogue = [capa("PLAIN"), (APOP_OK[0][0], answer), *PLAIN_OK]
        assert await Attempt(AUTO, **TLS).against(*dialogue) == "SASL_PLAIN"
    await Attempt(AUTO, **TLS).fails(capa("PLAIN"), (APOP_OK[0][0], NO_AUTH))


@pytest.mark.parametrize(
    "dialogue",
    [
        [("AUTH CRAM-MD5", CRAM_CHALLENGE), (CRAM_ANSWER, NO)],
        [("AUTH CRAM-MD5", NO_AUTH)],
    ],
)
@trio_test
async def test_auto_tries_nothing_weaker_once_a_login_was_judged(
    dialogue: list[tuple[str, str]], autojump_clock: MockClock
) -> None:
    attempt = Attempt(AUTO, greeting="+OK ready", **TLS)
    await attempt.fails(capa("PLAIN CRAM-MD5", "USER"), *dialogue)
    assert "name another in authtypes (here: SASL_PLAIN, USERPASS)" in attempt.problem.advice


@pytest.mark.parametrize("challenge", ["+ ?", "+ "])
@trio_test
async def test_auto_goes_on_where_a_challenge_could_not_be_answered(challenge: str, autojump_clock: MockClock) -> None:
    """The server has not seen the credentials, so that no login was judged."""
    begun = [("AUTH CRAM-MD5", challenge), ("*", NO)]
    attempt = Attempt(AUTO, greeting="+OK ready", **TLS)
    assert await attempt.against(capa("PLAIN CRAM-MD5", "USER"), *begun, *PLAIN_OK) == "SASL_PLAIN"
    alone = Attempt(AUTO, greeting="+OK ready")
    await alone.fails(capa("CRAM-MD5"), *begun)
    assert "breaks the rules" in alone.problem.advice


@trio_test
async def test_auto_judges_an_initial_response_as_sent(autojump_clock: MockClock) -> None:
    attempt = Attempt(AUTO, greeting="+OK ready", initial_response=True, **TLS)
    await attempt.fails(capa("PLAIN", "USER"), (f"AUTH PLAIN {RESPONSE}", NO))


@pytest.mark.parametrize(
    ("greeting", "dialogue", "advice"),
    [
        ("+OK", [capa("PLAIN LOGIN", "USER", "STLS")], 'add <ssl latent="Y"/>'),
        ("+OK", [capa("PLAIN LOGIN", "USER")], "add <ssl/>"),
        ("+OK", [("CAPA", "-ERR")], "add <ssl/>"),
    ],
)
@trio_test
async def test_auto_sends_no_password_in_clear(
    greeting: str, dialogue: list[tuple[str, str]], advice: str, autojump_clock: MockClock
) -> None:
    # the name says nothing of where the connection goes
    attempt = Attempt(AUTO, greeting=greeting, host="localhost")
    with pytest.raises(NoUsableMechanism, match="AUTO sends no password in clear") as caught:
        await attempt.against(*dialogue)
    assert advice in caught.value.advice
    assert attempt.rest == []


@pytest.mark.parametrize("refusals", [[("AUTH CRAM-MD5", NO), *APOP_NO], [("AUTH CRAM-MD5", NO), (APOP_OK[0][0], NO)]])
@trio_test
async def test_auto_never_falls_back_to_a_clear_password(
    refusals: list[tuple[str, str]], autojump_clock: MockClock
) -> None:
    await Attempt(AUTO).fails(capa("PLAIN LOGIN CRAM-MD5", "USER"), *refusals)


@trio_test
async def test_auto_knows_what_was_asked_before(autojump_clock: MockClock) -> None:
    stream, end = memory_connection()
    connection = Pop3Connection(stream, SessionId("a", 1), Bus(), FakeClock(), timeout=30.0)
    async with trio.open_nursery() as nursery:

        async def play() -> None:
            await Peer(end).answer(capa("PLAIN"), *PLAIN_OK)

        connection.machine.receive(b"+OK ready\r\n")
        nursery.start_soon(play)
        await connection.call(Capa())
        assert await log_in(connection, server_settings(auth_types=(AUTO,), **TLS), LoginOptions()) == "SASL_PLAIN"
        connection.close()


@trio_test
async def test_auto_with_a_certificate_alone(autojump_clock: MockClock) -> None:
    settings: dict[str, Any] = {"user": None, "password": None, "tls": TlsPolicy(key_store="me.pem")}
    dialogue = [capa("PLAIN EXTERNAL"), ("AUTH EXTERNAL", "+ "), ("", "+OK")]
    assert await Attempt(AUTO, **settings).against(*dialogue) == "SASL_EXTERNAL"
    # with a password it is the server's matter whether it wants the certificate too
    settings = {"tls": TlsPolicy(key_store="me.pem")}
    dialogue = [capa("PLAIN EXTERNAL"), *PLAIN_OK]
    assert await Attempt(AUTO, greeting="+OK", **settings).against(*dialogue) == "SASL_PLAIN"


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({}, "add <ssl>, or name USERPASS in authtypes, which sends the password in clear"),
        (TLS, "closes the connection after it refuses APOP"),
    ],
)
@trio_test
async def test_auto_with_a_stamp_and_no_apop(settings: dict[str, Any], advice: str, autojump_clock: MockClock) -> None:
    attempt = Attempt(AUTO, **settings)
    await attempt.fails(("CAPA", "-ERR"), *APOP_NO, hang_up=True)
    assert "APOP" in attempt.problem.advice
    assert "authtypes" in attempt.problem.advice
    assert advice in attempt.problem.advice


@pytest.mark.parametrize(
    ("remembered", "dialogue"),
    [
        (("SCRAM-SHA-256", "PLAIN"), [("AUTH SCRAM-SHA-256", NO)]),
        (("CRAM-MD5",), [("AUTH CRAM-MD5", NO)]),
        (("PLAIN",), [*APOP_NO, ("AUTH PLAIN", NO)]),
    ],
)
@trio_test
async def test_auto_without_capa_uses_no_weaker_method_than_before(
    remembered: tuple[str, ...], dialogue: list[tuple[str, str]], autojump_clock: MockClock
) -> None:
    attempt = Attempt(AUTO, **TLS)
    attempt.options.remembered = remembered
    await attempt.fails(*dialogue)
