"""Logging in: the methods in order, each once, until one succeeds."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.session.attempts import (
    APOP,
    APOP_NO,
    APOP_OK,
    CRAM_MD5,
    CRAM_NO,
    DIGEST,
    EXTERNAL,
    OAUTHBEARER,
    PASS_NO,
    PLAIN,
    PLAIN_LATE_NO,
    PLAIN_NO,
    PLAIN_OK,
    RESPONSE,
    SCRAM_256,
    STAMP,
    USER_NO,
    USERPASS,
    USERPASS_OK,
    XOAUTH2,
    Attempt,
)
from tests.support.clock import FakeClock
from tests.support.making import server_settings
from tests.support.passwords import PASSWORD
from tests.support.popserver import Mechanism, PopServer, ServedMaildrop, ServerPolicy
from tests.support.streams import memory_connection
from tui_popretr.bus import Bus
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.config.sources import FromCommand, Literal
from tui_popretr.errors import (
    ConnectionCut,
    ExitCode,
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
    TlsRequired,
)
from tui_popretr.facts import SessionId
from tui_popretr.pop3 import apop_digest
from tui_popretr.secret import Secret
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.login import LoginOptions, log_in

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
async def test_an_unanswerable_challenge_is_cancelled_and_reported(autojump_clock: MockClock) -> None:
    text = await Attempt(CRAM_MD5).fails(("AUTH CRAM-MD5", "+ not base64!"), ("*", "-ERR cancelled"))
    assert text == "the server rejected the login (SASL_CRAM_MD5: the server's challenge is not base64)"


@trio_test
async def test_methods_unusable_with_the_credentials_are_skipped(autojump_clock: MockClock) -> None:
    odd = Literal(Secret("\U0001f600"))  # SASLprep knows no such character
    assert (
        await Attempt(SCRAM_256, APOP, password=odd).against(
            (f"APOP alice {apop_digest(STAMP.encode(), odd.secret).reveal()}", "+OK")
        )
        == "APOP"
    )
    attempt = Attempt(SCRAM_256, XOAUTH2, password=odd)
    with pytest.raises(NoUsableMechanism, match=r"SASL_SCRAM_SHA_256: .* SCRAM does not allow; SASL_XOAUTH2: .*token"):
        await attempt.against()
    assert attempt.rest == []


TOKEN_ERROR = b64encode(b'{"status":"401","schemes":"bearer","scope":"https://mail.example.test/"}').decode()


@pytest.mark.parametrize(("method", "acknowledgement"), [(XOAUTH2, ""), (OAUTHBEARER, "AQ==")])
@trio_test
async def test_a_token_that_is_not_accepted(method: AuthType, acknowledgement: str, autojump_clock: MockClock) -> None:
    name = method.value.removeprefix("SASL_")
    address = "n,a=alice,\1host=pop.example.test\1port=110" if method is OAUTHBEARER else "user=alice"
    response = b64encode(f"{address}\1auth=Bearer {PASSWORD}\1\1".encode()).decode()
    attempt = Attempt(method)
    text = await attempt.fails(
        (f"AUTH {name}", "+ "), (response, f"+ {TOKEN_ERROR}"), (acknowledgement, "-ERR [AUTH] failed")
    )
    assert text == (
        f"the server rejected the login ({method.value}: the server does not accept the access token"
        " (status 401, scope https://mail.example.test/))"
    )
    assert attempt.problem.advice.startswith("the access token may have expired")


@pytest.mark.parametrize("method", [XOAUTH2, OAUTHBEARER])
@trio_test
async def test_a_token_that_is_not_accepted_without_a_reason(method: AuthType, autojump_clock: MockClock) -> None:
    address = "n,a=alice,\1host=pop.example.test\1port=110" if method is OAUTHBEARER else "user=alice"
    response = b64encode(f"{address}\1auth=Bearer {PASSWORD}\1\1".encode()).decode()
    attempt = Attempt(method)
    text = await attempt.fails(
        (f"AUTH {method.value.removeprefix('SASL_')}", "+ "), (response, "-ERR [AUTH] Authentication failed.")
    )
    assert text == (
        f"the server rejected the login ({method.value}: the server does not accept the access token:"
        " [AUTH] Authentication failed.)"
    )
    assert attempt.problem.advice.startswith("the access token may have expired")


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
    assert str(caught.value) == f"the server refused access: [{code}] \\x07wait"
    assert attempt.rest == []


@pytest.mark.parametrize("code", ["AUTH", "X-OTHER", "SYS/OTHER", "SYS"])
@trio_test
async def test_after_any_other_code_the_next_method_is_tried(code: str, autojump_clock: MockClock) -> None:
    assert await Attempt(USERPASS, APOP).against(("USER alice", f"-ERR [{code}] no"), *APOP_OK) == "APOP"


# --- when the server wants TLS ----------------------------------------------------------------------------------------

DOVECOT = "[AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections."


@pytest.mark.parametrize(
    "words",
    [
        DOVECOT,
        "[PRIVACYREQUIRED] not here",
        "TLS required",
        "[AUTH] issue STLS first",
        "use a secure connection",
        "plaintext authentication disabled",
        "Encryption required",
    ],
)
@trio_test
async def test_a_server_that_wants_tls_first_is_told_as_that(words: str, autojump_clock: MockClock) -> None:
    attempt = Attempt(USERPASS, PLAIN)
    with pytest.raises(TlsRequired) as caught:
        await attempt.against(("USER alice", f"-ERR {words}"), ("AUTH PLAIN", "-ERR unknown"))
    assert caught.value.exit_code is ExitCode.LOGIN
    assert "allows no login without TLS" in str(caught.value)
    assert words in str(caught.value)
    assert "ssl" in caught.value.advice
    assert attempt.rest == []


@trio_test
async def test_another_login_may_do_without_tls(autojump_clock: MockClock) -> None:
    assert await Attempt(USERPASS, APOP).against(("USER alice", f"-ERR {DOVECOT}"), *APOP_OK) == "APOP"


@pytest.mark.parametrize(
    ("words", "tls"),
    [
        (DOVECOT, TlsPolicy()),
        ("[AUTH] bad password, see https://example.net/ssl", None),
        ("no such user ssl@example.net", None),
        ("bad password", None),
    ],
)
@trio_test
async def test_any_other_refusal_is_a_rejection(words: str, tls: TlsPolicy | None, autojump_clock: MockClock) -> None:
    await Attempt(USERPASS, tls=tls).fails(("USER alice", "+OK"), (f"PASS {PASSWORD}", f"-ERR {words}"))


@trio_test
async def test_a_checked_password_is_a_rejection_despite_tls_texts(autojump_clock: MockClock) -> None:
    no = (f"APOP alice {DIGEST}", "-ERR [AUTH] no")
    await Attempt(USERPASS, APOP).fails(("USER alice", f"-ERR {DOVECOT}"), no)


# --- when the server goes away ----------------------------------------------------------------------------------------


@trio_test
async def test_who_hangs_up_after_a_rejection_has_rejected_the_login(autojump_clock: MockClock) -> None:
    text = await Attempt(USERPASS, APOP).fails(*PASS_NO, hang_up=True)
    assert text.startswith("the server rejected the login (USERPASS: no), and then: the connection broke")


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
async def test_silence_after_a_rejection_is_a_stall(autojump_clock: MockClock) -> None:
    with pytest.raises(ServerStalled):
        await Attempt(USERPASS, APOP).against(*PASS_NO)


# --- what a refusal means by its words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Your mailbox is already locked", MailboxInUse),
        ("unable to lock maildrop", MailboxInUse),
        ("maildrop already locked", MailboxInUse),
        ("mail storage services unavailable, wait a few minutes and try again", ServerTemporaryFailure),
        ("[X-BUSY] server busy", ServerTemporaryFailure),
    ],
)
@pytest.mark.parametrize(
    "begun",
    [
        [("USER alice", "+OK"), (f"PASS {PASSWORD}", "")],
        [("USER alice", "")],
        [("AUTH PLAIN", "+ "), (RESPONSE, "")],
        [(f"APOP alice {DIGEST}", "")],
    ],
)
@trio_test
async def test_a_temporary_refusal_ends_the_login(
    begun: list[tuple[str, str]], text: str, problem: type[PopretrError], autojump_clock: MockClock
) -> None:
    *before, (last, _) = begun
    first = {"USER": USERPASS, "AUTH": PLAIN, "APOP": APOP}[begun[0][0].split()[0]]
    attempt = Attempt(first, CRAM_MD5, APOP, USERPASS)
    with pytest.raises(problem, match="refused access") as caught:
        await attempt.against(*before, (last, f"-ERR {text}"))
    assert caught.value.exit_code is ExitCode.TEMPORARY
    assert caught.value.judged_by_text
    assert caught.value.advice
    assert attempt.rest == []


@pytest.mark.parametrize("code", ["", "[AUTH] "])
@trio_test
async def test_an_account_that_is_locked_is_tried_by_no_other_method(code: str, autojump_clock: MockClock) -> None:
    attempt = Attempt(USERPASS, APOP, PLAIN)
    text = await attempt.fails(("USER alice", "+OK"), (f"PASS {PASSWORD}", f"-ERR {code}account suspended, try later"))
    assert "account suspended" in text
    assert "locked the account" in attempt.problem.advice


@trio_test
async def test_a_code_says_more_than_words(autojump_clock: MockClock) -> None:
    text = await Attempt(USERPASS).fails(("USER alice", "+OK"), (f"PASS {PASSWORD}", "-ERR [AUTH] busy, try later"))
    assert "busy" in text


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        ("[AUTH] Application-specific password required: https://support.google.com/x", "create an app password"),
        ("[AUTH] Web login required: https://support.google.com/x", "log in once with a web browser"),
        ("POP3 is not enabled for this account", "enable POP access"),
        ("no", "check username and password"),
    ],
)
@trio_test
async def test_what_to_do_is_said_where_the_server_says_it(
    refusal: str, advice: str, autojump_clock: MockClock
) -> None:
    attempt = Attempt(USERPASS)
    await attempt.fails(("USER alice", "+OK"), (f"PASS {PASSWORD}", f"-ERR {refusal}"))
    assert attempt.problem.advice.startswith(advice)


@trio_test
async def test_pop_access_that_is_switched_off_by_gmail(autojump_clock: MockClock) -> None:
    attempt = Attempt(USERPASS)
    with pytest.raises(ServerPermanentFailure):
        await attempt.against(
            ("USER alice", "+OK"),
            (f"PASS {PASSWORD}", "-ERR [SYS/PERM] Your account is not enabled for POP access."),
        )
    assert attempt.problem.advice.startswith("enable POP access")


# --- a server that hangs up after a refusal ---------------------------------------------------------------------------


@trio_test
async def test_where_the_server_hangs_up_the_advice_names_the_methods(autojump_clock: MockClock) -> None:
    attempt = Attempt(APOP, USERPASS, PLAIN)
    text = await attempt.fails(*APOP_NO, hang_up=True)
    assert text.startswith("the server rejected the login (APOP: no), and then: ")
    assert "closes the connection after it refuses APOP" in attempt.problem.advice
    assert "authtypes (here: USERPASS, SASL_PLAIN)" in attempt.problem.advice


# --- several commands at once -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [{"tls": TlsPolicy()}, {"address": "127.0.0.1"}, {"address": "::1"}])
@pytest.mark.parametrize(
    ("user", "passed", "succeeds"),
    [
        ("+OK", "+OK", True),
        ("+OK", "-ERR no", False),
        ("-ERR who", "-ERR USER first", False),
        ("-ERR who", "+OK", True),
    ],
)
@trio_test
async def test_user_and_pass_go_together_on_a_private_connection(
    user: str, passed: str, succeeds: bool, where: dict[str, Any], autojump_clock: MockClock
) -> None:
    attempt = Attempt(USERPASS, **where)
    attempt.options.together = attempt.options.utf8 = True
    dialogue = [("UTF8", "+OK"), ("USER alice", user), (f"PASS {PASSWORD}", passed)]
    if succeeds:
        assert await attempt.against(*dialogue) == "USERPASS"
    else:
        await attempt.fails(*dialogue)
    answer = attempt.options.utf8_answer
    assert answer is not None
    assert answer.ok


@trio_test
async def test_pass_waits_for_users_reply_without_tls(autojump_clock: MockClock) -> None:
    attempt = Attempt(USERPASS)
    attempt.options.together = True
    await attempt.fails(*USER_NO)


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


@pytest.mark.parametrize("method", [USERPASS, APOP, PLAIN, AuthType.SASL_LOGIN, CRAM_MD5, XOAUTH2, OAUTHBEARER])
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
@trio_test
async def test_a_real_server_lets_us_in_with_the_right_password(
    method: AuthType, password: str, autojump_clock: MockClock
) -> None:
    server = PopServer([ServedMaildrop("alice", password)], policy=ServerPolicy(clear=frozenset(Mechanism)))
    stream, end = memory_connection()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, end)
        connection = Pop3Connection(stream, SessionId("a", 1), Bus(), FakeClock(), timeout=30.0)
        stamp = (await connection.greeting()).stamp
        settings = server_settings(auth_types=(method,))
        if password == PASSWORD:
            assert await log_in(connection, settings, LoginOptions(stamp)) == method.value
        else:
            with pytest.raises(LoginRejected):
                await log_in(connection, settings, LoginOptions(stamp))
        connection.close()
    assert server.failures == []
