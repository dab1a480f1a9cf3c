"""The tests' OAuth provider itself: what it grants, and what it refuses."""

from __future__ import annotations

import base64
import hashlib
import json
import poplib
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.support.dovecot import Dovecot
from tests.support.oauth_provider import ACCOUNT, CLIENT_ID, CLIENT_SECRET, DEVICE_GRANT, Fault, OAuthProvider
from tests.support.oauth_serving import running_provider, visit
from tests.support.passwords import reveals

VERIFIER = "v" * 43
REDIRECT = "http://127.0.0.1:8765/"


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> OAuthProvider:
    return OAuthProvider(clock=clock)


def post(provider: OAuthProvider, path: str, **form: str) -> dict[str, Any]:
    """The answer to a form of the client, with its status."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = provider.answer("POST", path, headers, urlencode({"client_id": CLIENT_ID, **form}).encode())
    return {"status": answer.status, **(json.loads(answer.body) if answer.body else {})}


def authorization(**more: str) -> str:
    """The query of an authorization address."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    usual = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "scope": "pop",
        "state": "s" * 16,
    }
    return urlencode({**usual, "code_challenge": challenge, "code_challenge_method": "S256", **more})


def redirected(provider: OAuthProvider, **more: str) -> dict[str, str]:
    location = provider.consent(f"{provider.auth_url}?{authorization(**more)}")
    assert location.startswith(f"{REDIRECT}?")
    return dict(parse_qsl(urlsplit(location).query))


def by_code(provider: OAuthProvider, code: str, /, **more: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        **more,
    }
    return post(provider, "/token", **form)


def granted(provider: OAuthProvider) -> dict[str, Any]:
    """The tokens of a new grant."""
    answer = by_code(provider, redirected(provider)["code"])
    assert answer["status"] == 200
    return answer


def refreshed(provider: OAuthProvider, token: str) -> dict[str, Any]:
    return post(provider, "/token", grant_type="refresh_token", refresh_token=token)


def test_authorization_code(provider: OAuthProvider, clock: Clock) -> None:
    back = redirected(provider)
    assert (back["state"], back["iss"]) == ("s" * 16, provider.issuer)
    tokens = by_code(provider, back["code"])
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 3600, "pop")
    assert reveals(tokens["access_token"].encode())
    assert reveals(tokens["refresh_token"].encode())
    assert provider.owner(tokens["access_token"]) == ACCOUNT
    clock.now += 3600
    assert provider.owner(tokens["access_token"]) is None


def test_a_code_is_used_once(provider: OAuthProvider) -> None:
    code = redirected(provider)["code"]
    tokens = by_code(provider, code)
    assert by_code(provider, code)["error"] == "invalid_grant"
    assert provider.owner(tokens["access_token"]) is None


