"""Logging in to a mail server by an access token."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

import pytest

from tests.delivery.smtp.sending import failure, sending
from tests.delivery.smtp.talker import talking
from tests.oauth.making import oauth_for
from tests.support.oauth_provider import OAuthProvider
from tests.support.passwords import MARK, discreet
from tui_popretr.config.model import SmtpDestination
from tui_popretr.errors import (
    DeliveryFailed,
    ExitCode,
    GrantEnded,
    PopretrError,
    ProviderFailed,
    ProviderProtocolError,
    ProviderUnreachable,
    SmtpLoginFailed,
    SmtpProtocolError,
    SmtpServerUnreachable,
    SmtpTemporaryFailure,
    TokenFileUnusable,
)
from tui_popretr.secret import Secret

FIRST, SECOND = (Secret(f"{MARK}-{number}") for number in (1, 2))
GREETING: Final = b"220 hi\r\n"
HELLO: Final = b"250-hi\r\n250 AUTH PLAIN XOAUTH2\r\n"
REFUSAL: Final = b"334 " + b64encode(b'{"status":"400"}') + b"\r\n"
REFUSED: Final = [REFUSAL, b"535 5.7.8 no\r\n"]
IN: Final = b"235 in\r\n"
BYE: Final = b"221 bye\r\n"


def destination(port: int) -> SmtpDestination:
    return SmtpDestination(
        "me@home.test", ("a@b.test",), host="127.0.0.1", port=port, username="me", oauth=oauth_for(OAuthProvider())
    )


def response(token: Secret) -> bytes:
    return b64encode(f"user=me\1auth=Bearer {token.reveal()}\1\1".encode())


class Tokens:
    """The tokens of a sink; `other` is the answer to a refusal."""

    def __init__(self, other: Secret | PopretrError | None = None) -> None:
        self.asked = 0
        self.refused: list[Secret] = []
        self._other = other

    def get(self) -> Secret:
        self.asked += 1
        return FIRST

    async def refuse(self, token: Secret) -> Secret | None:
        self.refused.append(token)
        if isinstance(self._other, PopretrError):
            raise self._other
        return self._other

    @property
    def means(self) -> dict[str, Any]:
        return {"password": self.get, "other_password": self.refuse}


def test_a_login() -> None:
    heard: list[bytes] = []
    tokens = Tokens()
    with talking([GREETING, HELLO, IN, BYE], heard=heard) as port, sending(destination(port), **tokens.means) as sender:
        sender.prepare(0)
        discreet(*sender.said)
    assert heard[1] == b"AUTH XOAUTH2 " + response(FIRST) + b"\r\n"
    assert tokens.refused == []


def test_the_standard_mechanism_is_preferred() -> None:
    heard: list[bytes] = []
    hello = b"250-hi\r\n250 AUTH XOAUTH2 OAUTHBEARER PLAIN\r\n"
    with talking([GREETING, hello, IN, BYE], heard=heard) as port:
        with sending(destination(port), **Tokens().means) as sender:
            sender.prepare(0)
        sent = f"n,a=me,\1host=127.0.0.1\1port={port}\1auth=Bearer {FIRST.reveal()}\1\1".encode()
    assert heard[1] == b"AUTH OAUTHBEARER " + b64encode(sent) + b"\r\n"


def test_a_refused_token_is_renewed_and_tried_again() -> None:
    heard: list[bytes] = []
    tokens = Tokens(SECOND)
    script = [GREETING, HELLO, *REFUSED, IN, BYE]
    with talking(script, heard=heard) as port, sending(destination(port), **tokens.means) as sender:
        sender.prepare(0)
        discreet(*sender.said)
    assert heard[1:4] == [
        b"AUTH XOAUTH2 " + response(FIRST) + b"\r\n",
        b"\r\n",
        b"AUTH XOAUTH2 " + response(SECOND) + b"\r\n",
    ]
    assert tokens.refused == [FIRST]


def test_a_server_that_closes_after_a_refusal_is_tried_again() -> None:
    heard: list[bytes] = []
    tokens = Tokens(SECOND)
    scripts = [GREETING, HELLO, *REFUSED], [GREETING, HELLO, IN, BYE]
    with talking(*scripts, heard=heard) as port, sending(destination(port), **tokens.means) as sender:
        sender.prepare(0)
        discreet(*sender.said)
    assert heard[-2] == b"AUTH XOAUTH2 " + response(FIRST) + b"\r\n"
    assert tokens.refused == [FIRST]
    assert tokens.asked == 2


def test_a_server_that_closes_after_each_refusal() -> None:
    """The second token is new, so the login has failed, and is no temporary failure."""
    others = iter([SECOND, None])

    class Once(Tokens):
        async def refuse(self, token: Secret) -> Secret | None:
            self.refused.append(token)
            return next(others)

    tokens = Once()
    with talking([GREETING, HELLO, *REFUSED], [GREETING, HELLO, *REFUSED]) as port:
        failure(SmtpLoginFailed, "did not accept the login", destination(port), None, **tokens.means)
    assert len(tokens.refused) == 2


def test_a_server_that_refuses_token_after_token_and_closes() -> None:
    with talking([GREETING, HELLO, *REFUSED], [GREETING, HELLO, *REFUSED]) as port:
        failure(SmtpTemporaryFailure, "has refused two access tokens", destination(port), None, **Tokens(SECOND).means)


@pytest.mark.parametrize("other", [None, SECOND])
def test_a_new_token_that_is_refused(other: Secret | None) -> None:
    tokens = Tokens(other)
    with talking([GREETING, HELLO, *REFUSED, *(REFUSED if other else [])]) as port:
        error = failure(SmtpLoginFailed, "did not accept the login", destination(port), None, **tokens.means)
    assert error.advice.startswith("the access token is new, so another setting is wrong")
    assert "tui-popretr login /etc/c.xml --client isp" in error.advice
    assert tokens.refused == [FIRST]


def test_a_passing_refusal_is_not_about_the_token() -> None:
    tokens = Tokens(SECOND)
    with talking([GREETING, HELLO, b"454 4.7.0 later\r\n"]) as port:
        failure(SmtpTemporaryFailure, "did not accept the login", destination(port), None, **tokens.means)
    assert tokens.refused == []


def test_a_server_without_access_tokens() -> None:
    with talking([GREETING, b"250-hi\r\n250 AUTH PLAIN LOGIN\r\n"]) as port:
        failure(SmtpLoginFailed, "offers no login by access token", destination(port), None, **Tokens().means)


@pytest.mark.parametrize(
    ("problem", "kind", "code"),
    [
        (GrantEnded("log in again (X)"), SmtpLoginFailed, ExitCode.LOGIN),
        (ProviderUnreachable("p cannot be reached"), SmtpServerUnreachable, ExitCode.UNAVAILABLE),
        (ProviderFailed("p is silent"), SmtpTemporaryFailure, ExitCode.TEMPORARY),
        (ProviderProtocolError("p is strange"), SmtpProtocolError, ExitCode.PROTOCOL),
        (TokenFileUnusable("the file is broken"), DeliveryFailed, ExitCode.IO_ERROR),
    ],
)
@pytest.mark.parametrize("when", ["before", "after a refusal"])
def test_errors_of_tokens(problem: PopretrError, kind: type[DeliveryFailed], code: ExitCode, when: str) -> None:
    def raising() -> Secret:
        raise problem

    before = when == "before"
    means: dict[str, Any] = {"password": raising} if before else Tokens(problem).means
    with talking([GREETING, HELLO, *([] if before else REFUSED)]) as port:
        error = failure(kind, "^", destination(port), None, **means)
        assert str(error) == f"{problem}; it is needed for the SMTP server 127.0.0.1:{port}"
    assert (error.exit_code, error.advice) == (code, problem.advice)
    assert error.login_missing == isinstance(problem, GrantEnded)


def test_each_connection_gets_a_valid_token() -> None:
    tokens = Tokens()
    scripts = [GREETING, HELLO, IN], [GREETING, HELLO, IN]
    with talking(*scripts) as port, sending(destination(port), **tokens.means) as sender:
        sender.prepare(0)
        with pytest.raises(DeliveryFailed):
            sender.send()
    assert tokens.asked == 2
