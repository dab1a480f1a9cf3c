"""The address that a browser opens, and what is read from the one that comes back."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.oauth_provider import ACCOUNT, CLIENT_ID, Fault, OAuthProvider
from tests.support.passwords import reveals
from tui_popretr.errors import (
    ExitCode,
    IssuerMismatch,
    LoginDenied,
    LoginRefused,
    PopretrError,
    ProviderFailed,
    RedirectIgnored,
)
from tui_popretr.oauth.authorization import Authorization, Issuer, begin
from tui_popretr.secret import Secret

REDIRECT = "http://127.0.0.1:8765/"
SCOPES = ("https://mail.example.test/pop", "offline_access")


def begun(provider: OAuthProvider, *, issuer: str = "", required: bool = True) -> Authorization:
    known = Issuer(issuer or provider.issuer, required)
    return begin(provider.auth_url, CLIENT_ID, SCOPES, REDIRECT, account=ACCOUNT, issuer=known)


@pytest.fixture
def provider() -> OAuthProvider:
    return OAuthProvider()


def test_the_address_to_open(provider: OAuthProvider) -> None:
    login = begun(provider)
    assert login.address.startswith(f"{provider.auth_url}?")
    fields = dict(parse_qsl(urlsplit(login.address).query))
    assert fields.pop("state") == login.state.reveal()
    assert len(fields.pop("code_challenge")) == 43
    assert fields == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "scope": " ".join(SCOPES),
        "code_challenge_method": "S256",
        "login_hint": ACCOUNT,
    }
    assert login.verifier.reveal() not in login.address
    assert login.verifier.reveal() not in repr(login)


def test_each_login_has_its_own_state_and_verifier(provider: OAuthProvider) -> None:
    logins = [begun(provider) for _ in range(8)]
    assert len({login.state for login in logins}) == len({login.verifier for login in logins}) == 8


@pytest.mark.parametrize("base", ["https://provider.test/tenant?p=1", "http://127.0.0.1:9/authorize"])
def test_the_address_of_the_provider_is_kept(base: str) -> None:
    login = begin(base, CLIENT_ID, SCOPES, REDIRECT)
    assert login.address.startswith(base)
    assert "login_hint" not in login.address


def test_a_code(provider: OAuthProvider) -> None:
    login = begun(provider)
    location = provider.consent(login.address)
    code = login.code_in(f"  {location}\n")
    assert f"code={code.reveal()}" in location


def refused(provider: OAuthProvider, login: Authorization | None = None) -> PopretrError:
    login = login or begun(provider)
    with pytest.raises(PopretrError) as caught:
        login.code_in(provider.consent(login.address))
    assert caught.value.advice
    return caught.value


@pytest.mark.parametrize("fault", [Fault.WRONG_STATE, Fault.NO_STATE])
def test_another_state(provider: OAuthProvider, fault: Fault) -> None:
    provider.faults["/authorize"] = fault
    problem = refused(provider)
    assert isinstance(problem, RedirectIgnored)
    assert str(problem) == "the address belongs to another login (its state differs)"
    assert problem.advice == "open the address that this login shows, and no older one"


def test_another_issuer(provider: OAuthProvider) -> None:
    provider.faults["/authorize"] = Fault.WRONG_ISS
    problem = refused(provider)
    assert isinstance(problem, IssuerMismatch)
    assert str(problem) == f"the answer is from another provider: https://attacker.test, not {provider.issuer}"
    assert problem.exit_code == ExitCode.PROTOCOL


def test_no_issuer(provider: OAuthProvider) -> None:
    provider.faults["/authorize"] = Fault.NO_ISS
    assert isinstance(refused(provider), IssuerMismatch)
    login = begun(provider, required=False)
    assert login.code_in(provider.consent(login.address))
    unknown = begin(provider.auth_url, CLIENT_ID, SCOPES, REDIRECT)
    assert unknown.code_in(provider.consent(unknown.address))


def test_the_issuer_counts_more_than_an_error(provider: OAuthProvider) -> None:
    provider.agrees = False
    provider.faults["/authorize"] = Fault.WRONG_ISS
    assert isinstance(refused(provider), IssuerMismatch)


def test_the_user_does_not_agree(provider: OAuthProvider) -> None:
    provider.agrees = False
    problem = refused(provider)
    assert isinstance(problem, LoginDenied)
    assert str(problem) == "access was not allowed at the provider (access_denied: The user did not consent)"
    assert problem.exit_code == ExitCode.LOGIN


LOGIN = Authorization("https://provider.test/authorize?x=1", REDIRECT, Secret("right"), Secret("verifier"))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("invalid_scope", LoginRefused),
        ("unauthorized_client", LoginRefused),
        ("consent_required", LoginRefused),
        ("server_error", ProviderFailed),
        ("temporarily_unavailable", ProviderFailed),
    ],
)
def test_errors_of_the_provider(error: str, kind: type[PopretrError]) -> None:
    fields = urlencode({"error": error, "error_description": "why\x1b[2J", "state": "right"})
    with pytest.raises(kind, match=rf"\({error}: why\\x1b\[2J\)"):
        LOGIN.code_in(f"{REDIRECT}?{fields}")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "nothing was entered"),
        ("4/0AbCdEf", "this is no address"),
        ("http://[::1/?code=1", "this is no address"),
        ("http://127.0.0.1:99999/?code=1", "this is no address"),
        ("https://provider.test/consent?code=1&state=right", "this is a page of the provider"),
        ("https://mail.test/?code=1&state=right", f"the address does not begin with {REDIRECT}"),
        ("https://127.0.0.1:8765/?code=1&state=right", f"the address does not begin with {REDIRECT}"),
        ("http://127.0.0.1:8766/?code=1&state=right", f"the address does not begin with {REDIRECT}"),
        ("http://127.0.0.1:8765/other?code=1&state=right", f"the address does not begin with {REDIRECT}"),
        ("http://127.0.0.1:8765/", "the address has no code"),
        ("http://127.0.0.1:8765/?state=right", "the address has no code"),
        ("http://127.0.0.1:8765/?code=&state=right", "the address has no code"),
        ("http://127.0.0.1:8765/?code=1", "the address belongs to another login (its state differs)"),
        ("http://127.0.0.1:8765/?code=1&state=right&state=right", "the address has a field twice"),
        ("http://127.0.0.1:8765/?code=1&code=2&state=right", "the address has a field twice"),
    ],
)
def test_an_address_of_something_else(text: str, error: str) -> None:
    with pytest.raises(RedirectIgnored) as caught:
        LOGIN.code_in(text)
    assert str(caught.value) == error
    assert caught.value.advice


@given(st.one_of(st.text(), st.builds("{}?{}".format, st.just(REDIRECT), st.text())))
def test_any_text(text: str) -> None:
    with pytest.raises(PopretrError) as caught:
        LOGIN.code_in(text)
    assert not reveals(str(caught.value).encode("utf-8", "surrogateescape"))


def test_the_code_is_shown_in_no_error() -> None:
    for text in (f"{REDIRECT}?code=sesame&state=wrong", f"{REDIRECT}x?code=sesame", "https://mail.test/?code=sesame"):
        with pytest.raises(RedirectIgnored) as caught:
            LOGIN.code_in(text)
        assert "sesame" not in f"{caught.value} {caught.value.advice}"


@pytest.mark.parametrize("code", ["a\udcff", "a%00", "%0a", "ä", "%ff"])
def test_a_code_with_other_characters_is_ignored(provider: OAuthProvider, code: str) -> None:
    """A terminal that is not UTF-8 gives lone surrogates."""
    login = begun(provider)
    with pytest.raises(RedirectIgnored, match="the code in the address has characters that no code has"):
        login.code_in(f"{REDIRECT}?state={login.state.reveal()}&iss={provider.issuer}&code={code}")
