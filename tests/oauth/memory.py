"""A login without sockets and terminals: requests go to the tests' provider directly, and the user is a script."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import trio

from tests.support.oauth_provider import ACCOUNT, CLIENT_ID, OAuthProvider
from tui_popretr.config.oauth import Endpoints, OAuth, Provider
from tui_popretr.errors import ConnectionCut, UsageError, WebServerSilent
from tui_popretr.net.http import Response
from tui_popretr.oauth.provider import TokenProvider
from tui_popretr.secret import Secret


class MemoryWeb:
    """net.http.request() for a provider; its endpoints are asked as they would be over the network."""

    def __init__(self, provider: OAuthProvider) -> None:
        self._provider = provider

    async def __call__(
        self, method: str, url: str, headers: Any = (), body: bytes = b"", *, timeout: float, limit: int, **_: object
    ) -> Response:
        await trio.lowlevel.checkpoint()
        assert url.startswith(self._provider.base)
        named = {name.lower(): value for name, value in headers}
        answer = self._provider.answer(method, url.removeprefix(self._provider.base), named, body)
        host = urlsplit(url).netloc
        if answer.status == 0:
            await trio.sleep(timeout)
            raise WebServerSilent(f"{host} has not answered within {timeout:g} s")
        if answer.status < 0:
            raise ConnectionCut("the connection broke")
        more = ((b"location", answer.location.encode()),) if answer.location else ()
        content_type = (b"content-type", answer.content_type.encode())
        return Response(host, answer.status, "", (content_type, *more), answer.body)


class MemoryPerson:
    """A user with a script: what was said, what was shown to be copied, and what answers each question."""

    def __init__(self, *answers: str | Callable[[str], str], browser: Callable[[str], bool] | None = None) -> None:
        """An answer that is a function gets the address that was shown last."""
        self.said: list[str] = []
        self.shown: list[str] = []
        self.asked: list[str] = []
        self._answers = list(answers)
        self._browser = browser
        self.on_show: Callable[[str], None] = lambda _: None

    def say(self, text: str = "") -> None:
        self.said.append(text)

    def show(self, text: str) -> None:
        self.shown.append(text)
        self.on_show(text)

    def ask(self, question: str) -> str:
        self.asked.append(question)
        if not self._answers:
            raise UsageError("the input ended")
        answer = self._answers.pop(0)
        return answer if isinstance(answer, str) else answer(self.shown[-1])

    def open(self, address: str) -> bool:
        return self._browser is not None and self._browser(address)


class TrioClock:
    """A clock for a TokenProvider: trio's."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(1_000_000_000 + trio.current_time(), UTC)

    def boottime(self) -> float:
        return trio.current_time()

    def boot(self) -> str:
        return ""


def oauth_for(provider: OAuthProvider, **more: Any) -> OAuth:
    """The settings of a client of the tests' provider."""
    endpoints = Endpoints(
        auth=provider.auth_url,
        token=provider.token_url,
        device=provider.device_url,
        revoke=provider.revoke_url,
        issuer=provider.issuer,
    )
    usual: dict[str, Any] = {"endpoints": endpoints, "scopes": ("pop", "offline_access")}
    return OAuth(Provider.CUSTOM, CLIENT_ID, ACCOUNT, **{**usual, **more})


def token_provider(provider: OAuthProvider, secret: str = "", **more: Any) -> TokenProvider:
    """The tests' provider as the program sees it, without a network."""
    return TokenProvider(oauth_for(provider, **more), Secret(secret), TrioClock(), MemoryWeb(provider))
