"""Looking up host names, in threads of its own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio

#: Seconds after which a new request starts another look-up instead of sharing the running one.
SLOW = 5.0


@dataclass(slots=True, eq=False)
class _LookUp:
    """A running look-up, shared by all requests for the same name."""

    started: float = field(default_factory=trio.current_time)
    done: trio.Event = field(default_factory=trio.Event)
    addresses: Any = None
    error: Exception | None = None


class Resolver(trio.abc.HostnameResolver):
    """getaddrinfo in threads of its own: a dead name server must not use up the threads that fsync needs.

    A fleet has many accounts at few hosts, so requests for the same name share one look-up. After SLOW seconds a new
    request starts another one.
    """

    def __init__(self, threads: int = 16) -> None:
        self._limiter = trio.CapacityLimiter(threads)
        self._running: dict[tuple[Any, ...], _LookUp] = {}

    async def getaddrinfo(self, *arguments: Any) -> Any:
        look_up = self._running.get(arguments)
        if look_up is None or trio.current_time() - look_up.started > SLOW:
            look_up = self._running[arguments] = _LookUp()
            # A system task, because the request that starts it may be cancelled while others wait.
            trio.lowlevel.spawn_system_task(self._look_up, arguments, look_up)
        await look_up.done.wait()
        if look_up.error is not None:
            raise look_up.error
        return look_up.addresses

    async def _look_up(self, arguments: tuple[Any, ...], look_up: _LookUp) -> None:
        try:
            look_up.addresses = await self._in_thread(socket.getaddrinfo, *arguments)
        except Exception as error:  # noqa: BLE001 - raised in the tasks that wait
            look_up.error = error
        finally:
            if self._running.get(arguments) is look_up:
                del self._running[arguments]
            look_up.done.set()

    async def getnameinfo(self, *arguments: Any) -> Any:
        return await self._in_thread(socket.getnameinfo, *arguments)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await trio.to_thread.run_sync(function, *arguments, limiter=self._limiter, abandon_on_cancel=True)
