"""Access tokens for sessions: early renewal, renewal after a refusal, one at a time, trouble of all kinds.

trio's clock stands still unless a test moves it, because calls in threads do not stop it.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
import trio
import trio.lowlevel

from tests.oauth.making import oauth_for, tokens
from tests.oauth.memory import MemoryWeb
from tests.oauth.world import World
from tests.program.process import environment
from tests.support.oauth_provider import ACCOUNT, CLIENT_SECRET, Fault
from tests.support.oauth_serving import running_provider
from tests.support.passwords import MARK
from tui_popretr.config.sources import Literal
from tui_popretr.errors import (
    ExitCode,
    GrantEnded,
    LoginRefused,
    NotLoggedIn,
    PasswordUnavailable,
    PopretrError,
    TokenFileDamaged,
    TokenFileUnusable,
)
from tui_popretr.net.http import Response, request
from tui_popretr.oauth import renewal
from tui_popretr.oauth.provider import TIMEOUT
from tui_popretr.oauth.renewal import AccessTokens
from tui_popretr.oauth.store import TokenStore
from tui_popretr.secret import Secret


@pytest.fixture
def world(tmp_path: Any) -> World:
    return World(str(tmp_path / "oauth"))


def test_a_token_is_used_until_it_is_due(world: World) -> None:
    first = world.log_in()
    world.pass_time(3299)
    assert world.get() == first
    assert world.renewals == 0
    world.pass_time(2)
    second = world.get()
    assert second.access != first.access
    assert world.provider.owner(second.access.reveal()) == ACCOUNT
    assert world.stored() == second
    assert world.get() == second
    assert world.renewals == 1


def test_short_lifetimes_leave_a_third(world: World) -> None:
    world.provider.lifetime = 30
    first = world.log_in()
    world.pass_time(19)
    assert world.get() == first
    world.pass_time(2)
    assert world.get() != first


def test_ten_lifetimes(world: World) -> None:
    world.provider.lifetime = 9
    world.log_in()
    for _ in range(90):
        assert world.provider.owner(world.get().access.reveal()) == ACCOUNT
        world.pass_time(1)
    assert 10 <= world.renewals <= 20
    assert world.warnings == []


def test_a_token_without_a_lifetime_is_never_due(world: World) -> None:
    with world.store.locked(world.oauth.key):
        world.store.save(world.oauth.key, tokens("a", "r", lifetime=None, obtained=world.now()))
    world.pass_time(10**7)
    assert world.get().access == Secret("a")


def test_the_client_secret_is_sent(world: World) -> None:
    world.provider.client_secret = CLIENT_SECRET
    world.oauth = replace(world.oauth, client_secret=Literal(Secret(CLIENT_SECRET)))
    world.log_in()
    world.pass_time(4000)
    world.get()
    assert world.renewals == 1


def test_without_a_login(world: World) -> None:
    problem = world.failure(world.get)
    assert isinstance(problem, NotLoggedIn)
    words = f"there is no access token for {ACCOUNT} yet"
    assert str(problem) == f"log in (tui-popretr login /etc/c.xml --client isp): {words}"
    assert problem.exit_code is ExitCode.LOGIN


# --- a server refuses a token ---------------------------------------------------------------------------------------


def test_a_refused_token_is_renewed(world: World) -> None:
    first = world.log_in()
    world.pass_time(61)
    second = world.refused(first.access)
    assert second
    assert second.access != first.access
    assert world.stored() == second


def test_a_new_token_is_not_renewed_because_of_a_refusal(world: World) -> None:
    first = world.log_in()
    world.pass_time(61)
    second = world.refused(first.access)
    assert second
    for _ in range(5):
        world.pass_time(11)
        assert world.refused(second.access) is None
    assert world.renewals == 1
    world.pass_time(11)
    assert world.refused(second.access)
    assert world.renewals == 2


def test_a_token_that_another_has_renewed_is_tried(world: World) -> None:
    first = world.log_in()
    second = world.log_in()
    assert world.refused(first.access) == second
    assert world.renewals == 0


def test_the_user_logs_in_again_after_the_end_of_a_grant(world: World) -> None:
    first = world.log_in()
    world.pass_time(61)
    world.provider.revoke()
    problem = world.failure(lambda: world.refused(first.access))
    assert isinstance(problem, GrantEnded)
    assert str(problem).startswith("log in again (tui-popretr login /etc/c.xml --client isp): provider.test no longer")
    assert world.stored() == first
    again = world.log_in()
    assert world.get() == again


# --- no storm -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.HTML, Fault.ERROR_500, Fault.REDIRECTION, Fault.CUT, Fault.NONSENSE, None])
def test_a_failed_renewal_is_not_repeated_for_a_minute(world: World, fault: Fault | None) -> None:
    world.log_in()
    world.pass_time(4000)
    if fault is None:
        world.provider.revoke()
    else:
        world.provider.faults["/token"] = fault
    first = world.failure(world.get)
    for _ in range(5):
        world.pass_time(11)
        again = world.failure(world.get)
        assert (type(again), str(again), again.advice) == (type(first), str(first), first.advice)
    assert world.renewals == 1
    world.pass_time(11)
    world.provider.faults.clear()
    if fault is None:  # the end of a grant is final
        world.failure(world.get)
        assert world.renewals == 1
        world.pass_time(renewal.ENDED_INTERVAL)
        world.failure(world.get)
    else:
        world.get()
    assert world.renewals == 2


def test_many_clients_with_one_token_make_one_request(world: World) -> None:
    world.log_in()
    world.pass_time(4000)

    async def many() -> set[Secret]:
        found: set[Secret] = set()

        async def one() -> None:
            found.add((await world.access.get(world.oauth)).access)

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(one)
        return found

    assert len(world.run(many)) == 1
    assert world.renewals == 1


def test_a_token_that_is_still_valid_is_used_if_it_cannot_be_renewed(world: World) -> None:
    first = world.log_in()
    world.pass_time(3400)
    world.provider.faults["/token"] = Fault.ERROR_500
    assert world.get() == first
    assert world.get() == first
    (warning,) = world.warnings
    assert warning.startswith(f"the access token of {ACCOUNT} is valid, but was not renewed: provider.test has a temp")
    world.pass_time(201)
    assert world.failure(world.get).exit_code is ExitCode.TEMPORARY


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault.HTML, ExitCode.PROTOCOL, "cannot be understood: its answer is not one of OAuth (status 200)"),
        (Fault.ERROR_500, ExitCode.TEMPORARY, "has a temporary problem (status 500)"),
        (Fault.BUSY_503, ExitCode.TEMPORARY, "has a temporary problem (status 503)"),
        (Fault.REDIRECTION, ExitCode.PROTOCOL, ", which is not followed"),
        (Fault.CUT, ExitCode.TEMPORARY, "does not answer: "),
        (Fault.LARGE, ExitCode.PROTOCOL, "sends more than 262144 octets"),
        (Fault.NONSENSE, ExitCode.PROTOCOL, "cannot be understood: its answer is not one of OAuth (status 200)"),
        (Fault.INCOMPLETE, ExitCode.PROTOCOL, "cannot be understood: its answer has no access token"),
    ],
)
def test_trouble_at_the_provider(world: World, fault: Fault, code: ExitCode, words: str) -> None:
    with running_provider() as provider:
        provider._clock = world.now
        world.provider, world.oauth = provider, oauth_for(provider, world.oauth.folder)
        world.web = request
        world.access = world.process()
        world.log_in()
        world.pass_time(4000)
        provider.faults["/token"] = fault
        problem = world.failure(world.get)
    assert words in str(problem)
    assert problem.exit_code is code
    assert problem.advice


def test_a_silent_provider(world: World) -> None:
    world.log_in()
    world.pass_time(4000)
    world.provider.faults["/token"] = Fault.SILENCE

    async def get() -> None:
        async with trio.open_nursery() as nursery:

            async def move() -> None:
                while not world.renewals:
                    await trio.lowlevel.checkpoint()
                await trio.testing.wait_all_tasks_blocked()
                world.trio.jump(TIMEOUT + 1)

            nursery.start_soon(move)
            try:
                await world.access.get(world.oauth)
            except PopretrError as problem:
                found.append(problem)

    found: list[PopretrError] = []
    world.run(get)
    assert found[0].exit_code is ExitCode.TEMPORARY
    assert "has not answered within 30 s" in str(found[0])


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", "invalid_scope"])
def test_a_client_that_the_provider_refuses(world: World, error: str) -> None:
    world.log_in()
    world.pass_time(4000)
    world.provider.refresh_error = error
    problem = world.failure(world.get)
    assert isinstance(problem, LoginRefused)
    assert error in str(problem)


def test_no_refresh_token(world: World) -> None:
    world.provider.gives_refresh_token = False
    first = world.log_in()
    world.pass_time(3400)
    assert world.get() == first
    world.pass_time(300)
    problem = world.failure(world.get)
    assert isinstance(problem, GrantEnded)
    assert str(problem).startswith("log in again (tui-popretr login /etc/c.xml --client isp): ")


def test_a_client_secret_that_cannot_be_read(world: World) -> None:
    async def obtain(source: object) -> Secret:
        raise PasswordUnavailable("the file is gone")

    world.access = AccessTokens(obtain, world.clock, world.warnings.append, world.web)
    world.log_in()
    world.pass_time(4000)
    assert isinstance(world.failure(world.get), PasswordUnavailable)
    assert world.renewals == 0


# --- clocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_wrong_by_an_hour(world: World, hours: int) -> None:
    first = world.log_in()
    world.clock.wall += timedelta(hours=hours)
    second = world.get()
    assert second.access != first.access
    assert world.get() == second
    assert world.renewals == 1


# --- the file -------------------------------------------------------------------------------------------------------


def test_a_new_token_that_cannot_be_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = world.log_in()
    world.pass_time(4000)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "rename", full)
    second = world.get()
    assert second.access != first.access
    assert world.stored() == first
    assert len(world.warnings) == 1
    assert "cannot be written: the disk is full; the renewed token is used without it" in world.warnings[0]
    assert world.get() == second
    assert world.stored() == first
    monkeypatch.undo()
    assert world.get() == second
    assert world.stored() == second
    world.pass_time(4000)
    world.get()
    assert world.renewals == 2
    assert len(world.warnings) == 2


def test_a_token_not_written_survives_a_clock_set_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has a refresh token that was used, but a later time."""
    first = world.log_in()
    world.clock.advance(-600)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "rename", full)
    second = world.get()
    assert second.obtained < first.obtained
    assert world.get() == second
    monkeypatch.undo()
    assert world.get() == second
    assert world.stored() == second
    assert world.renewals == 1


