"""A provider of tokens over the network: one request for each method, and its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from tui_popretr.clock import Clock
from tui_popretr.config.oauth import OAuth
from tui_popretr.errors import (
    ConnectionCut,
    HostNotFound,
    ProviderFailed,
    ProviderProtocolError,
    ProviderUnreachable,
    ServerUnreachable,
    TlsFailed,
    WebRequestFailed,
    WebServerSilent,
)
from tui_popretr.net.http import Response, request
from tui_popretr.oauth import forms
from tui_popretr.oauth.authorization import Authorization, Issuer, begin
from tui_popretr.oauth.forms import Answer, DeviceCode, Form
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret

#: Seconds for connecting, and for the answer.
TIMEOUT: Final = 30.0
#: Octets of an answer.
_LARGEST: Final = 256 * 1024
_HEADERS: Final = (("Content-Type", forms.CONTENT_TYPE), ("Accept", "application/json"))

#: net.http.request, or something in its place.
Web = Callable[..., Awaitable[Response]]


class TokenProvider:
    """The provider of `oauth`. `secret` is the client secret, empty if there is none.

    The requests raise ProviderUnreachable, ProviderFailed, ProviderProtocolError, LoginRefused, and those of their use.
    """

    def __init__(self, oauth: OAuth, secret: Secret, clock: Clock, web: Web = request) -> None:
        self._oauth = oauth
        self._secret = secret
        self._clock = clock
        self._web = web

    @property
    def name(self) -> str:
        """The provider's name for people."""
        return self._oauth.name

    async def renew(self, tokens: Tokens, refresh: Secret) -> Tokens:
        """Return new tokens in place of `tokens`. Raises GrantEnded."""
        form = forms.refresh_form(self._oauth, self._secret, refresh)
        answer = await self._send(form)
        return forms.read_tokens(self._oauth, form, answer, self._now(), tokens)

    def begin(self, redirect: str) -> Authorization:
        """Begin a login in a browser, which is redirected to an address at the end."""
        oauth, issuer = self._oauth, self._oauth.endpoints.issuer
        return begin(
            oauth.endpoints.auth or "",
            oauth.client_id,
            oauth.scopes,
            redirect,
            account=oauth.account,
            issuer=Issuer(issuer, oauth.issuer_required) if issuer else None,
            fields=oauth.authorization_fields,
        )

    async def redeem(self, code: Secret, login: Authorization) -> Tokens:
        """Return the tokens for the code of a login. Raises LoginTimedOut."""
        form = forms.code_form(self._oauth, self._secret, code, login.verifier, login.redirect)
        return forms.read_tokens(self._oauth, form, await self._send(form), self._now())

    async def begin_device(self) -> DeviceCode:
        """Begin a login on another device."""
        form = forms.device_form(self._oauth, self._secret)
        return forms.read_device_code(self._oauth, form, await self._send(form))

    async def poll(self, code: DeviceCode) -> Tokens:
        """Return the tokens, once the user has agreed.

        Raises AuthorizationPending, SlowDown, LoginDenied, LoginTimedOut.
        """
        form = forms.poll_form(self._oauth, self._secret, code)
        return forms.read_tokens(self._oauth, form, await self._send(form), self._now())

    async def revoke(self, token: Secret) -> None:
        """Revoke a token. Only for providers with an address for that."""
        form = forms.revoke_form(self._oauth, self._secret, token)
        forms.read_revocation(self._oauth, form, await self._send(form))

    def _now(self) -> float:
        return self._clock.now().timestamp()

    async def _send(self, form: Form) -> Answer:
        name = self._oauth.name
        try:
            response = await self._web("POST", form.url, _HEADERS, form.body, timeout=TIMEOUT, limit=_LARGEST)
        except (ServerUnreachable, HostNotFound) as problem:
            raise ProviderUnreachable(f"{name} cannot be reached: {problem}") from problem
        except (ConnectionCut, WebServerSilent) as problem:
            raise ProviderFailed(f"{name} does not answer: {problem}") from problem
        except TlsFailed as problem:
            raise ProviderProtocolError(
                f"{name} cannot be trusted: {problem}",
                advice="it must have a certificate of an authority that this system trusts; SSL_CERT_FILE names others",
            ) from problem
        except WebRequestFailed as problem:
            raise ProviderProtocolError(f"{name} cannot be understood: {problem}") from problem
        if (redirection := response.redirection) is not None:
            raise ProviderProtocolError(f"{name} cannot be understood: {redirection}")
        return Answer(response.status, response.body)
