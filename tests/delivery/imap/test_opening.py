"""From the connection to the login: greeting, capabilities, TLS, methods; what is never sent, and the errors."""

from __future__ import annotations

import re
import ssl
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from trio.testing import MockClock, trio_test

from tests.delivery.imap.scripted import NAME, Play, answers, conversation, says
from tests.support.passwords import PASSWORD
from tests.support.streams import Peer
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.config.model import ImapDestination
from tui_popretr.config.oauth import Endpoints, OAuth, Provider
from tui_popretr.config.sources import Literal
from tui_popretr.delivery.credentials import TokenRenewedError
from tui_popretr.delivery.imap.opening import credentials_for, establish, explain
from tui_popretr.errors import (
    DeliveryFailed,
    ExitCode,
    ImapLoginFailed,
    ImapProtocolError,
    ImapServerNotTrusted,
    ImapServerUnreachable,
    ImapTemporaryFailure,
    ImapTlsMisconfigured,
    PasswordUnavailable,
    ProviderFailed,
)
from tui_popretr.net import tls_errors
from tui_popretr.net.tls import TlsContexts
from tui_popretr.secret import Secret

PLAIN = b64encode(f"\0me\0{PASSWORD}".encode()).decode()
TLS, STARTTLS, CLEAR = TlsPolicy(), TlsPolicy(latent=True), None
CAPABLE = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi"
LOGGED_IN = (f"a1 AUTHENTICATE PLAIN {PLAIN}", "a1 OK [CAPABILITY IMAP4rev1] in")
TOKENS = ("token-1", "token-2")
OAUTH = OAuth(Provider.CUSTOM, "id", "me", Endpoints(token="https://x.test/t"), config="c.xml", client="c")


def destination(tls: TlsPolicy | None = TLS, **more: Any) -> ImapDestination:
    host = more.pop("host", "imap.example.test")
    found = ImapDestination(host, username="me", password=Literal(Secret(PASSWORD)), tls=tls)
    return replace(found, **more)


def by_token(*methods: AuthType) -> ImapDestination:
    return destination(
        password=None, oauth=OAUTH, auth_types=methods or (AuthType.SASL_OAUTHBEARER, AuthType.SASL_XOAUTH2)
    )


async def opened(play: Play, where: ImapDestination, *, asked: list[str] | None = None) -> list[str]:
    """Open a connection to the server; return the transcript."""
    calls: list[str] = [] if asked is None else asked

    async def ask() -> Secret:
        calls.append("password")
        return Secret(TOKENS[0] if where.oauth else PASSWORD)

    async def other(refused: Secret) -> Secret | None:
        calls.append(f"other than {refused.reveal()}")
        return Secret(TOKENS[1]) if refused.reveal() == TOKENS[0] else None

    said: list[str] = []
    try:
        async with conversation(play) as talk:
            said = talk.said
            await establish(talk.dialogue, where, credentials_for(where, ask, other), TlsContexts())
            assert talk.dialogue.usable
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        assert not any(secret in line for line in said for secret in (PASSWORD, PLAIN, *TOKENS))
    return said


async def failure(kind: type[DeliveryFailed], words: str, play: Play, where: ImapDestination) -> DeliveryFailed:
    with pytest.raises(kind, match=words) as caught:
        await opened(play, where)
    assert type(caught.value) is kind
    assert PASSWORD not in str(caught.value)
    return caught.value


# --- the greeting and TLS ---------------------------------------------------------------------------------------------


@trio_test
async def test_tls_from_the_first_byte(autojump_clock: MockClock) -> None:
    said = await opened(answers(LOGGED_IN, greeting=CAPABLE), destination())
    assert said[:5] == [
        "event IMAP TLS (TLSv1.3, TLS_AES)",
        f"<< IMAP {CAPABLE}",
        ">> IMAP AUTHENTICATE PLAIN ****",
        "<< IMAP a1 OK [CAPABILITY IMAP4rev1] in",
        "event IMAP Disconnect",
    ]


@trio_test
async def test_starttls(autojump_clock: MockClock) -> None:
    play = answers(
        ("a1 STARTTLS", "a1 OK go"),
        ("a2 CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\na2 OK"),
        ("a3 AUTHENTICATE PLAIN", "+ "),
        (PLAIN, "a3 OK in"),
        ("a4 CAPABILITY", "* CAPABILITY IMAP4rev1\na4 OK"),
        greeting="* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi",
    )
    said = await opened(play, destination(STARTTLS))
    assert "event IMAP TLS (TLSv1.3, TLS_AES)" in said


