"""What is sent to a provider of tokens, and what its answers mean; no I/O.

oauthlib makes the forms and reads the answers. An error of a provider becomes an error with advice. Nothing that is
secret gets into the text of an error, even if the provider repeats it: a form knows its secrets.

authorization.py has the part that goes through a browser.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus

from oauthlib.common import add_params_to_qs
from oauthlib.oauth2 import DeviceClient, OAuth2Error
from oauthlib.oauth2.rfc6749.parameters import (
    parse_token_response,
    prepare_token_request,
    prepare_token_revocation_request,
)

from tui_popretr.config.oauth import OAuth, Provider
from tui_popretr.errors import (
    GrantEnded,
    LoginDenied,
    LoginRefused,
    LoginTimedOut,
    PopretrError,
    ProviderFailed,
    ProviderProtocolError,
)
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import STARS, Secret
from tui_popretr.text import visible

CONTENT_TYPE: Final = "application/x-www-form-urlencoded"
#: Seconds between two polls if the provider does not say (RFC 8628 §3.2).
INTERVAL: Final = 5.0
#: Seconds that a device code is valid if the provider does not say.
_DEVICE_LIFETIME: Final = 900.0
#: Seconds; a longer lifetime is taken as this one.
_LONGEST: Final = 10 * 365 * 86400
#: The user has to log in again (RFC 6749 §5.2, OpenID Connect Core §3.1.2.6).
_ENDED: Final = frozenset({"invalid_grant", "interaction_required", "login_required", "consent_required"})
_DENIED: Final = frozenset({"access_denied", "authorization_declined"})
_TEMPORARY: Final = frozenset({"temporarily_unavailable", "server_error"})
_TOO_MANY: Final = 429


class AuthorizationPending(Exception):
    """The user has not decided yet (RFC 8628 §3.5)."""


class SlowDown(AuthorizationPending):
    """The same, and the client polls too often."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form to be sent by POST. `secrets` are what must not be shown of it."""

    url: str
    body: bytes = field(repr=False)
    secrets: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a form."""

    status: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A login on another device (RFC 8628 §3.2): the user opens `address` there and types `user_code`."""

    code: Secret
    user_code: str
    address: str
    #: with the user code in it; "" if the provider gives none
    complete_address: str
    #: seconds
    interval: float
    #: seconds from now
    expires_in: float


# --- forms ----------------------------------------------------------------------------------------------------------


def refresh_form(oauth: OAuth, secret: Secret, refresh: Secret) -> Form:
    """The form that renews a token. `secret` is the client secret, empty if there is none."""
    more = _client(oauth, secret)
    if oauth.provider is Provider.MICROSOFT:  # its refresh tokens are not bound to the scopes
        more["scope"] = " ".join(oauth.scopes)
    body = prepare_token_request("refresh_token", refresh_token=refresh.reveal(), **more)
    return _form(oauth.endpoints.token, body, secret, refresh)


def code_form(oauth: OAuth, secret: Secret, code: Secret, verifier: Secret, redirect: str) -> Form:
    """The form that turns an authorization code into tokens. `redirect` is the address of the authorization."""
    body = prepare_token_request(
        "authorization_code",
        code=code.reveal(),
        redirect_uri=redirect,
        code_verifier=verifier.reveal(),
        **_client(oauth, secret),
    )
    return _form(oauth.endpoints.token, body, secret, code, verifier)


def device_form(oauth: OAuth, secret: Secret) -> Form:
    """The form that begins a login on another device."""
    parameters = list(_client(oauth, secret).items())
    if oauth.scopes:
        parameters.append(("scope", " ".join(oauth.scopes)))
    return _form(oauth.endpoints.device, add_params_to_qs("", parameters), secret)


def poll_form(oauth: OAuth, secret: Secret, device: DeviceCode) -> Form:
    """The form that asks whether the user has agreed on the other device."""
    body = prepare_token_request(DeviceClient.grant_type, device_code=device.code.reveal(), **_client(oauth, secret))
    return _form(oauth.endpoints.token, body, secret, device.code)


