"""The device flow, on trio's clock: what the user sees, how often the provider is asked, and how it ends."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.oauth.memory import MemoryPerson, token_provider
from tests.support.oauth_provider import ACCOUNT, CLIENT_SECRET, DEVICE_GRANT, Fault, OAuthProvider
from tests.support.passwords import reveals
from tui_popretr.errors import (
    ExitCode,
    LoginDenied,
    LoginRefused,
    LoginTimedOut,
    PopretrError,
    ProviderFailed,
    ProviderProtocolError,
)
from tui_popretr.oauth.device import log_in
from tui_popretr.oauth.tokens import Tokens


@pytest.fixture
def provider() -> OAuthProvider:
    return OAuthProvider(clock=trio.current_time)


async def after(seconds: float, provider: OAuthProvider, person: MemoryPerson, *, agrees: bool = True) -> Tokens:
    """The tokens of a user who decides after some time."""
    tokens: list[Tokens] = []
    problems: list[PopretrError] = []

    async def decide() -> None:
        await trio.sleep(seconds)
        (provider.approve if agrees else provider.deny)(provider.user_code())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(decide)
        try:
            tokens.append(await log_in(token_provider(provider), person))
        except PopretrError as problem:
            problems.append(problem)
        nursery.cancel_scope.cancel()
    if problems:
        raise problems[0]
    return tokens[0]


def polls(provider: OAuthProvider) -> list[float]:
    """The seconds between the polls, the first from the beginning."""
    times = [each.at for each in provider.asked if each.path == "/device"]
    times += [each.at for each in provider.asked if each.form.get("grant_type") == DEVICE_GRANT]
    return [round(later - earlier, 1) for earlier, later in pairwise(times)]


@trio_test
async def test_the_user_agrees(provider: OAuthProvider, autojump_clock: MockClock) -> None:
    provider.interval = 5
    person = MemoryPerson()
    tokens = await after(12, provider, person)
    assert provider.owner(tokens.access.reveal()) == ACCOUNT
    assert tokens.refresh
    assert (tokens.scopes, tokens.expires) == (("pop", "offline_access"), tokens.obtained + 3600)
    code = person.shown[1]
    assert person.shown == [
        f"{provider.base}/activate",
        code,
        f"{provider.base}/activate?user_code={code}",
    ]
    assert person.said[-1] == "Waiting until you have agreed there, for 10 min at most. ctrl+c gives up."
    assert polls(provider) == [5, 5, 5]
    assert not reveals(" ".join(person.said + person.shown).encode())


@pytest.mark.parametrize(("interval", "first"), [(None, 5), (0, 5), (1, 1), (-3, 5), (10, 10)])
@trio_test
async def test_the_interval(
    provider: OAuthProvider, autojump_clock: MockClock, interval: int | None, first: int
) -> None:
    provider.interval = interval
    await after(100, provider, MemoryPerson())
    assert set(polls(provider)) == {first}
    assert provider.early_polls == 0


@trio_test
async def test_slow_down_makes_the_interval_longer_for_good(provider: OAuthProvider, autojump_clock: MockClock) -> None:
    provider.interval, provider.slow_downs = 5, 2
    await after(60, provider, MemoryPerson())
    assert polls(provider) == [5, 10, 15, 15, 15]
    assert provider.early_polls == 0


@trio_test
async def test_the_user_does_not_agree(provider: OAuthProvider, autojump_clock: MockClock) -> None:
    with pytest.raises(LoginDenied) as caught:
        await after(3, provider, MemoryPerson(), agrees=False)
    assert caught.value.exit_code == ExitCode.LOGIN
    assert caught.value.advice


@trio_test
async def test_the_code_expires(provider: OAuthProvider, autojump_clock: MockClock) -> None:
    provider.device_lifetime = 100
    with pytest.raises(LoginTimedOut) as caught:
        await after(1000, provider, MemoryPerson())
    assert str(caught.value) == "the code has expired before the login was complete"
    assert caught.value.exit_code == ExitCode.LOGIN
    assert trio.current_time() == pytest.approx(provider.asked[0].at + 100)


@trio_test
async def test_the_provider_says_that_the_code_has_expired(provider: OAuthProvider, autojump_clock: MockClock) -> None:
    person = MemoryPerson()
    person.on_show = lambda _: provider.expire_codes()
    with pytest.raises(LoginTimedOut, match="expired_token"):
        await after(1000, provider, person)
    assert len(polls(provider)) == 1


@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.BUSY_503, Fault.CUT, Fault.SILENCE])
@trio_test
async def test_a_provider_that_fails_for_a_while(
    provider: OAuthProvider, autojump_clock: MockClock, fault: Fault
) -> None:
    person = MemoryPerson()
    provider.interval = 5
    provider.faults["/token"] = fault

    async def recover() -> None:
        await trio.sleep(200)
        del provider.faults["/token"]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(recover)
        await after(12, provider, person)
    pauses = polls(provider)
    assert pauses == sorted(pauses)
    assert pauses[-1] <= 60 + 30
    assert len(pauses) < 10
    assert sum("asking again" in each for each in person.said) == 1


@pytest.mark.parametrize("fault", [Fault.HTML, Fault.REDIRECTION, Fault.NONSENSE, Fault.INCOMPLETE, Fault.LARGE])
@pytest.mark.parametrize("path", ["/device", "/token"])
@trio_test
async def test_answers_that_are_no_oauth(
    provider: OAuthProvider, autojump_clock: MockClock, path: str, fault: Fault
) -> None:
    provider.faults[path] = fault
    with pytest.raises(ProviderProtocolError) as caught:
        await after(0.5, provider, MemoryPerson())
    assert caught.value.exit_code == ExitCode.PROTOCOL
    assert caught.value.advice
    assert len(polls(provider)) <= 1


@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.SILENCE, Fault.CUT])
@trio_test
async def test_no_code_to_begin_with(provider: OAuthProvider, autojump_clock: MockClock, fault: Fault) -> None:
    provider.faults["/device"] = fault
    person = MemoryPerson()
    with pytest.raises(ProviderFailed) as caught:
        await log_in(token_provider(provider), person)
    assert caught.value.exit_code == ExitCode.TEMPORARY
    assert person.shown == []


@trio_test
async def test_a_client_that_the_provider_does_not_know(provider: OAuthProvider, autojump_clock: MockClock) -> None:
    provider.client_secret = CLIENT_SECRET
    with pytest.raises(LoginRefused) as caught:
        await log_in(token_provider(provider, secret=f"{CLIENT_SECRET}x"), MemoryPerson())
    assert "invalid_client" in str(caught.value)
    assert not reveals(f"{caught.value} {caught.value.advice}".encode())


@trio_test
async def test_a_client_secret(provider: OAuthProvider, autojump_clock: MockClock) -> None:
    provider.client_secret = CLIENT_SECRET
    person = MemoryPerson()
    person.on_show = lambda _: provider.approve(provider.user_code())
    assert await log_in(token_provider(provider, secret=CLIENT_SECRET), person)


@trio_test
async def test_an_interval_longer_than_the_code_is_valid(provider: OAuthProvider, autojump_clock: MockClock) -> None:
    provider.interval = 3000
    with pytest.raises(LoginDenied):
        await after(30, provider, MemoryPerson(), agrees=False)
    assert polls(provider) == [60]