@pytest.mark.parametrize("more", [{"code_verifier": "w" * 43}, {"redirect_uri": "http://127.0.0.1:1/"}, {"code": "x"}])
def test_codes_that_do_not_fit(provider: OAuthProvider, more: dict[str, str]) -> None:
    assert by_code(provider, redirected(provider)["code"], **more)["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"state": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
def test_authorizations_that_are_refused(provider: OAuthProvider, more: dict[str, str], error: str) -> None:
    assert redirected(provider, **more)["error"] == error


@pytest.mark.parametrize("address", ["http://127.0.0.1/other", "https://127.0.0.1/", "http://localhost:1/", ""])
def test_no_redirection_to_others(provider: OAuthProvider, address: str) -> None:
    with pytest.raises(AssertionError, match="redirect_uri_mismatch"):
        provider.consent(f"{provider.auth_url}?{authorization(redirect_uri=address)}")


def test_the_user_does_not_agree(provider: OAuthProvider) -> None:
    provider.agrees = False
    assert redirected(provider)["error"] == "access_denied"


def test_rotation(provider: OAuthProvider) -> None:
    first = granted(provider)
    second = refreshed(provider, first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert refreshed(provider, second["refresh_token"])["status"] == 200
    assert refreshed(provider, first["refresh_token"])["error"] == "invalid_grant"
    assert provider.owner(second["access_token"]) is None


def test_no_rotation(provider: OAuthProvider) -> None:
    provider.rotates, provider.keeps_refresh_token = False, True
    first = granted(provider)
    assert "refresh_token" not in refreshed(provider, first["refresh_token"])
    assert refreshed(provider, first["refresh_token"])["status"] == 200


def device(provider: OAuthProvider) -> dict[str, Any]:
    return post(provider, "/device", scope="pop")


def polled(provider: OAuthProvider, asked: dict[str, Any]) -> dict[str, Any]:
    return post(provider, "/token", grant_type=DEVICE_GRANT, device_code=asked["device_code"])


def test_device_flow(provider: OAuthProvider, clock: Clock) -> None:
    asked = device(provider)
    assert polled(provider, asked)["error"] == "authorization_pending"
    assert polled(provider, asked)["error"] == "slow_down"
    assert provider.early_polls == 1
    clock.now += 5
    assert polled(provider, asked)["error"] == "slow_down"
    clock.now += 11
    assert polled(provider, asked)["error"] == "authorization_pending"
    provider.approve(asked["user_code"])
    clock.now += 11
    assert provider.owner(polled(provider, asked)["access_token"]) == ACCOUNT
    assert polled(provider, asked)["error"] == "invalid_grant"


def test_a_device_that_is_denied_or_too_late(provider: OAuthProvider, clock: Clock) -> None:
    asked, late = device(provider), device(provider)
    provider.deny(asked["user_code"])
    assert polled(provider, asked)["error"] == "access_denied"
    clock.now += 600
    assert polled(provider, late)["error"] == "expired_token"


def test_client_authentication(provider: OAuthProvider) -> None:
    provider.client_secret = CLIENT_SECRET
    assert post(provider, "/device", scope="pop") == {
        "status": 401,
        "error": "invalid_client",
        "error_description": "unknown client, or wrong secret",
    }
    assert post(provider, "/device", scope="pop", client_secret=CLIENT_SECRET)["status"] == 200
    basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    headers = {"content-type": "application/x-www-form-urlencoded", "authorization": f"Basic {basic}"}
    assert provider.answer("POST", "/device", headers, b"scope=pop").status == 200


def test_revocation(provider: OAuthProvider) -> None:
    tokens = granted(provider)
    assert post(provider, "/revoke", token=tokens["refresh_token"]) == {"status": 200}
    assert provider.owner(tokens["access_token"]) is None
    assert refreshed(provider, tokens["refresh_token"])["error"] == "invalid_grant"


def test_introspection(provider: OAuthProvider) -> None:
    tokens = granted(provider)
    asked = post(provider, "/introspect", token=tokens["access_token"])
    assert (asked["active"], asked["username"], asked["scope"]) == (True, ACCOUNT, "pop")
    assert post(provider, "/introspect", token="other") == {"status": 200, "active": False}


@pytest.mark.parametrize("fault", [Fault.HTML, Fault.ERROR_500, Fault.REDIRECTION, Fault.NONSENSE, Fault.INCOMPLETE])
def test_faults(provider: OAuthProvider, fault: Fault) -> None:
    provider.faults["/device"] = fault
    answer = provider.answer(
        "POST",
        "/device",
        {"content-type": "application/x-www-form-urlencoded"},
        urlencode({"client_id": CLIENT_ID, "scope": "pop"}).encode(),
    )
    assert b"device_code" not in answer.body
    assert answer.status == {Fault.ERROR_500: 500, Fault.REDIRECTION: 302}.get(fault, 200)


def test_faults_of_the_redirection(provider: OAuthProvider) -> None:
    for fault, name in ((Fault.WRONG_STATE, "state"), (Fault.WRONG_ISS, "iss")):
        provider.faults["/authorize"] = fault
        assert redirected(provider)[name] not in ("s" * 16, provider.issuer)
    for fault, name in ((Fault.NO_STATE, "state"), (Fault.NO_ISS, "iss")):
        provider.faults["/authorize"] = fault
        assert name not in redirected(provider)


def test_it_listens() -> None:
    with running_provider() as provider:
        status, _, location = visit(f"{provider.auth_url}?{authorization()}")
        assert (status, location.partition("?")[0]) == (302, REDIRECT)
        assert visit(f"{provider.base}/nothing")[0] == 404


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_dovecot_asks_it(needs_dovecot: None, mechanism: str) -> None:
    beginning = f"user={ACCOUNT}" if mechanism == "XOAUTH2" else f"n,a={ACCOUNT},"

    def answer_to(token: str) -> bytes:
        response = f"{beginning}\1auth=Bearer {token}\1\1".encode()
        connection = poplib.POP3(dovecot.host, dovecot.port)
        try:
            connection._shortcmd(f"AUTH {mechanism}")  # type: ignore[attr-defined]
            answer: bytes = connection._shortcmd(base64.b64encode(response).decode())  # type: ignore[attr-defined]
        finally:
            connection.close()
        return answer

    with running_provider() as provider, Dovecot(introspection=provider.introspection_url) as dovecot:
        token = granted(provider)["access_token"]
        assert answer_to(token) == b"+OK Logged in."
        provider.revoke()
        assert answer_to(token).startswith(b"+ ")  # a challenge, with the reason in it
        assert provider.count("/introspect") == 2
