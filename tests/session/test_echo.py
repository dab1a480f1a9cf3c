"""A server that repeats the login: nothing that gives the password away is in transcript, errors, journal or facts.

World looks for the password itself, as it is and in base64, in all facts of each session, and conftest in all files.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.passwords import PASSWORD
from tests.support.worlds import USER, World, mail
from tui_popretr.config.choices import AuthType
from tui_popretr.errors import ExitCode
from tui_popretr.pop3 import Authentication
from tui_popretr.sasl import Endpoint, begin
from tui_popretr.secret import Secret

WITH_ALL_AT_ONCE = [AuthType.SASL_PLAIN, AuthType.SASL_XOAUTH2, AuthType.SASL_OAUTHBEARER]
MECHANISMS = {
    AuthType.SASL_PLAIN: "PLAIN",
    AuthType.SASL_XOAUTH2: "XOAUTH2",
    AuthType.SASL_OAUTHBEARER: "OAUTHBEARER",
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("auth_type", WITH_ALL_AT_ONCE, ids=lambda each: each.value)
@trio_test
async def test_the_initial_response_comes_back(world: World, autojump_clock: MockClock, auth_type: AuthType) -> None:
    server = Endpoint("pop.example.test", 110)
    exchange = begin(MECHANISMS[auth_type], USER, Secret(PASSWORD), server)
    sent = Authentication(exchange, initial_response=True).start().wire().rstrip()
    world.faults.answers["AUTH"] = b"-ERR unknown command: " + sent + b", " + PASSWORD.encode() + b"\r\n"
    login = replace(world.client().server, auth_types=(auth_type,), initial_response=True)
    result = await world.poll(server=login)
    assert result.code is ExitCode.LOGIN
    assert f"unknown command: AUTH {MECHANISMS[auth_type]} ****, ****" in result.error
    assert f">> AUTH {MECHANISMS[auth_type]} ****" in world.transcript()


@trio_test
async def test_it_comes_back_wherever_a_server_can_speak(world: World, autojump_clock: MockClock) -> None:
    said = PASSWORD.encode() + b" " + b64encode(PASSWORD.encode())
    login = replace(world.client().server, auth_types=(AuthType.SASL_PLAIN,))
    world.become(clear=world.server.policy.tls)
    for verb in ("STAT", "LIST", "RETR", "DELE", "QUIT"):
        world.add(mail(verb))
        world.faults.answers = {verb: b"-ERR you said " + said + b"\r\n"}
        await world.poll(server=login)
        assert any("-ERR you said **** ****" in line for line in world.transcript()), verb
    world.faults.answers = {}
    await world.poll(server=login)
    world.faults.answers = {
        "LIST": b"+OK\r\n1 320 " + PASSWORD.encode() + b"\r\n.\r\n",
        "RETR": b"+OK\r\nIt is " + said + b"\r\n.\r\n",
    }
    world.add(mail(3))
    assert (await world.poll(server=login, full_transcript=True)).messages == 1
    assert {"<< 1 320 ****", "<< It is **** ****"} <= set(world.transcript())
    world.faults.answers = {"LIST": b"+OK\r\n1 320 " + said * 2 + b"x" * 9000 + b"\r\n.\r\n"}
    world.add(mail(4))
    assert "LIST has an overlong row: 1 320 **** ******** ****x" in (await world.poll(server=login)).error
    for path in (world.maildir / "new").iterdir():  # the mail is as the server says
        if said in path.read_bytes():
            path.unlink()
