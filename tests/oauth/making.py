"""OAuth settings for the tests' provider."""

from __future__ import annotations

from dataclasses import replace

from tests.support.oauth_provider import ACCOUNT, CLIENT_ID, OAuthProvider
from tui_popretr.config.oauth import Endpoints, OAuth, Provider
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret

SCOPES = ("mail", "offline_access")


def oauth_for(provider: OAuthProvider, folder: str = "/nonexistent") -> OAuth:
    """How a client gets tokens from a provider of tests."""
    endpoints = Endpoints(
        provider.auth_url, provider.token_url, provider.device_url, provider.revoke_url, provider.issuer
    )
    return OAuth(
        Provider.CUSTOM, CLIENT_ID, ACCOUNT, endpoints, scopes=SCOPES, folder=folder, config="/etc/c.xml", client="isp"
    )


def google(oauth: OAuth) -> OAuth:
    """The same as if it were Google."""
    return replace(oauth, provider=Provider.GOOGLE)


def tokens(access: str, refresh: str | None, *, lifetime: float | None = 3600, obtained: float = 0.0) -> Tokens:
    """Tokens with the scopes of oauth_for()."""
    expires = None if lifetime is None else obtained + lifetime
    return Tokens(Secret(access), Secret(refresh) if refresh else None, expires, SCOPES, "", obtained)
