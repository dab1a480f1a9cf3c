"""Clients that log in by access tokens, for days: renewal, a lost grant, a new login, no storm."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.engine.hooks.test_task import StandIn, add_hooks, hooks, stand_in  # noqa: F401 - a fixture
from tests.oauth.making import SCOPES, oauth_for, tokens
from tests.oauth.memory import MemoryWeb
from tests.support.oauth_provider import Fault, OAuthProvider
from tests.support.popserver import Mechanism, PopServer, ServedMaildrop, ServerPolicy
from tests.support.running import Fleet
from tests.support.worlds import mail
from tui_popretr import wording
from tui_popretr.config.choices import AuthType
from tui_popretr.config.model import ClientSettings
from tui_popretr.config.oauth import OAuth
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Level, Noted, TokenUsed
from tui_popretr.oauth.files import TokenFiles
from tui_popretr.oauth.renewal import AccessTokens
from tui_popretr.oauth.store import TokenStore
from tui_popretr.session import exploration
from tui_popretr.session.login import TokenRenewedError, log_in

T = TypeVar("T")
POLICY = ServerPolicy(clear=frozenset({Mechanism.XOAUTH2}))


class InlineFiles(TokenFiles):
    """Calls without threads, so that the clock can jump."""

    async def _run(self, oauth: OAuth, call: Callable[[TokenStore], T], undo: object = None) -> T:
        await trio.lowlevel.checkpoint()
        return call(TokenStore(oauth.folder))


class TokenDrop(ServedMaildrop):
    """A maildrop whose password is each valid access token."""

    provider: OAuthProvider

    @property
    def password(self) -> str:
        valid = [token for token in self.provider._access if self.provider.owner(token)]
        return valid[-1] if valid else "none"

    @password.setter
    def password(self, value: str) -> None:
        pass


class Site:
    """A fleet, a provider, and clients that share a token."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.provider = OAuthProvider(clock=self.now)
        self.oauth = oauth_for(self.provider, str(fleet.folder / "oauth"))

    def now(self) -> float:
        return self.fleet.clock.now().timestamp()

    def client(self, name: str = "a", *, mails: int = 0, **changes: Any) -> ClientSettings:
        client = self.fleet.client(name, mails=mails, **changes)
        drop = TokenDrop(name, "")
        drop.provider = self.provider
        for number in range(mails):
            drop.add(mail(f"{name}{number}"))
        self.fleet.servers[name] = PopServer([drop], policy=POLICY, keep_dialogue=True)
        methods = (AuthType.SASL_OAUTHBEARER, AuthType.SASL_XOAUTH2)
        return replace(client, server=replace(client.server, password=None, auth_types=methods, oauth=self.oauth))

    def log_in(self) -> None:
        """What the command `login` leaves behind."""
        fields = json.loads(self.provider._tokens(self.provider._grant(" ".join(SCOPES))).body)
        found = tokens(
            fields["access_token"], fields["refresh_token"], lifetime=fields["expires_in"], obtained=self.now()
        )
        TokenStore(self.oauth.folder).save(self.oauth.key, found)

    @asynccontextmanager
    async def running(
        self, *clients: ClientSettings, with_hooks: bool = False, **settings: Any
    ) -> AsyncIterator[Engine]:
        async with self.fleet.running(*clients, **settings) as engine:
            if with_hooks:
                add_hooks(engine)
            obtain = engine.connections.passwords.obtain
            access = AccessTokens(obtain, engine.clock, partial(engine.note, Level.WARNING), MemoryWeb(self.provider))
            access.files = InlineFiles()
            engine.connections = replace(engine.connections, tokens=access)
            yield engine

    async def until_done(self, client: ClientSettings) -> None:
        async with self.running(client, until_done=True):
            await self.fleet.wait_for(lambda: self.fleet.ended is not None)

    @property
    def renewals(self) -> list[float]:
        return [each.at for each in self.provider.asked if each.path == "/token" and each.form.get("refresh_token")]

    def codes(self, name: str = "a") -> list[ExitCode]:
        return [result.code for result in self.fleet.results(name)]


@pytest.fixture
def site(fleet: Fleet) -> Site:
    return Site(fleet)


@trio_test
async def test_ten_lifetimes_without_a_failure(site: Site, autojump_clock: MockClock) -> None:
    site.provider.lifetime = 60
    site.log_in()
    async with site.running(site.client(frequency=7.0, mails=1)):
        await trio.sleep(600.0)
    assert len(site.codes()) > 80
    assert set(site.codes()) == {ExitCode.OK}
    assert 10 <= len(site.renewals) <= 20
    assert site.fleet.arrived() == ["a0"]
    used = site.fleet.of(TokenUsed)
    assert used[0].token.scopes == SCOPES
    assert len({each.token.expires for each in used}) == len(site.renewals) + 1