def test_a_login_replaces_a_token_that_was_not_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.log_in()
    world.pass_time(4000)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "rename", full)
    world.get()
    monkeypatch.undo()
    world.pass_time(1)
    again = world.log_in()
    assert world.get() == again
    world.store.forget(world.oauth.key)
    assert isinstance(world.failure(world.get), NotLoggedIn)


def test_a_damaged_file(world: World) -> None:
    world.log_in()
    with open(world.store.path(world.oauth.key), "w") as file:
        file.write("{")
    problem = world.failure(world.get)
    assert isinstance(problem, TokenFileDamaged)
    assert str(problem).startswith("log in again (tui-popretr login /etc/c.xml --client isp): ")
    assert isinstance(world.failure(world.get), NotLoggedIn)


def test_a_folder_of_another_user(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.log_in()
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    problem = world.failure(world.get)
    monkeypatch.undo()
    assert isinstance(problem, TokenFileUnusable)


# --- cancellation, and other processes ------------------------------------------------------------------------------


class SlowWeb:
    """A web that answers when the test allows it."""

    def __init__(self, world: World) -> None:
        self._web = MemoryWeb(world.provider)
        self.asked = trio.Event()
        self.go_on = trio.Event()

    async def __call__(self, *arguments: Any, **others: Any) -> Response:
        self.asked.set()
        await self.go_on.wait()
        return await self._web(*arguments, **others)


def test_a_renewal_is_completed_although_the_session_is_cancelled(world: World) -> None:
    first = world.log_in()
    world.pass_time(4000)

    async def cancelled() -> None:
        web = world.web = SlowWeb(world)
        world.access = world.process()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.access.get, world.oauth)
            await web.asked.wait()
            nursery.cancel_scope.cancel()
            web.go_on.set()

    world.run(cancelled)
    found = world.stored()
    assert found
    assert found != first
    assert world.provider.owner(found.access.reveal()) == ACCOUNT
    with world.store.locked(world.oauth.key):
        pass