@pytest.mark.parametrize(
    ("tls", "greeting", "dialogue", "kind", "words"),
    [
        (TLS, "* BYE [UNAVAILABLE] later", [], ImapTemporaryFailure, "accepts no session: BYE .UNAVAILABLE. later"),
        (TLS, "* BYE too many connections", [], ImapTemporaryFailure, "accepts no session"),
        (TLS, "* BYE go away", [], ImapServerUnreachable, "accepts no session: BYE go away"),
        (TLS, "+OK POP3", [], ImapProtocolError, "did not greet as an IMAP server"),
        (TLS, "* OK [CAPABILITY IMAP2] hi", [], ImapProtocolError, "offers neither IMAP4rev1 nor IMAP4rev2"),
        (TLS, "* OK hi", [("a1 CAPABILITY", "a1 OK")], ImapProtocolError, "does not list its capabilities"),
        (TLS, "* OK hi", [("a1 CAPABILITY", "a1 BAD x")], ImapServerUnreachable, "capabilities: BAD x"),
        (STARTTLS, "* PREAUTH hi", [], ImapServerNotTrusted, "PREAUTH"),
        (STARTTLS, CAPABLE, [], ImapServerNotTrusted, "offers no STARTTLS"),
        (
            STARTTLS,
            "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi",
            [("a1 STARTTLS", "a1 NO never")],
            ImapServerNotTrusted,
            "refused STARTTLS: NO never",
        ),
        (
            STARTTLS,
            "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi",
            [("a1 STARTTLS", "a1 NO [UNAVAILABLE] later")],
            ImapTemporaryFailure,
            "no TLS for now",
        ),
        (
            STARTTLS,
            "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi",
            [("a1 STARTTLS", "a1 OK go\n* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] injected")],
            ImapServerNotTrusted,
            "octets in clear after its answer to STARTTLS",
        ),
    ],
)
@trio_test
async def test_no_secret_is_sent(
    tls: TlsPolicy | None,
    greeting: str,
    dialogue: list[tuple[str, str]],
    kind: type[DeliveryFailed],
    words: str,
    autojump_clock: MockClock,
) -> None:
    error = await failure(kind, words, answers(*dialogue, greeting=greeting), destination(tls))
    assert str(error).startswith(NAME)


@trio_test
async def test_a_trust_file_that_is_gone(autojump_clock: MockClock) -> None:
    tls = TlsPolicy(trust_path="/nonexistent/ca.pem")
    error = await failure(ImapTlsMisconfigured, "/nonexistent/ca.pem", answers(greeting=CAPABLE), destination(tls))
    assert error.exit_code is ExitCode.CONFIGURATION


@trio_test
async def test_a_server_that_is_logged_in_already(autojump_clock: MockClock) -> None:
    asked: list[str] = []
    await opened(answers(greeting="* PREAUTH [CAPABILITY IMAP4rev1] hi"), destination(), asked=asked)
    assert asked == []


