"""Servers that send an empty line too many, or end lines in LF alone: their mail is retrieved all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import MAILS
from tests.hostile.script import HANDSHAKE, ORDINARY, SILENCE, Say, Script, edited, segments
from tests.hostile.server import HostileServer
from tests.hostile.service import TIMEOUT, Service
from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import ExitCode
from tui_popretr.pop3.machine import QUIET

VERBS = ("GREETING", "CAPA", "USER", "PASS", "STAT", "UIDL", "LIST", "RETR", "DELE", "QUIT")


async def one_session(
    server: HostileServer, folder: Path, *, seconds: float, expected: Mapping[str, bytes] = MAILS, **changes: Any
) -> Service:
    """Hold one session that gets all and deletes all, within this time."""
    service = Service(folder, server)
    result = await service.run(**changes)
    assert (result.error, result.code, result.messages, result.failed) == ("", ExitCode.OK, 3, 0)
    assert (result.ended - result.started).total_seconds() <= seconds
    assert service.arrived() == Counter(expected.values())
    assert server.mails == {}
    assert len(server.heard) == 1
    assert server.verbs(0)[-1] == "QUIT"
    return service


# --- empty lines ------------------------------------------------------------------------------------------------------


def behind(blanks: bytes) -> Say:
    """The ordinary answer with these octets in front."""
    return edited(lambda octets: blanks + octets)


EMPTY: dict[str, Script] = {
    "before the answer to STAT": {"STAT": b"\n+OK 3 4321\r\n"},
    "before the answers to DELE and QUIT": {"DELE": behind(b"\r\n"), "QUIT": behind(b"\r\n")},
    "before the greeting": {"GREETING": behind(b"\r\n")},
    "before each answer": {verb: behind(b"\r\n") for verb in VERBS},
    "eight before each answer": {verb: behind(b"\r\n\n" * 4) for verb in VERBS},
    "behind each answer": {verb: Say(more=b"\r\n") for verb in VERBS},
    "torn behind each answer": {verb: Say(edit=lambda octets: b"\n" + octets, more=b"\r") for verb in VERBS[1:]},
    "alone, before each answer": dict.fromkeys(VERBS, (b"\r\n", 0.5, ORDINARY)),
    "octet by octet": {verb: segments(1) for verb in VERBS} | {"DELE": Say(edit=lambda o: b"\r\n" + o, size=1)},
}


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("script", EMPTY.values(), ids=EMPTY)
@trio_test
async def test_empty_lines(script: Script, pipelining: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    server = HostileServer(MAILS, script, pipelining=pipelining)
    await one_session(server, tmp_path, seconds=20 * 0.5)


@trio_test
async def test_empty_lines_before_the_answer_to_stls(tmp_path: Path, autojump_clock: MockClock) -> None:
    """After it they would be unexpected octets in clear."""
    server = HostileServer(MAILS, {"GREETING": behind(b"\r\n"), "STLS": (behind(b"\n"), HANDSHAKE)})
    service = await one_session(server, tmp_path, seconds=0.1, tls=TlsPolicy(latent=True))
    assert server.told_in_clear == 0
    assert "STLS" in service.server.verbs()


@pytest.mark.parametrize("verb", ["GREETING", "USER", "STAT", "DELE", "QUIT"])
@trio_test
async def test_a_ninth_empty_line_ends_the_session(verb: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    service = Service(tmp_path, HostileServer(MAILS, {verb: behind(b"\r\n" * 9)}))
    result = await service.run()
    assert "more than 8 empty lines" in result.error
    assert result.code is ExitCode.PROTOCOL


# --- LF alone ---------------------------------------------------------------------------------------------------------

BARE = {uid: mail.replace(b"\r\n", b"\n") for uid, mail in MAILS.items()}
LISTED = {"LIST": b"+OK\n" + b"".join(b"%d %d\n" % row for row in enumerate(map(len, BARE.values()), 1)) + b".\n"}


def bare(octets: bytes) -> bytes:
    return octets.replace(b"\r\n", b"\n")


def bare_but_the_last(octets: bytes) -> bytes:
    return bare(octets)[:-1] + b"\r\n"


ROWS: dict[str, Script] = {
    "all": {verb: edited(bare) for verb in VERBS if verb != "RETR"},
    "rows": {verb: edited(lambda octets: b"+OK\r\n" + bare(octets)[4:]) for verb in ("CAPA", "UIDL", "LIST")},
    "rows, but not the last": {verb: edited(bare_but_the_last) for verb in ("CAPA", "UIDL", "LIST")},
    "octet by octet": {verb: Say(edit=bare, size=1) for verb in ("CAPA", "UIDL", "LIST")},
}


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("script", ROWS.values(), ids=ROWS)
@trio_test
async def test_listings(script: Script, pipelining: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    await one_session(HostileServer(MAILS, script, pipelining=pipelining), tmp_path, seconds=1.0)


MESSAGES: dict[str, Script] = {
    "ended by LF": {"RETR": edited(bare)},
    "ended by CRLF": {"RETR": edited(bare_but_the_last)},
    "with a status line in CRLF": {"RETR": edited(lambda octets: b"+OK\r\n" + bare(octets)[4:])},
    "with all else": {verb: edited(bare) for verb in VERBS},
    "in segments": {"RETR": Say(edit=bare, size=7)},
}


@pytest.mark.parametrize("script", MESSAGES.values(), ids=MESSAGES)
@trio_test
async def test_messages(script: Script, tmp_path: Path, autojump_clock: MockClock) -> None:
    """As they were sent, without the dots that were doubled, and after two seconds each instead of the timeout."""
    server = HostileServer(MAILS, {**script, **LISTED})
    await one_session(server, tmp_path, seconds=3 * QUIET + 1, expected=BARE)


@pytest.mark.parametrize("script", MESSAGES.values(), ids=MESSAGES)
@trio_test
async def test_messages_of_a_server_that_offers_pipelining(
    script: Script, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The replies behind a message leave no silence at its end: one command at a time, on a second connection at most.

    The octets of several messages are never taken for one.
    """
    server = HostileServer(MAILS, {**script, **LISTED}, pipelining=True)
    service = Service(tmp_path, server)
    result = await service.run()
    assert (result.error, result.code, result.messages, result.failed) == ("", ExitCode.OK, 3, 0)
    assert service.arrived() == Counter(BARE.values())
    assert server.mails == {}
    assert len(server.heard) == 1 + ("GREETING" not in script)


@trio_test
async def test_what_is_owed_is_recognised(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The header that TOP shows ends in the same way."""
    server = HostileServer(MAILS, {"RETR": edited(bare), "TOP": edited(bare), **LISTED, "QUIT": b"-ERR no\r\n"})
    service = Service(tmp_path, server)
    assert (await service.run()).messages == 3
    server.script = {"RETR": edited(bare), "TOP": edited(bare), **LISTED}
    result = await service.run()
    assert (result.error, result.messages, server.mails) == ("", 0, {})
    assert service.arrived() == Counter(BARE.values())


@trio_test
async def test_a_message_with_some_crlf_never_ends_in_silence(tmp_path: Path, autojump_clock: MockClock) -> None:
    mixed = b"+OK\r\nSubject: x\r\n\r\ntext\n.\r\n"
    server = HostileServer(MAILS, {"RETR 2": (mixed, SILENCE)})
    service = Service(tmp_path, server)
    result = await service.run()
    assert (result.messages, result.failed) == (2, 1)
    assert (result.ended - result.started).total_seconds() == pytest.approx(TIMEOUT, abs=1.0)
    assert list(server.mails) == ["uid-2"]