def test_a_cancelled_renewal_gets_a_few_seconds(world: World) -> None:
    first = world.log_in()
    world.pass_time(4000)

    async def cancelled() -> float:
        web = world.web = SlowWeb(world)
        world.access = world.process()
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.access.get, world.oauth)
            await web.asked.wait()
            nursery.cancel_scope.cancel()
            world.trio.autojump_threshold = 0.1
        return trio.current_time() - start

    assert world.run(cancelled) == renewal.GRACE
    assert world.stored() == first
    with world.store.locked(world.oauth.key):
        pass


def test_two_processes_renew_one_after_the_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks of one process exclude each other as those of two do."""
    world.log_in()
    world.pass_time(4000)
    attempts: list[str] = []
    lock = TokenStore.lock

    def counted(store: TokenStore, key: str) -> int:
        attempts.append(key)
        return lock(store, key)

    monkeypatch.setattr(TokenStore, "lock", counted)

    async def both() -> None:
        web = world.web = SlowWeb(world)
        first, second = world.process(), world.process()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.get, world.oauth)
            await web.asked.wait()
            nursery.start_soon(second.get, world.oauth)
            while len(attempts) < 2:
                await trio.lowlevel.checkpoint()
            assert world.renewals == 0
            web.go_on.set()
            world.trio.autojump_threshold = 0.05

    world.run(both)
    assert world.renewals == 1
    found = world.stored()
    assert found
    assert world.provider.owner(found.access.reveal()) == ACCOUNT


_OTHER: Final = """
import sys, trio
from dataclasses import replace
from tests.oauth.making import oauth_for
from tests.support.oauth_provider import OAuthProvider
from tui_popretr.clock import SystemClock
from tui_popretr.oauth.renewal import AccessTokens
from tui_popretr.secret import Secret
async def obtain(source):
    return Secret("")