@trio_test
async def test_a_server_that_does_not_greet(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()

    await failure(ImapTemporaryFailure, "did not answer in time", play, destination())


@trio_test
async def test_a_server_that_closes_at_once(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.close()

    await failure(ImapTemporaryFailure, "closed the connection", play, destination())


@pytest.mark.parametrize("latent", [False, True])
def test_the_texts_of_tls_are_those_of_imap(latent: bool) -> None:
    policy = TlsPolicy(latent=latent)
    problems: list[Exception] = [ssl.SSLError(1, "x"), ssl.SSLEOFError(8, "x"), ConnectionResetError(104, "x")]
    problems[0].reason = "WRONG_VERSION_NUMBER"  # type: ignore[attr-defined]
    for problem in problems:
        error = explain(NAME, tls_errors.explain(problem, tls_errors.Attempt(policy, "imap.test", "imap.test", "143")))
        text = f"{error} {error.advice}"
        assert "POP3" not in text
        assert "the client" not in text
        assert not re.search(r"\bSTLS\b|latent", text)


# --- methods ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "types", "command"),
    [
        ("SASL-IR AUTH=PLAIN AUTH=LOGIN", (AuthType.AUTO,), f"a1 AUTHENTICATE PLAIN {PLAIN}"),
        ("", (AuthType.AUTO,), f'a1 LOGIN "me" "{PASSWORD}"'),
        ("AUTH=PLAIN AUTH=CRAM-MD5", (AuthType.AUTO,), "a1 AUTHENTICATE CRAM-MD5"),
        ("AUTH=PLAIN AUTH=SCRAM-SHA-256", (AuthType.AUTO,), "a1 AUTHENTICATE SCRAM-SHA-256"),
        ("AUTH=PLAIN", (AuthType.USERPASS, AuthType.SASL_PLAIN), f'a1 LOGIN "me" "{PASSWORD}"'),
        ("AUTH=PLAIN LOGINDISABLED", (AuthType.USERPASS, AuthType.SASL_PLAIN), "a1 AUTHENTICATE PLAIN"),
    ],
)
@trio_test
async def test_the_method(offered: str, types: tuple[AuthType, ...], command: str, autojump_clock: MockClock) -> None:
    heard: list[str] = []

    async def play(peer: Peer) -> None:
        await peer.say(f"* OK [CAPABILITY IMAP4rev1 {offered}] hi")
        heard.append(await peer.heard())
        await peer.say("a1 NO [AUTHENTICATIONFAILED] no")
        await peer.close()

    await failure(ImapLoginFailed, "did not accept the login", play, destination(auth_types=types))
    assert heard == [command]


@pytest.mark.parametrize(
    ("tls", "offered", "types", "words"),
    [
        (TLS, "LOGINDISABLED", (AuthType.AUTO,), r"USERPASS is disabled \(LOGINDISABLED\)"),
        (TLS, "AUTH=PLAIN", (AuthType.SASL_CRAM_MD5,), "SASL_CRAM_MD5 is not offered"),
        (CLEAR, "AUTH=PLAIN AUTH=LOGIN", (AuthType.AUTO,), "USERPASS would send the secret in clear"),
        (CLEAR, "AUTH=PLAIN", (AuthType.SASL_PLAIN,), "would send the secret in clear"),
    ],
)
@trio_test
async def test_no_method_can_be_used(
    tls: TlsPolicy | None, offered: str, types: tuple[AuthType, ...], words: str, autojump_clock: MockClock
) -> None:
    asked: list[str] = []
    play = answers(greeting=f"* OK [CAPABILITY IMAP4rev1 {offered}] hi")
    with pytest.raises(ImapLoginFailed, match=words):
        await opened(play, destination(tls, auth_types=types), asked=asked)
    assert asked == []


@trio_test
async def test_a_loopback_address_is_private(autojump_clock: MockClock) -> None:
    await opened(answers(LOGGED_IN, greeting=CAPABLE), destination(CLEAR, host="127.0.0.1"))


@trio_test
async def test_no_username_is_an_error_of_the_configuration(autojump_clock: MockClock) -> None:
    error = await failure(ImapLoginFailed, "demands a login", answers(greeting=CAPABLE), destination(username=None))
    assert "<username>" in error.advice


@trio_test
async def test_the_next_method_after_a_refusal(autojump_clock: MockClock) -> None:
    play = answers(
        (f'a1 LOGIN "me" "{PASSWORD}"', "a1 NO no"),
        ("a2 AUTHENTICATE PLAIN", "+"),
        (PLAIN, "a2 OK in"),
        ("a3 CAPABILITY", "* CAPABILITY IMAP4rev1\na3 OK"),
        greeting="* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi",
    )
    await opened(play, destination(auth_types=(AuthType.USERPASS, AuthType.SASL_PLAIN)))


@pytest.mark.parametrize("last", ["a1 NO no", "a1 NO no\n* BYE bye"])
@trio_test
async def test_a_server_that_closes_after_a_refusal(last: str, autojump_clock: MockClock) -> None:
    play = says("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi", (f'a1 LOGIN "me" "{PASSWORD}"', last))
    where = destination(auth_types=(AuthType.USERPASS, AuthType.SASL_PLAIN))
    await failure(ImapLoginFailed, r"login \(USERPASS\): NO no", play, where)


@pytest.mark.parametrize(
    ("answer", "kind", "code", "advice"),
    [
        ("NO [AUTHENTICATIONFAILED] no, try again", ImapLoginFailed, ExitCode.LOGIN, "check <username>"),
        ("NO wrong password", ImapLoginFailed, ExitCode.LOGIN, "check <username>"),
        ("BAD what", ImapLoginFailed, ExitCode.LOGIN, "check <username>"),
        ("NO [AUTHORIZATIONFAILED] no", ImapLoginFailed, ExitCode.LOGIN, "may not use this mailbox"),
        ("NO [EXPIRED] no", ImapLoginFailed, ExitCode.LOGIN, "has expired"),
        ("NO [PRIVACYREQUIRED] no", ImapLoginFailed, ExitCode.LOGIN, "over TLS only"),
        ("NO [CONTACTADMIN] no", ImapLoginFailed, ExitCode.LOGIN, "operator"),
        ("NO [ALERT] Application-specific password required", ImapLoginFailed, ExitCode.LOGIN, "app password"),
        ("NO IMAP access is disabled for your account", ImapLoginFailed, ExitCode.LOGIN, "enable IMAP access"),
        ("NO [UNAVAILABLE] wrong password", ImapTemporaryFailure, ExitCode.TEMPORARY, "tried again"),
        ("NO [INUSE] locked", ImapTemporaryFailure, ExitCode.TEMPORARY, "tried again"),
        ("NO [LIMIT] ten", ImapTemporaryFailure, ExitCode.TEMPORARY, "tried again"),
        ("NO too many connections, try again later", ImapTemporaryFailure, ExitCode.TEMPORARY, "tried again"),
    ],
)
@trio_test
async def test_a_refused_login(
    answer: str, kind: type[DeliveryFailed], code: ExitCode, advice: str, autojump_clock: MockClock
) -> None:
    play = answers((f"a1 AUTHENTICATE PLAIN {PLAIN}", f"a1 {answer}"), greeting=CAPABLE)
    error = await failure(kind, "did not accept the login", play, destination())
    assert error.exit_code is code
    assert advice in error.advice


@trio_test
async def test_a_server_without_the_proof_of_scram(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.say("* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256] hi")
        await peer.heard()
        await peer.say("+ ")
        await peer.heard()
        await peer.say("a1 OK in")

    await failure(ImapServerNotTrusted, "without proving that it knows the password", play, destination())


@trio_test
async def test_an_invalid_challenge(autojump_clock: MockClock) -> None:
    play = answers(
        ("a1 AUTHENTICATE CRAM-MD5", "+ ?"),
        ("*", "a1 BAD cancelled"),
        greeting="* OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5] hi",
    )
    await failure(ImapLoginFailed, "challenge is not base64", play, destination())


@trio_test
async def test_an_unavailable_password(autojump_clock: MockClock) -> None:
    async def ask() -> Secret:
        raise PasswordUnavailable("the command pass failed", advice="run it by hand")

    where = destination()
    async with conversation(answers(greeting=CAPABLE)) as talk:
        with pytest.raises(ImapLoginFailed, match="the command pass failed") as caught:
            await establish(talk.dialogue, where, credentials_for(where, ask, None), TlsContexts())
    assert caught.value.advice == "run it by hand"


# --- access tokens ----------------------------------------------------------------------------------------------------


def response(token: str, *, bearer: bool = False) -> str:
    name = "n,a=me,\1host=imap.example.test\1port=993" if bearer else "user=me"
    return b64encode(f"{name}\1auth=Bearer {token}\1\1".encode()).decode()


BOTH = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER] hi"
XOAUTH2 = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=PLAIN] hi"
REFUSED = "+ " + b64encode(b'{"status":"401"}').decode()