@trio_test
async def test_a_token_that_ends_early_costs_no_session(site: Site, autojump_clock: MockClock) -> None:
    site.log_in()
    async with site.running(site.client(frequency=100.0)):
        await trio.sleep(250.0)
        site.provider.expire_access()
        await trio.sleep(500.0)
    assert set(site.codes()) == {ExitCode.OK}
    assert len(site.renewals) == 1


@trio_test
async def test_a_server_that_hangs_up_after_a_refusal(
    site: Site, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    site.log_in()
    logins: list[Any] = []

    async def hanging_up(*arguments: Any) -> str:
        logins.append(arguments)
        if len(logins) == 1:
            raise TokenRenewedError
        return await log_in(*arguments)

    monkeypatch.setattr(exploration, "log_in", hanging_up)
    await site.until_done(site.client(runs=1, mails=1))
    assert site.codes() == [ExitCode.OK]
    assert len(logins) == 2
    assert logins[0][0] is not logins[1][0], "over another connection"
    assert site.fleet.arrived() == ["a0"]
    (warning,) = [fact.text for fact in site.fleet.of(Noted) if fact.level is Level.WARNING]
    assert "refused the access token and ended the connection; connecting once more" in warning


@trio_test
async def test_a_lost_grant_and_a_new_login(site: Site, stand_in: StandIn, autojump_clock: MockClock) -> None:  # noqa: F811
    site.log_in()
    client = site.client(frequency=10.0, mails=1)
    async with site.running(client, with_hooks=True, hooks=hooks("login", "recovered")):
        await trio.sleep(95.0)
        site.provider.revoke()
        await trio.sleep(800.0)
        assert stand_in.events == [("login", "a")]
        site.fleet.drop().add(mail("new"))
        await site.fleet.wait_for(lambda: site.now() % 10 < 1)
        site.log_in()
        await trio.sleep(30.0)
        assert stand_in.events == [("login", "a"), ("recovered", "a")]
    failed = [result for result in site.fleet.results() if not result.ok]
    assert {result.code for result in failed} == {ExitCode.LOGIN}
    assert all(result.error.startswith("log in again (tui-popretr login ") for result in failed)
    assert wording.session_summary(failed[-1]) == "log in again: tui-popretr login"
    assert "likely reasons: access was removed" in failed[0].advice
    assert len(failed) > 70, "there is no back-off, so that a new login is found soon"
    assert len(site.renewals) == 1
    assert site.fleet.arrived() == ["a0", "new"]
    _, occurrence, _ = stand_in.began[0]
    assert "log in again (tui-popretr login /etc/c.xml --client isp)" in occurrence.text


@trio_test
async def test_no_login_yet(site: Site, autojump_clock: MockClock) -> None:
    async with site.running(site.client(frequency=60.0, mails=1)):
        await trio.sleep(250.0)
        site.log_in()
        await trio.sleep(100.0)
    assert site.codes()[:5] == [ExitCode.LOGIN] * 5
    assert site.codes()[-1] is ExitCode.OK
    assert site.fleet.results()[0].error.startswith("log in (tui-popretr login ")
    assert site.fleet.arrived() == ["a0"]


@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.HTML, Fault.CUT])
@trio_test
async def test_a_provider_in_trouble_is_asked_once_a_minute(
    site: Site, fault: Fault, autojump_clock: MockClock
) -> None:
    site.provider.lifetime = 300
    site.log_in()
    async with site.running(*(site.client(name, frequency=10.0) for name in "abc")):
        await trio.sleep(190.0)
        site.provider.faults["/token"] = fault
        await trio.sleep(300.0)
        site.provider.faults.clear()
        await trio.sleep(80.0)
    gaps = [after - before for before, after in pairwise(site.renewals)]
    assert min(gaps) >= 60.0
    assert 5 <= len(site.renewals) <= 6
    codes = set(site.codes())
    assert codes == {ExitCode.OK, ExitCode.PROTOCOL if fault is Fault.HTML else ExitCode.TEMPORARY}
    assert site.codes()[-1] is ExitCode.OK
    warnings = [fact.text for fact in site.fleet.of(Noted) if "is valid, but was not renewed" in fact.text]
    assert warnings


@trio_test
async def test_a_server_that_refuses_every_token(site: Site, autojump_clock: MockClock) -> None:
    site.log_in()
    client = site.client(frequency=10.0)
    client = replace(client, server=replace(client.server, username="another"))
    async with site.running(client):
        await trio.sleep(4 * 3600.0)
    assert set(site.codes()) == {ExitCode.LOGIN}
    assert len(site.codes()) < 20, "each refusal may count as a failed login, so there is a back-off"
    assert min(after - before for before, after in pairwise(site.renewals)) >= 60.0
    assert "another setting is wrong" in site.fleet.results()[-1].advice
