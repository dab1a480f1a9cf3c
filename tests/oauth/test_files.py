"""The token files for tasks: locks that are given back whatever happens, and disks that do not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.oauth.making import oauth_for, tokens
from tests.support.oauth_provider import OAuthProvider
from tests.support.waiting import wait_for
from tui_popretr.config.oauth import OAuth
from tui_popretr.errors import ExitCode, SystemLimit, TokenFileBusy, TokenFileUnusable
from tui_popretr.oauth.files import LOCK_TIMEOUT, TokenFiles
from tui_popretr.oauth.store import TokenStore


@pytest.fixture
def oauth(tmp_path: Any) -> OAuth:
    return oauth_for(OAuthProvider(), str(tmp_path / "oauth"))


def is_free(oauth: OAuth) -> bool:
    try:
        with TokenStore(oauth.folder).locked(oauth.key):
            return True
    except BlockingIOError:
        return False


def test_holding(oauth: OAuth) -> None:
    async def hold() -> None:
        files = TokenFiles()
        async with files.holding(oauth):
            assert not is_free(oauth)
            await files.save(oauth, tokens("a", None))
        assert is_free(oauth)
        assert await files.load(oauth)
        async with files.holding(oauth):
            await files.forget(oauth)
        assert await files.load(oauth) is None

    trio.run(hold)


def test_an_error_gives_the_lock_back(oauth: OAuth) -> None:
    async def hold() -> None:
        with pytest.raises(ValueError, match="x"):
            async with TokenFiles().holding(oauth):
                raise ValueError("x")

    trio.run(hold)
    assert is_free(oauth)


@pytest.mark.parametrize("ended", [True, False], ids=["at the same time", "later"])
def test_a_cancelled_attempt_gives_the_lock_back(oauth: OAuth, monkeypatch: pytest.MonkeyPatch, ended: bool) -> None:
    """The thread has taken the lock when its task is cancelled, or takes it later."""
    begin = threading.Event()

    async def run_sync(work: Callable[[], object], **_: object) -> None:
        if ended:
            work()
        else:

            def later() -> None:
                begin.wait()
                work()

            threading.Thread(target=later).start()
        await trio.sleep_forever()

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)

    async def hold() -> None:
        with trio.move_on_after(1):
            async with TokenFiles().holding(oauth):
                raise AssertionError

    trio.run(hold, clock=MockClock(autojump_threshold=0))
    begin.set()
    monkeypatch.undo()
    wait_for(lambda: is_free(oauth), "the lock")


def test_a_disk_that_does_not_answer(oauth: OAuth, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_sync(*_: object, **__: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)

    async def load() -> None:
        with pytest.raises(TokenFileUnusable, match="does not answer"):
            await TokenFiles().load(oauth)

    trio.run(load, clock=MockClock(autojump_threshold=0))


def test_a_lock_that_another_process_keeps(oauth: OAuth, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_sync(work: Callable[[], object], **_: object) -> object:
        await trio.lowlevel.checkpoint()
        return work()

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)

    async def hold() -> float:
        start = trio.current_time()
        with pytest.raises(TokenFileBusy) as caught:
            async with TokenFiles().holding(oauth):
                raise AssertionError
        assert caught.value.exit_code is ExitCode.TEMPORARY
        return trio.current_time() - start

    with TokenStore(oauth.folder).locked(oauth.key):
        assert trio.run(hold, clock=MockClock(autojump_threshold=0)) == pytest.approx(LOCK_TIMEOUT, abs=1)
    assert is_free(oauth)


def test_many_wait_together_for_another_process(oauth: OAuth, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_sync(work: Callable[[], object], **_: object) -> object:
        await trio.lowlevel.checkpoint()
        return work()

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)
    files, failed = TokenFiles(), []

    async def hold() -> None:
        with pytest.raises(TokenFileBusy):
            async with files.holding(oauth):
                raise AssertionError
        failed.append(trio.current_time())

    async def hold_all() -> float:
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(hold)
        return trio.current_time() - start

    with TokenStore(oauth.folder).locked(oauth.key):
        assert trio.run(hold_all, clock=MockClock(autojump_threshold=0)) == pytest.approx(LOCK_TIMEOUT, abs=1)
    assert len(failed) == 50


def test_no_thread_can_be_started(oauth: OAuth, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_sync(*_: object, **__: object) -> None:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)

    async def load() -> None:
        with pytest.raises(SystemLimit):
            await TokenFiles().load(oauth)

    trio.run(load)
