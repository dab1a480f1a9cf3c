"""What a server can put into its words: nothing of it moves a terminal, and no password comes back in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import Behaviour, prove
from tests.hostile.script import Play, Script, rest
from tests.support.passwords import PASSWORD
from tui_popretr.config.choices import AuthType
from tui_popretr.errors import ExitCode

SEQUENCES = b"\x1b]0;owned\x07\x1b[2J\x9b31m\x00\x08\x7f\xc2\x85\xe2\x80\xae"
SHOWN = "\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\x00\\x08\\x7f\\x85\\u202e"


def accepting(text: bytes) -> dict[str, Play]:
    """The replies of a server that does all it is asked, with this text in each of them."""
    return {
        "GREETING": b"+OK %b <1.2@x.test> %b\r\n" % (text, text),
        "CAPA": b"+OK %b\r\nTOP\r\nUIDL\r\nIMPLEMENTATION %b\r\n%b\r\nSASL %b\r\n.\r\n" % (text, text, text, text),
        "USER": b"+OK %b\r\n" % text,
        "PASS": b"+OK %b\r\n" % text,
        "STAT": b"+OK 3 729 %b\r\n" % text,
        "UIDL": b"+OK %b\r\n1 uid-1 %b\r\n2 uid-2\r\n3 uid-3\r\n%b\r\n.\r\n" % (text, text, text),
        "LIST": b"+OK %b\r\n1 243 %b\r\n2 243\r\n3 243\r\n%b\r\n.\r\n" % (text, text, text),
        "RETR": (b"+OK %b" % text, rest(3)),
        "DELE": (b"+OK %b" % text, rest(3)),
        "QUIT": (b"+OK %b" % text, rest(3)),
    }


def refusing(text: str) -> dict[str, tuple[str, ExitCode, int]]:
    """What is said where one of them is -ERR, with the exit code, and how many messages come."""
    return {
        "GREETING": (f"the server refused access: {text}", ExitCode.UNAVAILABLE, 0),
        "CAPA": ("", ExitCode.OK, 3),
        "USER": (f"the server rejected the login (USERPASS: {text})", ExitCode.LOGIN, 0),
        "PASS": (f"the server rejected the login (USERPASS: {text})", ExitCode.LOGIN, 0),
        "STAT": (f"the server refuses STAT: {text}", ExitCode.PROTOCOL, 0),
        "UIDL": (f"the server refuses UIDL: {text}, although it offers it", ExitCode.TEMPORARY, 0),
        "LIST": (f"the server refuses LIST: {text}", ExitCode.PROTOCOL, 0),
        "RETR": (f"3 messages could not be retrieved: the server refused to send it: {text}", ExitCode.TEMPORARY, 0),
        "DELE": ("", ExitCode.OK, 3),
        "QUIT": (f"the server answered QUIT with an error: {text}", ExitCode.PROTOCOL, 3),
    }


COMMANDS = list(accepting(b""))
#: Those that follow the password.
LATER = [command for command in COMMANDS if command not in ("GREETING", "CAPA", "USER")]


@pytest.mark.parametrize("command", COMMANDS)
@trio_test
async def test_escape_sequences_in_a_reply(command: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    script: Script = {command: accepting(SEQUENCES)[command]}
    await prove(Behaviour(script, delivered=3), tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
@trio_test
async def test_escape_sequences_in_a_refusal(command: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    says, code, delivered = refusing(SHOWN)[command]
    notes = [f"the server refused to delete 3 messages ({SHOWN}): the next run asks it again"]
    behaviour = Behaviour(
        {command: b"-ERR %b\r\n" % SEQUENCES},
        says,
        code,
        delivered=delivered,
        told=int(command not in ("GREETING", "USER")),
        notes=notes if command == "DELE" else (),
    )
    await prove(behaviour, tmp_path)


@trio_test
async def test_escape_sequences_everywhere(tmp_path: Path, autojump_clock: MockClock) -> None:
    await prove(Behaviour(accepting(SEQUENCES), delivered=3), tmp_path)


@pytest.mark.parametrize("challenge", [b"+ %b\r\n", b"+%b\r\n"])
@trio_test
async def test_escape_sequences_in_a_challenge(challenge: bytes, tmp_path: Path, autojump_clock: MockClock) -> None:
    behaviour = Behaviour(
        {"AUTH": challenge % SEQUENCES, "RESPONSE": b"-ERR %b\r\n" % SEQUENCES},
        "the server rejected the login (SASL_CRAM_MD5: the server's challenge is not base64)",
        ExitCode.LOGIN,
        told=0,
        client={"auth_types": (AuthType.SASL_CRAM_MD5,)},
    )
    await prove(behaviour, tmp_path)


# --- echoes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", LATER)
@trio_test
async def test_the_password_in_a_reply(command: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    script: Script = {command: accepting(PASSWORD.encode())[command]}
    await prove(Behaviour(script, delivered=3), tmp_path)


@pytest.mark.parametrize("command", LATER)
@trio_test
async def test_the_password_in_a_refusal(command: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    says, code, delivered = refusing("****")[command]
    notes = ["the server refused to delete 3 messages (****): the next run asks it again"]
    behaviour = Behaviour(
        {command: b"-ERR %b\r\n" % PASSWORD.encode()},
        says,
        code,
        delivered=delivered,
        notes=notes if command == "DELE" else (),
    )
    await prove(behaviour, tmp_path)