def revoke_form(oauth: OAuth, secret: Secret, token: Secret) -> Form:
    """The form that revokes a refresh token, and with it the access tokens (RFC 7009)."""
    address = oauth.endpoints.revoke or ""
    _, _, body = prepare_token_revocation_request("https://", token.reveal(), "refresh_token", **_client(oauth, secret))
    return _form(address, body, secret, token)


def _form(url: str | None, body: str, *secrets: Secret) -> Form:
    assert url is not None
    return Form(url, body.encode(), tuple(each for each in secrets if each))


def _client(oauth: OAuth, secret: Secret) -> dict[str, Any]:
    return {"client_id": oauth.client_id} | ({"client_secret": secret.reveal()} if secret else {})


# --- answers --------------------------------------------------------------------------------------------------------


def read_tokens(oauth: OAuth, form: Form, answer: Answer, now: float, before: Tokens | None = None) -> Tokens:
    """Return the tokens of an answer. `before`: the tokens that are renewed; None at a login.

    Raises AuthorizationPending, SlowDown, and the errors of tokens and providers.
    """
    fields = _read(oauth, form, answer, renewal=before is not None)
    access, refresh = (_text(oauth, fields, name) for name in ("access_token", "refresh_token"))
    if not access or " " in access or not _is_token(access):
        raise _no_oauth(oauth, "its answer has no access token")
    if not _is_token(refresh):
        raise _no_oauth(oauth, "its answer has fields that OAuth does not allow")
    kind = fields.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise _no_oauth(oauth, "the token is of an unknown type")
    lifetime = fields.get("expires_in")
    expires = now + min(lifetime, _LONGEST) if isinstance(lifetime, int) and lifetime > 0 else None
    scopes = fields.get("scope")
    scopes = tuple(filter(None, map(str, scopes))) if isinstance(scopes, list) else ()
    return Tokens(
        access=Secret(access),
        refresh=Secret(refresh) if refresh else before.refresh if before else None,
        expires=expires,
        scopes=scopes or (before.scopes if before else oauth.scopes),  # RFC 6749 §5.1
        account=_account(fields.get("id_token")) or (before.account if before else ""),
        obtained=now,
    )


def read_device_code(oauth: OAuth, form: Form, answer: Answer) -> DeviceCode:
    """Return the codes of a login on another device. Raises the errors of tokens and providers."""
    fields = _read(oauth, form, answer, tokens=False)
    code, user_code = (_text(oauth, fields, name) for name in ("device_code", "user_code"))
    address = _text(oauth, fields, "verification_uri") or _text(oauth, fields, "verification_url")  # Google's name
    if not (code and user_code and address):
        raise _no_oauth(oauth, "its answer has no code for the other device")
    complete = _text(oauth, fields, "verification_uri_complete")
    if not _is_web_address(address):
        raise _no_oauth(oauth, "the address for the other device is no web address")
    interval, lifetime = fields.get("interval", INTERVAL), fields.get("expires_in")
    return DeviceCode(
        code=Secret(code),
        user_code=visible(user_code, 100),
        address=visible(address, 500),
        complete_address=visible(complete, 1000) if _is_web_address(complete) else "",
        interval=float(interval) if isinstance(interval, int) and 0 < interval < 3600 else INTERVAL,
        expires_in=float(lifetime) if isinstance(lifetime, int) and 0 < lifetime < 86400 else _DEVICE_LIFETIME,
    )


def read_revocation(oauth: OAuth, form: Form, answer: Answer) -> None:
    """Check that a token was revoked. Raises the errors of tokens and providers."""
    if answer.status != 200:
        _read(oauth, form, answer, tokens=False)


