"""Passwords that are not UTF-8: sent as they are, shown nowhere, and refused by SCRAM alone."""

from __future__ import annotations

import os
from base64 import b64encode
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.passwords import OCTETS, PASSWORD
from tests.support.popserver import PopServer, ServedMaildrop
from tests.support.popserver.policy import ALL, ServerPolicy
from tests.support.worlds import USER, World, mail
from tui_popretr.config.choices import AuthType
from tui_popretr.config.sources import FromCommand, FromEnvironment, FromFile, PasswordSource
from tui_popretr.errors import ExitCode
from tui_popretr.facts import LoginSucceeded

TEXT = OCTETS.decode("utf-8", "surrogateescape")
VARIABLE = "TUI_POPRETR_TEST_PASSWORD"
SENDING = [
    AuthType.USERPASS,
    AuthType.APOP,
    AuthType.SASL_PLAIN,
    AuthType.SASL_LOGIN,
    AuthType.SASL_CRAM_MD5,
]
SCRAM = [AuthType.SASL_SCRAM_SHA_256, AuthType.SASL_SCRAM_SHA_1]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    serve(world, TEXT)
    return world


def serve(world: World, password: str) -> None:
    world.drop = ServedMaildrop(USER, password)
    world.server = PopServer([world.drop], policy=ServerPolicy(clear=ALL), keep_dialogue=True)


def file_with(world: World, data: bytes) -> FromFile:
    path = world.folder / "isp.password"
    path.write_bytes(data)
    return FromFile(str(path))


def in_file(world: World, monkeypatch: pytest.MonkeyPatch) -> PasswordSource:
    return file_with(world, BOM_UTF8 + OCTETS + b"\n")


def in_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> PasswordSource:
    monkeypatch.setitem(os.environb, VARIABLE.encode(), OCTETS)
    return FromEnvironment(VARIABLE)


def by_command(world: World, monkeypatch: pytest.MonkeyPatch) -> PasswordSource:
    file_with(world, OCTETS + b"\n")
    return FromCommand(("cat", "isp.password"))


@pytest.fixture
def real_clock() -> MockClock:
    """A command takes real time, which must not run into deadlines."""
    return MockClock(rate=1.0)


@pytest.mark.parametrize("auth_type", SENDING, ids=lambda each: each.value)
@pytest.mark.parametrize("source", [in_file, in_environment, by_command])
@trio_test
async def test_they_are_sent_as_they_are(
    world: World,
    real_clock: MockClock,
    auth_type: AuthType,
    source: Callable[[World, pytest.MonkeyPatch], PasswordSource],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(world.folder)
    world.add(mail(1))
    server = replace(world.client().server, auth_types=(auth_type,), password=source(world, monkeypatch))
    result = await world.poll(server=server)
    assert result.ok, result.error
    assert world.remaining() == []


@pytest.mark.parametrize("auth_type", SCRAM, ids=lambda each: each.value)
@trio_test
async def test_scram_refuses_them(world: World, autojump_clock: MockClock, auth_type: AuthType) -> None:
    server = replace(world.client().server, auth_types=(auth_type,), password=file_with(world, OCTETS))
    result = await world.poll(server=server)
    assert result.code is ExitCode.LOGIN
    assert result.error == (
        f"no usable login method: {auth_type.value}: the username or password is not UTF-8, which SCRAM needs: set"
        " another password at the server, or name another login method in authtypes"
    )
    assert not [line for line in world.said() if line.startswith("AUTH")]


@trio_test
async def test_the_next_method_is_tried_behind_scram(world: World, autojump_clock: MockClock) -> None:
    methods = (*SCRAM, AuthType.SASL_PLAIN)
    server = replace(world.client().server, auth_types=methods, password=file_with(world, OCTETS))
    assert (await world.poll(server=server)).ok
    assert [fact.mechanism for fact in world.of(LoginSucceeded)] == ["SASL_PLAIN"]


@pytest.mark.parametrize(
    ("auth_type", "said"),
    [
        (AuthType.USERPASS, OCTETS),
        (AuthType.SASL_PLAIN, OCTETS + b" " + b64encode(OCTETS) + b" " + b64encode(b"\0alice\0" + OCTETS)),
        (AuthType.SASL_LOGIN, OCTETS + b" " + b64encode(OCTETS)),
    ],
)
@trio_test
async def test_they_are_starred_out_where_a_server_repeats_them(
    world: World, autojump_clock: MockClock, auth_type: AuthType, said: bytes
) -> None:
    world.faults.answers = {"STAT": b"-ERR you said " + said + b"\r\n"}
    server = replace(world.client().server, auth_types=(auth_type,), password=file_with(world, OCTETS))
    result = await world.poll(server=server)
    stars = " ".join(["****"] * (said.count(b" ") + 1))
    assert result.error == f"the server refuses STAT: you said {stars}"
    assert f"<< -ERR you said {stars}" in world.transcript()


@trio_test
async def test_a_byte_order_mark_is_not_part_of_the_password(world: World, autojump_clock: MockClock) -> None:
    serve(world, PASSWORD)
    server = replace(world.client().server, password=file_with(world, BOM_UTF8 + PASSWORD.encode() + b"\r\n"))
    assert (await world.poll(server=server)).ok
