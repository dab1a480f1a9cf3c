"""Hostile servers at the login: they receive the password at most once for each configured method."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import Behaviour, prove
from tests.hostile.script import CUT, ORDINARY, SILENCE, UNSAID, Script, edited, endlessly, slowly
from tests.hostile.service import TIMEOUT
from tests.support.passwords import PASSWORD
from tui_popretr.config.choices import AuthType
from tui_popretr.errors import ExitCode

APOP = {"auth_types": (AuthType.APOP,)}
APOP_FIRST = {"auth_types": (AuthType.APOP, AuthType.USERPASS)}
PLAIN = {"auth_types": (AuthType.SASL_PLAIN,)}
CRAM = {"auth_types": (AuthType.SASL_CRAM_MD5,)}
SCRAM_FIRST = {"auth_types": (AuthType.SASL_SCRAM_SHA_256, AuthType.USERPASS)}
CRAM_FIRST = {"auth_types": (AuthType.SASL_CRAM_MD5, AuthType.SASL_PLAIN, AuthType.USERPASS)}

CHECK, OPERATOR = "check username and password", "the server breaks the rules of this login method"
REJECTED = "the server rejected the login"


def greeting(stamp: str) -> Script:
    return {"GREETING": f"+OK ready {stamp}\r\n".encode()}


# --- APOP -------------------------------------------------------------------------------------------------------------

STAMPS = {
    "missing": "",
    "unended": "<1896.697170952@pop.example.test",
    "without an @": "<1896.697170952>",
    "empty": "<>",
    "with two @": "<1896@697170952@pop.example.test>",
    "with a space": "<1896 697170952@pop.example.test>",
    "with a control character": "<1896.\x01697170952@pop.example.test>",
    "not ASCII": "<1896.697170952@pöp.example.test>",
    "nested": "<<1896.697170952>@pop.example.test>",
}


@pytest.mark.parametrize("stamp", STAMPS.values(), ids=STAMPS)
@trio_test
async def test_a_stamp_that_is_none(stamp: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """It is not hashed with the password: freedom in the stamp is what the known attacks on APOP need."""
    says = "no usable login method: APOP: the greeting has no stamp for it"
    behaviour = Behaviour(greeting(stamp), says, ExitCode.LOGIN, told=0, client=APOP)
    service = await prove(behaviour, tmp_path)
    assert service.server.verbs(0) == ["CAPA"]


@trio_test
async def test_without_a_stamp_the_next_method_is_tried(tmp_path: Path, autojump_clock: MockClock) -> None:
    service = await prove(Behaviour(greeting(""), delivered=3, client=APOP_FIRST), tmp_path)
    assert service.server.verbs(0)[:3] == ["CAPA", "USER", "PASS"]


# --- words that are no answer -----------------------------------------------------------------------------------------


def continuation(*lines: bytes) -> Script:
    """The challenge to AUTH; what is said to the answer is -ERR."""
    return {"AUTH": b"".join(b"+ %b\r\n" % line for line in lines), "RESPONSE": b"-ERR no\r\n"}


BEHAVIOURS = {
    "the user is refused": Behaviour(
        {"USER": b"-ERR who?\r\n"}, f"{REJECTED} (USERPASS: who?)", ExitCode.LOGIN, CHECK, told=0
    ),
    "the password is refused": Behaviour(
        {"PASS": b"-ERR [AUTH] wrong\r\n"}, f"{REJECTED} (USERPASS: [AUTH] wrong)", ExitCode.LOGIN, CHECK
    ),
    "the password is echoed": Behaviour(
        {"PASS": f"-ERR not {PASSWORD}\r\n".encode()}, f"{REJECTED} (USERPASS: not ****)", ExitCode.LOGIN, CHECK
    ),
    "the password is echoed when it was right": Behaviour(
        {"PASS": (UNSAID, f"+OK {PASSWORD}\r\n".encode()), "STAT": f"-ERR {PASSWORD}?\r\n".encode()},
        "the server refuses STAT: ****?",
        ExitCode.PROTOCOL,
    ),
    "an echo that is cut": Behaviour(
        {"PASS": (f"-ERR not {PASSWORD[:-3]}".encode(), CUT)},
        "the server closed the connection before its answer to PASS ****",
        ExitCode.TEMPORARY,
    ),
    "cut at the password": Behaviour(
        {"PASS": CUT}, "the server closed the connection before its answer to PASS ****", ExitCode.TEMPORARY
    ),
    "silent at the password": Behaviour(
        {"PASS": SILENCE}, "the server has made no progress for 30 s", ExitCode.TEMPORARY, seconds=TIMEOUT
    ),
    "an endless answer to the password": Behaviour(
        {"PASS": endlessly(b"+OK " + b"x" * 60000)},
        "the server sent an endless line: +OK " + "x" * 36 + "…",
        ExitCode.PROTOCOL,
    ),
    "one octet at a time": Behaviour(
        {"PASS": slowly(10.0, b"+OK " + b"x" * 900)},
        "the server has made no progress for 30 s",
        ExitCode.TEMPORARY,
        seconds=TIMEOUT,
    ),
    "garbage at the user": Behaviour(
        {"USER": b"\x00\xff\x1b[31m\r\n"},
        "the server's answer is neither +OK nor -ERR: \\x00\\xff\\x1b[31m",
        ExitCode.PROTOCOL,
        told=0,
    ),
    "the mailbox is in use": Behaviour(
        {"PASS": b"-ERR [IN-USE] later\r\n"},
        "the server refused access: [IN-USE] later",
        ExitCode.TEMPORARY,
        "another program has the mailbox open",
    ),
    "in use, with other methods left": Behaviour(
        {"RESPONSE": b"-ERR [IN-USE] later\r\n"},
        "the server refused access: [IN-USE] later",
        ExitCode.TEMPORARY,
        told=0,
        client=CRAM_FIRST,
    ),
    "the first method is refused": Behaviour({"APOP": b"-ERR no\r\n"}, delivered=3, client=APOP_FIRST),
    "the first is refused in the middle of it": Behaviour(
        continuation(b""),
        f"{REJECTED} (SASL_PLAIN: no)",
        ExitCode.LOGIN,
        CHECK,
        client=PLAIN,
    ),
    "a mechanism that is not there": Behaviour({"AUTH": b"-ERR what?\r\n"}, delivered=3, client=CRAM_FIRST),
    "all are refused": Behaviour(
        {"AUTH": b"-ERR no\r\n", "PASS": b"-ERR neither\r\n"},
        f"{REJECTED} (SASL_CRAM_MD5: no; SASL_PLAIN: no; USERPASS: neither)",
        ExitCode.LOGIN,
        CHECK,
        client=CRAM_FIRST,
    ),
    "it hangs up after a rejection": Behaviour(
        {"AUTH": (b"-ERR no\r\n", CUT)},
        f"{REJECTED} (SASL_CRAM_MD5: no), and then: the connection broke",
        ExitCode.LOGIN,
        "the server closes the connection after it refuses SASL_CRAM_MD5, so no other method can be tried",
        told=0,
        client=CRAM_FIRST,
    ),
    "a challenge that is not base64": Behaviour(
        continuation(b"!!!"),
        f"{REJECTED} (SASL_CRAM_MD5: the server's challenge is not base64)",
        ExitCode.LOGIN,
        OPERATOR,
        told=0,
        client=CRAM,
    ),
    "a challenge that is empty": Behaviour(
        continuation(b""),
        f"{REJECTED} (SASL_CRAM_MD5: the server's challenge is empty)",
        ExitCode.LOGIN,
        OPERATOR,
        told=0,
        client=CRAM,
    ),
    "a challenge that is long": Behaviour(
        continuation(b64encode(b"<" + b"x" * 8000 + b"@y>")),
        f"{REJECTED} (SASL_CRAM_MD5: the server's challenge is too long)",
        ExitCode.LOGIN,
        OPERATOR,
        told=0,
        client=CRAM,
    ),
    "a challenge without end": Behaviour(
        {"AUTH": (b"+ ", endlessly(b"QUJD" * 15000))},
        "the server sent an endless line: + " + "QUJD" * 9 + "QU…",
        ExitCode.PROTOCOL,
        told=0,
        client=CRAM,
    ),
    "challenges without end": Behaviour(
        {"AUTH": ORDINARY, "RESPONSE": b"+ QUJD\r\n"},
        "the server continues a login that was cancelled",
        ExitCode.PROTOCOL,
        client=PLAIN,
    ),
    "several challenges at once": Behaviour(
        {"AUTH": b"+ \r\n+ \r\n"},
        "the server sent an unexpected line: + ",
        ExitCode.PROTOCOL,
        told=0,
        client=PLAIN,
    ),
    "a server of SCRAM that makes no sense": Behaviour(
        {"AUTH": b"+ \r\n", "RESPONSE": b"+ QUJD\r\n"},
        "the server continues a login that was cancelled",
        ExitCode.PROTOCOL,
        told=0,
        client=SCRAM_FIRST,
    ),
    "a server of SCRAM that proves nothing": Behaviour(
        {"AUTH": b"+ \r\n", "RESPONSE": b"+OK\r\n"},
        "the server accepted the login without proving that it knows the password",
        ExitCode.LOGIN,
        "an attacker may be between you and the server",
        told=0,
        client=SCRAM_FIRST,
    ),
    "the password is asked for as a challenge": Behaviour(
        {"PASS": b"+ more\r\n"},
        "the server's answer is neither +OK nor -ERR: + more",
        ExitCode.PROTOCOL,
    ),
    "a cancelled login is accepted": Behaviour(
        {"AUTH": b"+ !!!\r\n", "RESPONSE": b"+OK welcome\r\n"},
        "the server accepted a login that was cancelled",
        ExitCode.PROTOCOL,
        told=0,
        client=CRAM,
    ),
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS)
@trio_test
async def test_the_login(behaviour: Behaviour, tmp_path: Path, autojump_clock: MockClock) -> None:
    service = await prove(behaviour, tmp_path)
    verbs = service.server.verbs(0)
    assert len([verb for verb in verbs if verb in ("APOP", "AUTH", "PASS")]) <= 3


# --- prompts ----------------------------------------------------------------------------------------------------------


def prompted(*prompts: bytes) -> Script:
    """The first challenge, and each that comes behind an answer."""
    first, *others = (b"+ " + prompt + b"\r\n" for prompt in prompts)
    return {
        "AUTH": edited(lambda ordinary: first if ordinary.startswith(b"+") else ordinary),
        "RESPONSE": edited(lambda ordinary: others[0] if ordinary.startswith(b"+ ") else ordinary),
    }


PROMPTS = {
    "PLAIN": (AuthType.SASL_PLAIN, prompted(b"go ahead")),
    "LOGIN": (AuthType.SASL_LOGIN, prompted(b"Username:", b"Password:")),
    "LOGIN, in other words": (AuthType.SASL_LOGIN, prompted(b"\xff who?", b"=")),
}


@pytest.mark.parametrize(("method", "script"), PROMPTS.values(), ids=PROMPTS)
@trio_test
async def test_prompts_in_clear(method: AuthType, script: Script, tmp_path: Path, autojump_clock: MockClock) -> None:
    await prove(Behaviour(script, delivered=3, client={"auth_types": (method,)}), tmp_path)
