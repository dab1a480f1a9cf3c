"""Target: answers of a provider of tokens, the address that a browser is redirected to, and token files."""

from __future__ import annotations

from typing import Final

from tests.fuzz.expectations import PASSWORD, discreet, harmless
from tui_popretr.config.oauth import Endpoints, OAuth, Provider
from tui_popretr.errors import PopretrError
from tui_popretr.oauth import forms, store
from tui_popretr.oauth.authorization import Authorization, Issuer
from tui_popretr.oauth.forms import Answer, AuthorizationPending, DeviceCode, Form
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret

_URL: Final = "https://provider.test/token"
_OAUTH: Final = OAuth(Provider.CUSTOM, "id", "me@example.test", Endpoints(_URL, _URL, _URL), scopes=("mail",))
_FORM: Final = Form(_URL, b"", (Secret(PASSWORD),))
_OLD: Final = Tokens(Secret("a"), Secret(PASSWORD), 2000.0, ("mail",), "", 1000.0)
_LOGIN: Final = Authorization(
    _URL, "http://127.0.0.1:8765/", Secret("state"), Secret(PASSWORD), Issuer("https://provider.test", required=True)
)
_STATUS: Final = (200, 200, 400, 401, 503)

SEEDS: Final = [
    b'\0{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"r","scope":"mail","id_token":"h.e30.s"}',
    b'\x02{"error":"invalid_grant","error_description":"horse-battery-staple"}',
    b'\x0a{"device_code":"d","user_code":"ABCD","verification_uri":"https://p.test/d","expires_in":600,"interval":5}',
    b"\x14http://127.0.0.1:8765/?code=c&state=state&iss=https%3A%2F%2Fprovider.test",
    b'\x19{"version":1,"access":"a","refresh":"r","expires":2000,"scopes":["mail"],"account":"","obtained":1000}',
]
WORDS: Final = [
    b'{"', b'":', b"null", b"1e999", b"NaN", b"access_token", b"refresh_token", b"expires_in", b"scope", b"error",
    b"error_description", b"invalid_grant", b"slow_down", b"device_code", b"user_code", b"verification_url",
    b"id_token", b"horse-battery-staple",
    b"?code=", b"&state=state", b"&iss=", b"&error=access_denied", b"http://127.0.0.1:8765/", b"[::1",
    b"%1b", b"\\u001b", b"\\ud800", b"version", b"[[[[", b"\xff", b"\x02", b"\x14",
]  # fmt: skip


def one_input(data: bytes) -> None:
    """Read the input. What is found is harmless, and no error has a secret in it."""
    kind, body = (data[0] if data else 0) % 30, data[1:]
    answer = Answer(_STATUS[kind % 5], body)
    try:
        if kind < 5:
            _check_tokens(forms.read_tokens(_OAUTH, _FORM, answer, 1500.0, _OLD))
        elif kind < 10:
            found = forms.read_tokens(_OAUTH, _FORM, answer, 1500.0)
            harmless(found.account)
            _check_tokens(found)
        elif kind < 15:
            _check_device(forms.read_device_code(_OAUTH, _FORM, answer))
        elif kind < 20:
            forms.read_revocation(_OAUTH, _FORM, answer)
        elif kind < 25:
            address = body.decode("utf-8", "surrogateescape")
            assert _LOGIN.code_in(address.replace(PASSWORD, "code"))  # a browser cannot know the verifier
        else:
            _check_tokens(store.parse(body))
    except PopretrError as problem:
        harmless(str(problem))
        harmless(problem.advice)
        discreet(problem.advice, problem)
    except (AuthorizationPending, store.Damaged, store.Newer):
        pass


def _check_tokens(tokens: Tokens) -> None:
    token = tokens.access.reveal()
    assert token.isascii()
    assert token.isprintable()
    tokens.due(1500.0)
    tokens.valid(1500.0)


def _check_device(device: DeviceCode) -> None:
    harmless(device.address)
    harmless(device.complete_address)
    harmless(device.user_code)
    assert 0 < device.interval <= 3600
    assert device.expires_in > 0
