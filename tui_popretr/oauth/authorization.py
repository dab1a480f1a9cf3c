"""The authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636): the address to open, and the one that comes back.

Pure. The code in the redirection is accepted only with the state of this login, and only from the provider that it
began with (RFC 9207). An address that is not the answer to this login raises RedirectIgnored: another one can follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from oauthlib.common import generate_token
from oauthlib.oauth2 import WebApplicationClient
from oauthlib.oauth2.rfc6749.parameters import prepare_grant_uri

from tui_popretr.errors import IssuerMismatch, LoginDenied, LoginRefused, PopretrError, ProviderFailed, RedirectIgnored
from tui_popretr.secret import Secret
from tui_popretr.text import visible

_STATE: Final = 43  # characters; more than 128 bits (RFC 6749 §10.10)
_VERIFIER: Final = 64  # characters (RFC 7636 §4.1: 43 to 128)
#: Errors that may be gone later (RFC 6749 §4.1.2.1).
_TEMPORARY: Final = ("server_error", "temporarily_unavailable")


@dataclass(frozen=True, slots=True)
class Issuer:
    """The provider's name for itself. `required`: an answer without it is refused."""

    name: str
    required: bool


@dataclass(frozen=True, slots=True)
class Authorization:
    """A login that has begun."""

    #: what the user opens
    address: str
    #: where the browser is redirected to
    redirect: str
    state: Secret
    #: sent with the code, as a proof that it is the same login
    verifier: Secret
    issuer: Issuer | None = None

    def code_in(self, text: str) -> Secret:
        """Return the code in the address that the browser was redirected to.

        Raises RedirectIgnored, IssuerMismatch, LoginDenied, LoginRefused, ProviderFailed.
        """
        fields = self._fields(text.strip())
        if not self.issuer:
            pass
        elif "iss" not in fields:
            if self.issuer.required:
                raise IssuerMismatch("the answer does not say which provider it is from (iss)")
        elif fields["iss"] != self.issuer.name:
            raise IssuerMismatch(
                f"the answer is from another provider: {visible(fields['iss'], 200)}, not {visible(self.issuer.name)}"
            )
        if "error" in fields:
            raise _error(fields["error"], fields.get("error_description", ""))
        if not fields.get("code"):
            raise RedirectIgnored("the address has no code")
        return Secret(fields["code"])

    def _fields(self, text: str) -> dict[str, str]:
        """Return the fields of the answer to this login. Raises RedirectIgnored."""
        parts = _split(text)
        if _origin(parts) != _origin(urlsplit(self.redirect)) or parts.path not in ("", "/"):
            if parts.hostname and _origin(parts) == _origin(urlsplit(self.address)):
                raise RedirectIgnored(
                    "this is a page of the provider",
                    advice=f"go on there until the address begins with {self.redirect}, and copy that",
                )
            raise RedirectIgnored(f"the address does not begin with {self.redirect}")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise RedirectIgnored("the address has a field twice")
        if not {"code", "error"}.intersection(fields):
            raise RedirectIgnored("the address has no code", advice="copy the whole address, to its end")
        if fields.get("state") != self.state.reveal():
            raise RedirectIgnored(
                "the address belongs to another login (its state differs)",
                advice="open the address that this login shows, and no older one",
            )
        code = fields.get("code", "")
        if not (code.isascii() and code.isprintable()):  # RFC 6749 §A.11
            raise RedirectIgnored("the code in the address has characters that no code has")
        return fields


def begin(
    auth_url: str,
    client_id: str,
    scopes: tuple[str, ...],
    redirect: str,
    *,
    account: str = "",
    issuer: Issuer | None = None,
    fields: Mapping[str, str] = MappingProxyType({}),
) -> Authorization:
    """Begin a login at the authorization endpoint `auth_url`. `account` is a hint, which the provider may ignore.

    `fields` are added to the address.
    """
    client = WebApplicationClient(client_id)
    verifier = client.create_code_verifier(_VERIFIER)
    state = generate_token(_STATE)
    # oauthlib demands https also for a provider on this machine; the configuration allows http for no other.
    scheme, separator, rest = auth_url.partition("://")
    address = prepare_grant_uri(
        f"https{separator}{rest}",
        client_id,
        "code",
        redirect_uri=redirect,
        scope=list(scopes),
        state=state,
        code_challenge=client.create_code_challenge(verifier, "S256"),
        code_challenge_method="S256",
        login_hint=account,
        **fields,
    )
    return Authorization(
        f"{scheme}{separator}{address.partition('://')[2]}", redirect, Secret(state), Secret(verifier), issuer
    )


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise RedirectIgnored("this is no address") from None
    if not parts.scheme or not parts.hostname:
        raise RedirectIgnored("this is no address" if text else "nothing was entered")
    return parts


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port


def _error(error: str, description: str) -> PopretrError:
    """Return the error for one of RFC 6749 §4.1.2.1."""
    words = f"{visible(error, 60)}: {visible(description, 200)}" if description else visible(error, 60)
    if error == "access_denied":
        return LoginDenied(f"access was not allowed at the provider ({words})")
    if error in _TEMPORARY:
        return ProviderFailed(f"the provider cannot log in now ({words})")
    return LoginRefused(f"the provider refuses the login ({words})")