@trio_test
async def test_a_login_by_token(autojump_clock: MockClock) -> None:
    play = answers(
        (f"a1 AUTHENTICATE OAUTHBEARER {response(TOKENS[0], bearer=True)}", "a1 OK [CAPABILITY IMAP4rev1] in"),
        greeting=BOTH,
    )
    await opened(play, by_token())


@trio_test
async def test_a_refused_token_is_renewed_once(autojump_clock: MockClock) -> None:
    asked: list[str] = []
    play = answers(
        (f"a1 AUTHENTICATE XOAUTH2 {response(TOKENS[0])}", REFUSED),
        ("", "a1 NO [AUTHENTICATIONFAILED] no"),
        (f"a2 AUTHENTICATE XOAUTH2 {response(TOKENS[1])}", "a2 OK [CAPABILITY IMAP4rev1] in"),
        greeting=XOAUTH2,
    )
    await opened(play, by_token(), asked=asked)
    assert asked == ["password", "other than token-1"]


@trio_test
async def test_a_new_token_that_is_refused(autojump_clock: MockClock) -> None:
    play = answers(
        (f"a1 AUTHENTICATE XOAUTH2 {response(TOKENS[0])}", "a1 NO no"),
        (f"a2 AUTHENTICATE XOAUTH2 {response(TOKENS[1])}", REFUSED),
        ("", "a2 NO no"),
        greeting=XOAUTH2,
    )
    error = await failure(ImapLoginFailed, r"does not accept the access token \(status 401\)", play, by_token())
    assert "the access token is new" in error.advice
    assert "--for" in error.advice or "tui-popretr login" in error.advice


@trio_test
async def test_a_server_that_closes_after_a_refused_token(autojump_clock: MockClock) -> None:
    play = says(XOAUTH2, (f"a1 AUTHENTICATE XOAUTH2 {response(TOKENS[0])}", "a1 NO no"))
    with pytest.raises(TokenRenewedError):
        await opened(play, by_token())


@trio_test
async def test_a_server_without_logins_by_token(autojump_clock: MockClock) -> None:
    await failure(
        ImapLoginFailed, "SASL_OAUTHBEARER, SASL_XOAUTH2 is not offered", answers(greeting=CAPABLE), by_token()
    )


@trio_test
async def test_an_unavailable_token(autojump_clock: MockClock) -> None:
    async def ask() -> Secret:
        raise ProviderFailed("the provider has a problem")

    where = by_token()
    async with conversation(answers(greeting=BOTH)) as talk:
        with pytest.raises(ImapTemporaryFailure, match="the provider has a problem; it is needed for the IMAP server"):
            await establish(talk.dialogue, where, credentials_for(where, ask, None), TlsContexts())
