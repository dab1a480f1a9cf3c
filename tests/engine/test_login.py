"""Logging in: the methods in their order, once, until one succeeds (SPEC 2, 3, 10)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.engine.making import PASSWORD, server_settings
from tests.support.clock import FakeClock
from tests.support.streams import Peer, memory_connection
from tui_popretr.config.model import AuthType, FromCommand
from tui_popretr.engine.bus import Bus
from tui_popretr.engine.login import log_in
from tui_popretr.engine.wire import Wire
from tui_popretr.errors import (
    ConnectionCut,
    LoginDelayed,
    LoginRejected,
    MailboxInUse,
    NoUsableMechanism,
    PasswordUnavailable,
    PopretrError,
    ProtocolViolation,
    ServerPermanentFailure,
    ServerStalled,
    ServerTemporaryFailure,
)
from tui_popretr.facts import SessionId
from tui_popretr.pop3 import apop_digest
from tui_popretr.popserver import Maildrop, Mechanism, Policy, PopServer
from tui_popretr.secret import Secret

USERPASS, APOP, PLAIN = AuthType.USERPASS, AuthType.APOP, AuthType.SASL_PLAIN
CRAM_MD5, EXTERNAL = AuthType.SASL_CRAM_MD5, AuthType.SASL_EXTERNAL

STAMP = "<1896.697170952@pop.example.test>"
DIGEST = apop_digest(STAMP.encode(), Secret(PASSWORD)).reveal()
RESPONSE = b64encode(b"\0alice\0" + PASSWORD.encode()).decode()

NO = "-ERR no"
#: What each method says, and how it is rejected in the middle of it or at its end.
USER_NO, PASS_NO = [("USER alice", NO)], [("USER alice", "+OK"), (f"PASS {PASSWORD}", NO)]
APOP_NO = [(f"APOP alice {DIGEST}", NO)]
PLAIN_NO, PLAIN_LATE_NO = [("AUTH PLAIN", NO)], [("AUTH PLAIN", "+ "), (RESPONSE, NO)]
CRAM_NO = [("AUTH CRAM-MD5", NO)]
#: And how it succeeds.
USERPASS_OK = [("USER alice", "+OK"), (f"PASS {PASSWORD}", "+OK")]
APOP_OK, PLAIN_OK = [(f"APOP alice {DIGEST}", "+OK")], [("AUTH PLAIN", "+ "), (RESPONSE, "+OK")]


class Attempt:
    """A login to a server that plays its part in a dialogue, and then closes or goes silent."""

    def __init__(self, *methods: AuthType, greeting: str = f"+OK ready {STAMP}", **server: Any) -> None:
        self._server = server_settings(auth_types=methods, **server)
        self._greeting = greeting
        self.rest: list[str] = []  # what was said beyond the dialogue

    async def against(self, *dialogue: tuple[str, str], hang_up: bool = False) -> str:
        stream, end = memory_connection()
        peer = Peer(end)
        wire = Wire(stream, SessionId("a", 1), Bus(), FakeClock(), timeout=30.0)

        async def play() -> None:
            await peer.say(self._greeting)
            await peer.answer(*dialogue)
            if hang_up:
                await peer.close()
            else:
                try:
                    while True:
                        self.rest.append(await peer.heard())
                except EOFError:
                    pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(play)
            try:
                return await log_in(wire, self._server, (await wire.greeting()).stamp)
            except PopretrError as problem:
                self.problem = problem
            finally:
                stream.close()
        raise self.problem

    async def fails(self, *dialogue: tuple[str, str], hang_up: bool = False) -> str:
        """Expect LoginRejected and return its words."""
        with pytest.raises(LoginRejected) as caught:
            await self.against(*dialogue, hang_up=hang_up)
        assert self.rest == []
        assert PASSWORD not in str(caught.value)
        assert DIGEST not in str(caught.value)
        return str(caught.value)


# --- order ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("methods", "dialogue", "succeeded"),
    [
        ([USERPASS], USERPASS_OK, "USERPASS"),
        ([APOP], APOP_OK, "APOP"),
        ([PLAIN], PLAIN_OK, "SASL_PLAIN"),
        ([USERPASS, APOP], USERPASS_OK, "USERPASS"),
        ([USERPASS, APOP], USER_NO + APOP_OK, "APOP"),
        ([USERPASS, APOP], PASS_NO + APOP_OK, "APOP"),
        ([APOP, USERPASS], APOP_NO + USERPASS_OK, "USERPASS"),
        ([PLAIN, CRAM_MD5, USERPASS], PLAIN_NO + CRAM_NO + USERPASS_OK, "USERPASS"),
        ([CRAM_MD5, PLAIN], CRAM_NO + PLAIN_OK, "SASL_PLAIN"),
        ([PLAIN, APOP], PLAIN_LATE_NO + APOP_OK, "APOP"),
    ],
)
@trio_test
async def test_methods_are_tried_in_their_order_until_one_succeeds(
    methods: Sequence[AuthType], dialogue: list[tuple[str, str]], succeeded: str, autojump_clock: MockClock
) -> None:
    attempt = Attempt(*methods)
    assert await attempt.against(*dialogue) == succeeded
    assert attempt.rest == []


@trio_test
async def test_when_all_are_rejected_each_answer_is_told(autojump_clock: MockClock) -> None:
    text = await Attempt(USERPASS, APOP).fails(
        ("USER alice", "+OK"), (f"PASS {PASSWORD}", "-ERR [AUTH] bad \x1bpassword"), (f"APOP alice {DIGEST}", "-ERR")
    )
    assert text == (
        "the server rejected the login (USERPASS: [AUTH] bad \\x1bpassword; APOP: refused without a reason)"
    )


@pytest.mark.parametrize("methods", [(APOP, USERPASS), (APOP, USERPASS, PLAIN)])
@trio_test
async def test_apop_is_passed_over_where_the_greeting_has_no_stamp(
    methods: tuple[AuthType, ...], autojump_clock: MockClock
) -> None:
    assert await Attempt(*methods, greeting="+OK ready").against(*USERPASS_OK) == "USERPASS"


@pytest.mark.parametrize("greeting", ["+OK ready", "+OK <not a stamp>", "+OK <@>", "+OK <a\x7f@b>"])
@trio_test
async def test_apop_alone_without_a_stamp_is_of_no_use(greeting: str, autojump_clock: MockClock) -> None:
    attempt = Attempt(APOP, greeting=greeting)
    with pytest.raises(NoUsableMechanism, match="no stamp"):
        await attempt.against()
    assert attempt.rest == []


@pytest.mark.parametrize(
    ("initial_response", "dialogue"),
    [(True, [(f"AUTH PLAIN {RESPONSE}", "+OK")]), (False, PLAIN_OK)],
)
@trio_test
async def test_initrsp(initial_response: bool, dialogue: list[tuple[str, str]], autojump_clock: MockClock) -> None:
    assert await Attempt(PLAIN, initial_response=initial_response).against(*dialogue) == "SASL_PLAIN"


@trio_test
async def test_external_says_nothing_but_an_empty_line(autojump_clock: MockClock) -> None:
    attempt = Attempt(EXTERNAL, user=None, password=None)
    assert await attempt.against(("AUTH EXTERNAL", "+ "), ("", "+OK")) == "SASL_EXTERNAL"


@trio_test
async def test_a_challenge_that_cannot_be_answered_is_cancelled_and_told(autojump_clock: MockClock) -> None:
    text = await Attempt(CRAM_MD5).fails(("AUTH CRAM-MD5", "+ not base64!"), ("*", "-ERR cancelled"))
    assert text == "the server rejected the login (SASL_CRAM_MD5: the server's challenge is not base64)"


# --- answers that are not about the password --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("IN-USE", MailboxInUse),
        ("in-use", MailboxInUse),
        ("LOGIN-DELAY", LoginDelayed),
        ("SYS/TEMP", ServerTemporaryFailure),
        ("SYS/PERM", ServerPermanentFailure),
    ],
)
@pytest.mark.parametrize(
    "dialogue",
    [
        [("USER alice", "-ERR [{}] \x07wait")],
        [("USER alice", "+OK"), (f"PASS {PASSWORD}", "-ERR [{}] \x07wait")],
        [*USER_NO, (f"APOP alice {DIGEST}", "-ERR [{}] \x07wait")],
        [*USER_NO, *APOP_NO, ("AUTH PLAIN", "-ERR [{}] \x07wait")],
        [*USER_NO, *APOP_NO, ("AUTH PLAIN", "+ "), (RESPONSE, "-ERR [{}] \x07wait")],
    ],
)
@trio_test
async def test_response_codes_end_the_attempt_at_once(
    code: str, error: type[PopretrError], dialogue: list[tuple[str, str]], autojump_clock: MockClock
) -> None:
    attempt = Attempt(USERPASS, APOP, PLAIN, CRAM_MD5)
    with pytest.raises(error) as caught:
        await attempt.against(*((command, reply.format(code)) for command, reply in dialogue))
    assert str(caught.value) == f"the server turns us away: [{code}] \\x07wait"
    assert attempt.rest == []


@pytest.mark.parametrize("code", ["AUTH", "X-OTHER", "SYS/OTHER", "SYS"])
@trio_test
async def test_any_other_code_is_a_rejection_and_the_next_method_is_tried(code: str, autojump_clock: MockClock) -> None:
    assert await Attempt(USERPASS, APOP).against(("USER alice", f"-ERR [{code}] no"), *APOP_OK) == "APOP"


# --- when the server goes away ----------------------------------------------------------------------------------------


@trio_test
async def test_who_hangs_up_after_a_rejection_has_rejected_the_login(autojump_clock: MockClock) -> None:
    text = await Attempt(USERPASS, APOP).fails(*PASS_NO, hang_up=True)
    assert text.startswith("the server rejected the login (USERPASS: no; APOP: ")


@trio_test
async def test_so_has_who_says_good_bye_before_it_hangs_up(autojump_clock: MockClock) -> None:
    # were it a violation of the protocol, a wrong password would be tried again and again without back-off
    dialogue = [PASS_NO[0], (f"PASS {PASSWORD}", "-ERR no\n-ERR too many failures")]
    text = await Attempt(USERPASS, APOP).fails(*dialogue, hang_up=True)
    assert "too many failures" in text


@trio_test
async def test_who_hangs_up_before_has_cut_the_connection(autojump_clock: MockClock) -> None:
    with pytest.raises(ConnectionCut):
        await Attempt(USERPASS, APOP).against(("USER alice", "+OK"), hang_up=True)


@trio_test
async def test_a_first_answer_that_is_none_is_a_violation(autojump_clock: MockClock) -> None:
    with pytest.raises(ProtocolViolation):
        await Attempt(USERPASS, APOP).against(("USER alice", "what?"))


@trio_test
async def test_a_server_that_does_not_answer_is_stalled_also_after_a_rejection(autojump_clock: MockClock) -> None:
    with pytest.raises(ServerStalled):
        await Attempt(USERPASS, APOP).against(*PASS_NO)


# --- the password -----------------------------------------------------------------------------------------------------


def counting_command(folder: Path) -> FromCommand:
    """A command that gives the password and leaves a mark at each run."""
    return FromCommand(("sh", "-c", f"echo run >> {folder}/runs; echo {PASSWORD}"))


def runs(folder: Path) -> int:
    path = folder / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


@trio_test
async def test_its_command_is_run_once_for_all_methods(tmp_path: Path) -> None:
    attempt = Attempt(USERPASS, APOP, PLAIN, password=counting_command(tmp_path))
    assert await attempt.against(*PASS_NO, *APOP_NO, *PLAIN_OK) == "SASL_PLAIN"
    assert runs(tmp_path) == 1


@trio_test
async def test_its_command_is_not_run_for_a_certificate_alone(tmp_path: Path) -> None:
    attempt = Attempt(EXTERNAL, password=counting_command(tmp_path))
    assert await attempt.against(("AUTH EXTERNAL", "+ "), ("", "+OK")) == "SASL_EXTERNAL"
    assert runs(tmp_path) == 0


@trio_test
async def test_without_a_password_nothing_is_said(tmp_path: Path) -> None:
    attempt = Attempt(USERPASS, password=FromCommand(("false",)))
    with pytest.raises(PasswordUnavailable):
        await attempt.against()
    assert attempt.rest == []


# --- against a real server --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [USERPASS, APOP, PLAIN, CRAM_MD5])
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
@trio_test
async def test_a_real_server_lets_us_in_with_the_right_password(
    method: AuthType, password: str, autojump_clock: MockClock
) -> None:
    server = PopServer([Maildrop("alice", password)], policy=Policy(clear=frozenset(Mechanism)))
    stream, end = memory_connection()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, end)
        wire = Wire(stream, SessionId("a", 1), Bus(), FakeClock(), timeout=30.0)
        stamp = (await wire.greeting()).stamp
        settings = server_settings(auth_types=(method,))
        if password == PASSWORD:
            assert await log_in(wire, settings, stamp) == method.value
        else:
            with pytest.raises(LoginRejected):
                await log_in(wire, settings, stamp)
        wire.close()
    assert server.tally.failures == []
