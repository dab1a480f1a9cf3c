"""The token files for tasks: the calls of store.py in threads of their own, with a time limit."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from threading import Lock
from typing import Final, TypeVar

import trio

from tui_popretr.config.oauth import OAuth
from tui_popretr.errors import TokenFileBusy, TokenFileDamaged, TokenFileUnusable, out_of_threads
from tui_popretr.oauth.store import Tokens, TokenStore
from tui_popretr.text import visible

T = TypeVar("T")

#: Seconds for one call.
_TIMEOUT: Final = 20.0
#: Seconds for the lock: longer than a renewal takes.
LOCK_TIMEOUT: Final = 120.0
#: Seconds between two attempts to take the lock.
_POLL: Final = 0.1
_THREADS: Final = 4


class TokenFiles:
    """The token files of a process. All methods raise the errors of token files."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._locks: dict[str, trio.Lock] = {}

    async def load(self, oauth: OAuth, *, locked: bool = False) -> Tokens | None:
        """Return the tokens, None if there are none. `locked`: within holding()."""
        try:
            return await self._run(oauth, lambda store: store.load(oauth.key, locked=locked))
        except TokenFileDamaged as problem:
            raise TokenFileDamaged(f"{oauth.again}: {problem}") from problem

    async def save(self, oauth: OAuth, tokens: Tokens) -> None:
        """Replace the tokens, within holding()."""
        await self._run(oauth, lambda store: store.save(oauth.key, tokens))

    async def forget(self, oauth: OAuth) -> None:
        """Remove the tokens, within holding()."""
        await self._run(oauth, lambda store: store.forget(oauth.key))

    @asynccontextmanager
    async def holding(self, oauth: OAuth) -> AsyncIterator[None]:
        """Hold the lock of a token file, also against other processes. Raises TokenFileBusy.

        Tasks that wait for each other wait for another process together, not one after the other.
        """
        path, deadline = TokenStore(oauth.folder).path(oauth.key), trio.current_time() + LOCK_TIMEOUT
        async with self._locks.setdefault(path, trio.Lock()):
            descriptor = await self._lock(oauth, deadline)
            try:
                yield
            finally:
                os.close(descriptor)

    async def _lock(self, oauth: OAuth, deadline: float) -> int:
        while True:
            try:
                return await self._run(oauth, lambda store: store.lock(oauth.key), undo=os.close)
            except BlockingIOError:
                if trio.current_time() >= deadline:
                    raise TokenFileBusy(f"another process renews the token of {visible(oauth.account)}") from None
            await trio.sleep(_POLL)

    async def _run(self, oauth: OAuth, call: Callable[[TokenStore], T], undo: Callable[[T], object] | None = None) -> T:
        """Run a call in a thread. `undo` gets its result if it ends too late."""
        store, turn, results = TokenStore(oauth.folder), Lock(), list[T]()
        given_up = False

        def work() -> T:
            result = call(store)
            with turn:
                if not given_up:
                    results.append(result)
                    return result
            if undo is not None:
                undo(result)
            return result

        def give_up() -> None:
            nonlocal given_up
            with turn:
                given_up = True
            if undo is not None and results:  # it ended at the same time
                undo(results[0])

        try:
            with trio.move_on_after(_TIMEOUT):
                return await trio.to_thread.run_sync(work, limiter=self._limiter, abandon_on_cancel=True)
        except RuntimeError as problem:
            raise out_of_threads(problem) or problem from problem
        except trio.Cancelled:
            give_up()
            raise
        give_up()
        raise TokenFileUnusable(f"the disk with the folder {visible(oauth.folder, 4096)} does not answer")