async def main(base, folder):
    found = await AccessTokens(obtain, SystemClock()).get(oauth_for(OAuthProvider(base), folder))
    print(found.access.reveal()[-10:])
trio.run(main, *sys.argv[1:])
"""


def test_several_processes_renew_once(world: World) -> None:
    """A provider with rotation ends the grant if a refresh token is used twice."""
    with running_provider() as provider:
        world.provider, world.oauth = provider, oauth_for(provider, world.oauth.folder)
        first = world.log_in()
        assert first.refresh
        with world.store.locked(world.oauth.key):
            world.store.save(world.oauth.key, tokens(first.access.reveal(), first.refresh.reveal(), obtained=1000))
        command = [sys.executable, "-c", _OTHER, provider.base, world.oauth.folder]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), text=True) for _ in range(4)]
        ends = {process.communicate()[0] for process in processes}
        assert {process.returncode for process in processes} == {0}
        assert len(ends) == 1
        assert world.renewals == 1


_KILLED: Final = _OTHER.replace(
    "async def obtain",
    """
import os, signal
fatal, calls = int(sys.argv.pop()), 0
def counted(call):
    def counting(*arguments, **others):
        global calls
        calls += 1
        if calls == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **others)
    return counting
import tui_popretr.net.http, tui_popretr.oauth.provider
for name in ("rename", "fsync", "close", "unlink"):
    setattr(os, name, counted(getattr(os, name)))
tui_popretr.net.http.request = counted(tui_popretr.net.http.request)
tui_popretr.oauth.forms.read_tokens = counted(tui_popretr.oauth.forms.read_tokens)
async def obtain""",
    1,
)


def test_a_kill_at_each_step_of_a_renewal(world: World) -> None:
    with running_provider() as provider:
        world.provider, world.oauth = provider, oauth_for(provider, world.oauth.folder)
        step, states = 1, set()
        while True:
            first = world.log_in()
            assert first.refresh
            old = tokens(first.access.reveal(), first.refresh.reveal(), obtained=1000)
            with world.store.locked(world.oauth.key):
                world.store.save(world.oauth.key, old)
            command = [sys.executable, "-c", _KILLED, provider.base, world.oauth.folder, str(step)]
            done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
            assert done.returncode in (0, -signal.SIGKILL), done.stderr
            found = world.stored()
            assert found
            assert found == old or provider.owner(found.access.reveal()) == ACCOUNT
            states.add(found == old)
            with world.store.locked(world.oauth.key):
                pass
            if done.returncode == 0:
                break
            step += 1
        assert states == {True, False}
        assert step > 5


def test_marks_are_in_the_tokens(world: World) -> None:
    assert MARK in world.log_in().access.reveal()
