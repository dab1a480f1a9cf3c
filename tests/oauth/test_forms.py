"""Forms that a strict provider accepts, and what is made of each answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oauth.making import SCOPES, google, oauth_for, tokens
from tests.support.oauth_provider import ACCOUNT, CLIENT_SECRET, OAuthProvider
from tests.support.passwords import MARK, discreet
from tui_popretr.config.oauth import OAuth, Provider
from tui_popretr.errors import (
    ExitCode,
    GrantEnded,
    LoginDenied,
    LoginRefused,
    LoginTimedOut,
    PopretrError,
    ProviderFailed,
    ProviderProtocolError,
)
from tui_popretr.oauth import forms
from tui_popretr.oauth.authorization import begin
from tui_popretr.oauth.forms import Answer, AuthorizationPending, DeviceCode, Form, SlowDown
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret

NONE: Final = Secret("")
NOW: Final = 1_000_000.0
REDIRECT: Final = "http://127.0.0.1:8765/"
OLD: Final = tokens(f"{MARK}-a1", f"{MARK}-r1", obtained=NOW - 3000)


class At:
    """A provider, how it is used, and the time."""

    def __init__(self) -> None:
        self.now = NOW
        self.provider = OAuthProvider(clock=lambda: self.now)
        self.oauth = oauth_for(self.provider)

    def send(self, form: Form) -> Answer:
        answer = self.provider.answer("POST", urlsplit(form.url).path, {"content-type": forms.CONTENT_TYPE}, form.body)
        return Answer(answer.status, answer.body)

    def log_in(self, secret: Secret = NONE) -> Tokens:
        login = begin(self.provider.auth_url, self.oauth.client_id, SCOPES, REDIRECT, account=ACCOUNT)
        code = login.code_in(self.provider.consent(login.address))
        form = forms.code_form(self.oauth, secret, code, login.verifier, login.redirect)
        return forms.read_tokens(self.oauth, form, self.send(form), self.now)


@pytest.fixture
def at() -> At:
    return At()


@pytest.mark.parametrize("secret", ["", CLIENT_SECRET])
def test_a_login_by_a_code(at: At, secret: str) -> None:
    at.provider.client_secret = secret
    found = at.log_in(Secret(secret))
    assert at.provider.owner(found.access.reveal()) == ACCOUNT
    assert found.refresh is not None
    assert (found.scopes, found.expires, found.obtained) == (SCOPES, NOW + 3600, NOW)


@pytest.mark.parametrize("secret", ["", CLIENT_SECRET])
def test_a_renewal(at: At, secret: str) -> None:
    at.provider.client_secret = secret
    first = at.log_in(Secret(secret))
    at.now += 4000
    assert first.refresh
    form = forms.refresh_form(at.oauth, Secret(secret), first.refresh)
    second = forms.read_tokens(at.oauth, form, at.send(form), at.now, first)
    assert at.provider.owner(second.access.reveal()) == ACCOUNT
    assert second.refresh not in (None, first.refresh)
    assert (second.scopes, second.expires) == (SCOPES, at.now + 3600)


def test_an_answer_without_a_refresh_token_keeps_the_old_one(at: At) -> None:
    at.provider.rotates, at.provider.keeps_refresh_token = False, True
    first = at.log_in()
    assert first.refresh
    form = forms.refresh_form(at.oauth, NONE, first.refresh)
    assert forms.read_tokens(at.oauth, form, at.send(form), at.now, first).refresh == first.refresh


def test_a_login_on_another_device(at: At) -> None:
    form = forms.device_form(at.oauth, NONE)
    device = forms.read_device_code(at.oauth, form, at.send(form))
    assert device.address == f"{at.provider.base}/activate"
    assert device.complete_address.endswith(device.user_code)
    assert (device.interval, device.expires_in) == (1, 600)
    poll = forms.poll_form(at.oauth, NONE, device)
    with pytest.raises(AuthorizationPending):
        forms.read_tokens(at.oauth, poll, at.send(poll), at.now)
    with pytest.raises(SlowDown):
        forms.read_tokens(at.oauth, poll, at.send(poll), at.now)
    at.provider.approve(device.user_code)
    at.now += 60
    assert forms.read_tokens(at.oauth, poll, at.send(poll), at.now).refresh
    discreet(repr(device), repr(poll), repr(form))


def test_a_revocation(at: At) -> None:
    found = at.log_in()
    assert found.refresh
    form = forms.revoke_form(at.oauth, NONE, found.refresh)
    forms.read_revocation(at.oauth, form, at.send(form))
    assert at.provider.owner(found.access.reveal()) is None
    assert "token_type_hint=refresh_token" in form.body.decode()
    with pytest.raises(LoginRefused):
        forms.read_revocation(at.oauth, form, Answer(400, b'{"error":"unsupported_token_type"}'))


def test_microsoft_gets_the_scopes_at_each_renewal(at: At) -> None:
    microsoft = replace(at.oauth, provider=Provider.MICROSOFT)
    fields = dict(parse_qsl(forms.refresh_form(microsoft, NONE, Secret("r")).body.decode()))
    assert fields["scope"] == " ".join(SCOPES)
    assert "scope" not in dict(parse_qsl(forms.refresh_form(at.oauth, NONE, Secret("r")).body.decode()))


def test_google_is_asked_for_a_refresh_token(at: At) -> None:
    address = begin("https://a.test/", "i", SCOPES, REDIRECT, fields=google(at.oauth).authorization_fields).address
    assert {"access_type": "offline", "prompt": "consent"}.items() <= dict(parse_qsl(urlsplit(address).query)).items()
    assert not at.oauth.authorization_fields


# --- answers --------------------------------------------------------------------------------------------------------

GOOD: Final[dict[str, Any]] = {"access_token": "a2", "token_type": "bearer", "expires_in": 60, "refresh_token": "r2"}


def read(answer: object, *, status: int = 200, before: Tokens | None = OLD, oauth: OAuth | None = None) -> Tokens:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    oauth = oauth or oauth_for(OAuthProvider())
    assert OLD.refresh
    form = forms.refresh_form(oauth, Secret(CLIENT_SECRET), OLD.refresh)
    return forms.read_tokens(oauth, form, Answer(status, body), NOW, before)


@pytest.mark.parametrize(
    ("fields", "expires"),
    [
        ({"expires_in": 60}, 60),
        ({"expires_in": "60"}, 60),
        ({"expires_in": 60.9}, 60),
        ({"expires_in": None}, None),
        ({"expires_in": 0}, None),
        ({"expires_in": -5}, None),
        ({"expires_in": 10**30}, 315_360_000),
        ({"expires_in": 60, "refresh_token": None, "error": None, "token_type": None}, 60),
    ],
)
def test_lifetimes(fields: dict[str, object], expires: float | None) -> None:
    assert read(GOOD | fields).expires == (None if expires is None else NOW + expires)


@pytest.mark.parametrize(
    ("fields", "scopes"),
    [({}, SCOPES), ({"scope": "a b"}, ("a", "b")), ({"scope": ["a", "b"]}, ("a", "b")), ({"scope": ""}, SCOPES)],
)
def test_scopes(fields: dict[str, object], scopes: tuple[str, ...]) -> None:
    assert read(GOOD | fields).scopes == scopes


def id_token(claims: object) -> str:
    return f"h.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.s"


@pytest.mark.parametrize(
    ("token", "account"),
    [
        (id_token({"email": "me@x.test"}), "me@x.test"),
        (id_token({"preferred_username": "me@x.test"}), "me@x.test"),
        (id_token({"email": "\x1b[2J"}), "\\x1b[2J"),
        (id_token({"email": 1}), ""),
        (id_token({}), ""),
        (id_token([]), ""),
        ("a.b", ""),
        ("ä.ä", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_whose_token_it_is(token: object, account: str) -> None:
    assert read(GOOD | {"id_token": token}).account == account


def test_the_account_stays_at_a_renewal() -> None:
    assert read(GOOD, before=replace(OLD, account="me@x.test")).account == "me@x.test"


@pytest.mark.parametrize(
    ("answer", "status", "kind", "words"),
    [
        (b"<html>log in</html>", 200, ProviderProtocolError, "is not one of OAuth (status 200)"),
        (b"<html>no</html>", 404, ProviderProtocolError, "is not one of OAuth (status 404)"),
        (b"access_token=a", 200, ProviderProtocolError, "is not one of OAuth"),
        (b"[" * 100_000, 200, ProviderProtocolError, "is not one of OAuth"),
        (b'["a"]', 200, ProviderProtocolError, "is not one of OAuth"),
        (b"\xff", 200, ProviderProtocolError, "is not one of OAuth"),
        (GOOD, 201, ProviderProtocolError, "is not one of OAuth (status 201)"),
        ({}, 200, ProviderProtocolError, "has no access token"),
        (GOOD | {"access_token": ""}, 200, ProviderProtocolError, "has no access token"),
        (GOOD | {"access_token": "a b"}, 200, ProviderProtocolError, "has no access token"),
        (GOOD | {"access_token": "a\x01b"}, 200, ProviderProtocolError, "has no access token"),
        (GOOD | {"access_token": "ä"}, 200, ProviderProtocolError, "has no access token"),
        (GOOD | {"access_token": 7}, 200, ProviderProtocolError, "has fields that OAuth does not allow"),
        (GOOD | {"refresh_token": ["r"]}, 200, ProviderProtocolError, "has fields that OAuth does not allow"),
        (GOOD | {"refresh_token": "ä"}, 200, ProviderProtocolError, "has fields that OAuth does not allow"),
        (GOOD | {"expires_in": "soon"}, 200, ProviderProtocolError, "has fields that OAuth does not allow"),
        (GOOD | {"expires_in": float("inf")}, 200, ProviderProtocolError, "has fields that OAuth does not allow"),
        (GOOD | {"scope": 7}, 200, ProviderProtocolError, "has fields that OAuth does not allow"),
        (GOOD | {"token_type": "mac"}, 200, ProviderProtocolError, "of an unknown type"),
        (GOOD | {"token_type": 7}, 200, ProviderProtocolError, "of an unknown type"),
        (b"<html>", 500, ProviderFailed, "a temporary problem (status 500)"),
        ({"error": "invalid_grant"}, 503, ProviderFailed, "a temporary problem (status 503)"),
        ({"error": "x"}, 429, ProviderFailed, "a temporary problem (status 429)"),
        ({"error": "temporarily_unavailable"}, 400, ProviderFailed, "temporarily_unavailable"),
        ({"error": "invalid_grant"}, 400, GrantEnded, "no longer renews the token (invalid_grant)"),
        ({"error": "invalid_grant"}, 200, GrantEnded, "no longer renews the token (invalid_grant)"),
        ({"error": "interaction_required"}, 400, GrantEnded, "no longer renews the token"),
        ({"error": "access_denied"}, 400, LoginDenied, "access_denied"),
        ({"error": "authorization_declined"}, 400, LoginDenied, "authorization_declined"),
        ({"error": "expired_token"}, 400, LoginTimedOut, "the code of the login has expired"),
        ({"error": "invalid_client"}, 401, LoginRefused, "invalid_client"),
        ({"error": "invalid_scope"}, 400, LoginRefused, "invalid_scope"),
        ({"error": "new_error\x1b", "error_description": "Why\n"}, 400, LoginRefused, "new_error\\x1b: Why\\x0a"),
        ({"error": 7}, 400, ProviderProtocolError, "OAuth"),
        ({"error": ["x"]}, 400, ProviderProtocolError, "OAuth"),
        ({"error": "x", "error_description": {}}, 400, PopretrError, ""),
    ],
)
def test_answers_that_are_no_tokens(answer: object, status: int, kind: type[PopretrError], words: str) -> None:
    with pytest.raises(PopretrError) as caught:
        read(answer, status=status)
    assert isinstance(caught.value, kind)
    assert words in str(caught.value)
    assert caught.value.advice


def test_exit_codes() -> None:
    kinds = (GrantEnded, LoginDenied, LoginTimedOut, LoginRefused, ProviderFailed, ProviderProtocolError)
    codes = [kind.exit_code for kind in kinds]
    assert codes == [ExitCode.LOGIN] * 4 + [ExitCode.TEMPORARY, ExitCode.PROTOCOL]


@pytest.mark.parametrize(
    ("scopes", "advice"),
    [(("mail",), "check <scope> in <oauth>"), ((), "the provider requires a <scope> in <oauth>")],
    ids=["one", "none"],
)
def test_a_scope_that_is_refused(scopes: tuple[str, ...], advice: str) -> None:
    oauth = replace(oauth_for(OAuthProvider()), scopes=scopes)
    with pytest.raises(LoginRefused) as caught:
        read({"error": "invalid_scope"}, oauth=oauth, status=400)
    assert caught.value.advice == f"{advice}; see docs/oauth.md"


def test_advice() -> None:
    for change, words in (
        (lambda oauth: oauth, "access was removed, the password was changed"),
        (google, "still in testing, where tokens end after 7 days"),
    ):
        oauth = change(oauth_for(OAuthProvider()))
        with pytest.raises(GrantEnded) as caught:
            read({"error": "invalid_grant"}, status=400, oauth=oauth)
        assert words in caught.value.advice
        assert str(caught.value).startswith("log in again (tui-popretr login /etc/c.xml --client isp): ")


def test_a_code_that_was_used_is_no_end_of_a_grant() -> None:
    with pytest.raises(LoginTimedOut):
        read({"error": "invalid_grant"}, status=400, before=None)


def test_secrets_that_the_provider_repeats_are_not_shown() -> None:
    assert OLD.refresh
    words = f"token {OLD.refresh.reveal()} of {CLIENT_SECRET}"
    for error in ("invalid_grant", "invalid_client", words):
        with pytest.raises(PopretrError) as caught:
            read({"error": error, "error_description": words}, status=400)
        discreet(str(caught.value), caught.value.advice, repr(caught.value))
        assert "token **** of ****" in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
NAMES: Final = st.sampled_from(
    (
        "access_token",
        "refresh_token",
        "token_type",
        "expires_in",
        "expires_at",
        "scope",
        "id_token",
        "error",
        "error_description",
        "error_uri",
        "device_code",
        "user_code",
        "verification_uri",
        "interval",
    )
)
READERS: Final[tuple[Callable[[OAuth, Form, Answer], object], ...]] = (
    lambda oauth, form, answer: forms.read_tokens(oauth, form, answer, NOW, OLD),
    lambda oauth, form, answer: forms.read_tokens(oauth, form, answer, NOW),
    forms.read_device_code,
    forms.read_revocation,
)


@given(
    fields=st.dictionaries(NAMES, JSON | st.just("a"), max_size=8),
    status=st.sampled_from((200, 302, 400, 401, 500)),
    reader=st.sampled_from(READERS),
)
def test_any_answer(fields: dict[str, object], status: int, reader: Callable[[OAuth, Form, Answer], object]) -> None:
    oauth = oauth_for(OAuthProvider())
    form = Form(oauth.endpoints.token or "", b"")
    try:
        found = reader(oauth, form, Answer(status, json.dumps(fields).encode()))
    except (PopretrError, AuthorizationPending):
        return
    if isinstance(found, Tokens):
        assert found.access
    elif isinstance(found, DeviceCode):
        assert found.code
        assert found.user_code.isprintable()


def device_answer(**more: object) -> DeviceCode:
    oauth = oauth_for(OAuthProvider())
    usual: dict[str, object] = {"device_code": "d", "user_code": "u", "verification_uri": "HTTPS://x.test/d"}
    return forms.read_device_code(oauth, forms.device_form(oauth, NONE), Answer(200, json.dumps(usual | more).encode()))


@pytest.mark.parametrize("address", ["javascript:alert(1)", "file:///etc/passwd", "\x1b[31mhttps://x.test"])
def test_what_is_no_web_address_is_not_shown(address: str) -> None:
    assert device_answer(verification_uri_complete=address).complete_address == ""
    with pytest.raises(ProviderProtocolError, match="the address for the other device is no web address"):
        device_answer(verification_uri=address)


def test_secrets_that_the_provider_repeats_as_in_the_form_are_not_shown() -> None:
    secret = f"{MARK}/+="
    oauth = oauth_for(OAuthProvider())
    form = forms.refresh_form(oauth, NONE, Secret(secret))
    body = json.dumps({"error": "invalid_request", "error_description": form.body.decode()}).encode()
    with pytest.raises(LoginRefused) as caught:
        forms.read_tokens(oauth, form, Answer(400, body), NOW, OLD)
    discreet(str(caught.value))
    assert "refresh_token=****" in str(caught.value)
