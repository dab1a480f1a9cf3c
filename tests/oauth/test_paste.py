"""The paste flow: what the user is shown and asked, until the address is the right one."""

from __future__ import annotations

import re

import pytest
import trio
from trio.testing import trio_test

from tests.oauth.memory import MemoryPerson, token_provider
from tests.support.oauth_provider import ACCOUNT, Fault, OAuthProvider
from tests.support.passwords import reveals
from tui_popretr.errors import IssuerMismatch, LoginDenied, LoginTimedOut, UsageError
from tui_popretr.oauth.paste import Tunnel, any_port, log_in


@pytest.fixture
def provider() -> OAuthProvider:
    return OAuthProvider(clock=trio.current_time)


@trio_test
async def test_the_user_pastes_the_address(provider: OAuthProvider) -> None:
    person = MemoryPerson(lambda address: f"  {provider.consent(address)} ")
    tokens = await log_in(token_provider(provider), person, any_port())
    assert provider.owner(tokens.access.reveal()) == ACCOUNT
    assert person.asked == ["Address"]
    assert len(person.shown) == 1
    port = re.search(r"redirect_uri=http%3A%2F%2F127\.0\.0\.1%3A(\d+)%2F&", person.shown[0])
    assert port
    assert 49152 <= int(port[1]) < 65536
    assert f"begins with http://127.0.0.1:{port[1]}/ " in person.said[1]
    assert not reveals(" ".join(person.said + person.shown).encode())


@trio_test
async def test_a_port_and_a_tunnel(provider: OAuthProvider) -> None:
    person = MemoryPerson(provider.consent)
    await log_in(
        token_provider(provider), person, 8765, Tunnel("ssh -L 8765:127.0.0.1:8765 me@host", "tui-popretr login")
    )
    assert person.shown[:2] == ["ssh -L 8765:127.0.0.1:8765 me@host", "tui-popretr login"]
    assert "redirect_uri=http%3A%2F%2F127.0.0.1%3A8765%2F&" in person.shown[2]


@trio_test
async def test_something_else_is_pasted(provider: OAuthProvider) -> None:
    def older(_: str) -> str:
        login = token_provider(provider).begin("http://127.0.0.1:8765/")
        return provider.consent(login.address)

    person = MemoryPerson(
        "", "yes", lambda address: address, older, "http://127.0.0.1:8765/", "https://mail.test/", provider.consent
    )
    assert await log_in(token_provider(provider), person, 8765)
    assert len(person.asked) == 7
    assert [each.partition(":")[0] for each in person.said[-6:]] == [
        "Nothing was entered",
        "This is no address",
        "This is a page of the provider",
        "The address belongs to another login (its state differs)",
        "The address has no code",
        "The address does not begin with http",
    ]
    assert provider.count("/token") == 1


@trio_test
async def test_a_code_is_pasted_alone(provider: OAuthProvider) -> None:
    person = MemoryPerson(lambda address: provider.consent(address).partition("code=")[2], provider.consent)
    assert await log_in(token_provider(provider), person, 8765)


@trio_test
async def test_the_user_does_not_agree(provider: OAuthProvider) -> None:
    provider.agrees = False
    with pytest.raises(LoginDenied):
        await log_in(token_provider(provider), MemoryPerson(provider.consent), 8765)


@trio_test
async def test_another_issuer(provider: OAuthProvider) -> None:
    provider.faults["/authorize"] = Fault.WRONG_ISS
    with pytest.raises(IssuerMismatch):
        await log_in(token_provider(provider), MemoryPerson(provider.consent), 8765)
    assert provider.count("/token") == 0


@trio_test
async def test_the_input_ends(provider: OAuthProvider) -> None:
    with pytest.raises(UsageError):
        await log_in(token_provider(provider), MemoryPerson("no address"), 8765)


@trio_test
async def test_a_code_is_used_twice(provider: OAuthProvider) -> None:
    logins = token_provider(provider)
    login = logins.begin("http://127.0.0.1:8765/")
    code = login.code_in(provider.consent(login.address))
    tokens = await logins.redeem(code, login)
    with pytest.raises(LoginTimedOut, match="used before"):
        await logins.redeem(code, login)
    assert provider.owner(tokens.access.reveal()) is None  # the provider ends such a grant


@trio_test
async def test_a_code_of_another_verifier(provider: OAuthProvider) -> None:
    logins = token_provider(provider)
    first, second = (logins.begin("http://127.0.0.1:8765/") for _ in range(2))
    code = first.code_in(provider.consent(first.address))
    with pytest.raises(LoginTimedOut):
        await logins.redeem(code, second)
