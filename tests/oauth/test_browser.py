"""The browser flow: a browser that consents and is redirected here, over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.oauth.memory import MemoryPerson, token_provider
from tests.support.oauth_provider import ACCOUNT, Fault, OAuthProvider
from tests.support.oauth_serving import visit
from tests.support.passwords import reveals
from tui_popretr.errors import (
    IssuerMismatch,
    LoginDenied,
    LoginPortUnavailable,
    LoginTimedOut,
    PopretrError,
    ProviderFailed,
    ProviderProtocolError,
)
from tui_popretr.oauth.browser import log_in
from tui_popretr.oauth.tokens import Tokens


class Browser:
    """A browser that opens addresses, one after the other, and shows the pages of the program."""

    def __init__(self, provider: OAuthProvider, *opened: Callable[[str], str]) -> None:
        """Each of `opened` makes the address to open of the one that the program shows."""
        self._provider = provider
        self._opened = opened or (provider.consent,)
        self.pages: list[tuple[int, str]] = []

    async def run(self, address: str) -> None:
        for make in self._opened:
            status, page, _ = await trio.to_thread.run_sync(visit, make(address))
            self.pages.append((status, page))


async def logged_in(provider: OAuthProvider, person: MemoryPerson, browser: Browser, port: int = 0) -> Tokens:
    """The tokens of a login whose address is opened in a browser. A PopretrError comes as it is."""
    outcome: list[Tokens | PopretrError] = []
    send, receive = trio.open_memory_channel[str](1)
    person.on_show = send.send_nowait

    async def browse() -> None:
        await browser.run(await receive.receive())

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(browse)
            try:
                outcome.append(await log_in(token_provider(provider), person, port))
            except PopretrError as problem:
                outcome.append(problem)
                if not person.shown:
                    nursery.cancel_scope.cancel()
    if isinstance(outcome[0], PopretrError):
        raise outcome[0]
    return outcome[0]


@pytest.fixture
def provider() -> OAuthProvider:
    return OAuthProvider(clock=trio.current_time)


@trio_test
async def test_the_user_agrees(provider: OAuthProvider) -> None:
    person, browser = MemoryPerson(), Browser(provider)
    tokens = await logged_in(provider, person, browser)
    assert provider.owner(tokens.access.reveal()) == ACCOUNT
    assert tokens.refresh
    assert len(person.shown) == 1
    assert person.shown[0].startswith(f"{provider.auth_url}?")
    assert person.said[0] == "Open this address in a browser on this machine, and log in at provider.test:"
    assert person.said[2].startswith("  ssh -L ")
    assert person.said[0].endswith(", and log in at provider.test:")
    ((status, page),) = browser.pages
    assert status == 200
    assert "The answer has arrived" in page
    assert not reveals(" ".join(person.said + person.shown).encode())


@trio_test
async def test_a_browser_of_this_machine(provider: OAuthProvider) -> None:
    opened: list[str] = []

    def open_address(address: str) -> bool:
        opened.append(address)
        return True

    person = MemoryPerson(browser=open_address)
    await logged_in(provider, person, Browser(provider))
    assert opened == person.shown
    assert person.said[0].startswith("A browser opens, to log in at provider.test.")
    assert "ssh -L" not in " ".join(person.said)


@trio_test
async def test_a_port_of_the_user(provider: OAuthProvider) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LoginPortUnavailable):
            await logged_in(provider, MemoryPerson(), Browser(provider), port)
    person = MemoryPerson()
    await logged_in(provider, person, Browser(provider), port)
    assert f"redirect_uri=http%3A%2F%2F127.0.0.1%3A{port}%2F&" in person.shown[0]


@trio_test
async def test_an_answer_of_another_login_is_ignored(provider: OAuthProvider) -> None:
    def other(address: str) -> str:
        provider.faults["/authorize"] = Fault.WRONG_STATE
        return provider.consent(address)

    def own(address: str) -> str:
        del provider.faults["/authorize"]
        return provider.consent(address)

    person, browser = MemoryPerson(), Browser(provider, other, own)
    assert await logged_in(provider, person, browser)
    assert [status for status, _ in browser.pages] == [400, 200]
    assert person.said[-1] == (
        "The browser's answer is ignored: the address belongs to another login (its state differs). To do:"
        " open the address that this login shows, and no older one."
    )


@trio_test
async def test_another_issuer(provider: OAuthProvider) -> None:
    provider.faults["/authorize"] = Fault.WRONG_ISS
    with pytest.raises(IssuerMismatch):
        await logged_in(provider, MemoryPerson(), Browser(provider))
    assert provider.count("/token") == 0


@trio_test
async def test_the_user_does_not_agree(provider: OAuthProvider) -> None:
    provider.agrees = False
    browser = Browser(provider)
    with pytest.raises(LoginDenied):
        await logged_in(provider, MemoryPerson(), browser)
    assert "Go back to the terminal." in browser.pages[0][1]


@trio_test
async def test_a_code_that_was_used_by_another(provider: OAuthProvider) -> None:
    def stolen(address: str) -> str:
        location = provider.consent(address)
        provider.expire_codes()
        return location

    with pytest.raises(LoginTimedOut, match="invalid_grant"):
        await logged_in(provider, MemoryPerson(), Browser(provider, stolen))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.HTML, ProviderProtocolError),
        (Fault.REDIRECTION, ProviderProtocolError),
        (Fault.NONSENSE, ProviderProtocolError),
        (Fault.INCOMPLETE, ProviderProtocolError),
        (Fault.ERROR_500, ProviderFailed),
        (Fault.CUT, ProviderFailed),
    ],
)
@trio_test
async def test_no_tokens(provider: OAuthProvider, fault: Fault, error: type[PopretrError]) -> None:
    provider.faults["/token"] = fault
    with pytest.raises(error) as caught:
        await logged_in(provider, MemoryPerson(), Browser(provider))
    assert caught.value.advice
    assert provider.count("/token") == 1


@trio_test
async def test_a_browser_that_does_not_come_back(provider: OAuthProvider, autojump_clock: MockClock) -> None:
    person = MemoryPerson()
    with pytest.raises(LoginTimedOut) as caught:
        await log_in(token_provider(provider), person)
    assert str(caught.value) == "the browser has brought no answer within 1 h"