def _read(oauth: OAuth, form: Form, answer: Answer, *, renewal: bool = False, tokens: bool = True) -> dict[str, Any]:
    """Return the fields of an answer. Raises the error that it is."""
    if answer.status >= 500 or answer.status == _TOO_MANY:
        raise ProviderFailed(f"{oauth.name} has a temporary problem (status {answer.status})")
    try:
        fields = json.loads(answer.body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise _no_oauth(oauth, f"its answer is not one of OAuth (status {answer.status})")
    fields = {name: value for name, value in fields.items() if value is not None}  # some send null for "none"
    if not isinstance(fields.get("error", ""), str):
        raise _no_oauth(oauth, "its answer has fields that OAuth does not allow")
    try:
        if tokens or "error" in fields:
            fields = parse_token_response(json.dumps(fields))
    except OAuth2Error as problem:
        raise _refused(oauth, problem, form.secrets, renewal=renewal) from None
    except (ValueError, TypeError, OverflowError, AttributeError):
        raise _no_oauth(oauth, "its answer has fields that OAuth does not allow") from None
    if answer.status != 200:
        raise _no_oauth(oauth, f"its answer is not one of OAuth (status {answer.status})")
    return dict(fields)


def _refused(
    oauth: OAuth, problem: OAuth2Error, secrets: tuple[Secret, ...], *, renewal: bool
) -> PopretrError | AuthorizationPending:
    """Return the error for an error of a provider."""
    error, again = str(problem.error), f"log in again: {oauth.login_command}"
    words = f"{error}: {problem.description}" if problem.description else error
    for secret in secrets:
        for text in (secret.reveal(), quote_plus(secret.reveal())):  # the second as in the form
            words = words.replace(text, STARS)
    words = visible(words, 300)
    if error == "authorization_pending":
        return AuthorizationPending()
    if error == "slow_down":
        return SlowDown()
    if error in _ENDED and renewal:
        return GrantEnded(f"{oauth.again}: {oauth.name} no longer renews the token ({words})", advice=_reasons(oauth))
    if error in _DENIED:
        return LoginDenied(f"access was not allowed at {oauth.name} ({words})", advice=again)
    if error == "expired_token" or error in _ENDED:
        return LoginTimedOut(f"the code of the login has expired, or was used before ({words})", advice=again)
    if error in _TEMPORARY:
        return ProviderFailed(f"{oauth.name} has a temporary problem ({words})")
    if error == "missing_token":
        return _no_oauth(oauth, "its answer has no access token")
    if error != "invalid_scope":
        advice = "check clientid and <clientsecret> in <oauth>"
    else:
        advice = "check <scope> in <oauth>" if oauth.scopes else "the provider requires a <scope> in <oauth>"
    return LoginRefused(f"{oauth.name} refuses this client ({words})", advice=f"{advice}; see docs/oauth.md")


def _reasons(oauth: OAuth) -> str:
    """Return the likely reasons why a token is no longer renewed."""
    reasons = "likely reasons: access was removed, the password was changed, or the token was not used for months"
    if oauth.provider is Provider.GOOGLE:
        return f"{reasons}; or the app at Google is still in testing, where tokens end after 7 days"
    return reasons


def _no_oauth(oauth: OAuth, reason: str) -> ProviderProtocolError:
    return ProviderProtocolError(f"{oauth.name} cannot be understood: {reason}")


def _is_token(text: str) -> bool:
    """Whether all characters are those of a token (RFC 6749 §A.12, §A.17)."""
    return text.isascii() and (not text or text.isprintable())


def _is_web_address(text: str) -> bool:
    """Whether a user may be asked to open it: no "javascript:", no "file:"."""
    return text.lower().startswith(("https://", "http://"))


def _text(oauth: OAuth, fields: dict[str, Any], name: str) -> str:
    found = fields.get(name, "")
    if not isinstance(found, str):
        raise _no_oauth(oauth, "its answer has fields that OAuth does not allow")
    return found


def _account(id_token: object) -> str:
    """Return the mail address in an id token, "" if there is none.

    It comes from the token endpoint, over TLS, so its signature need not be checked (OpenID Connect Core §3.1.3.7).
    """
    try:
        payload = str(id_token).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        found = next(claims[name] for name in ("email", "preferred_username", "upn") if claims.get(name))
    except (LookupError, ValueError, AttributeError, TypeError, RecursionError, StopIteration):
        return ""
    return visible(found, 254) if isinstance(found, str) else ""
