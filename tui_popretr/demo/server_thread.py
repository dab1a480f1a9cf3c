"""The demo's world in a thread of its own, so that a dashboard can have the main one."""

from __future__ import annotations

import contextlib
import threading
from types import TracebackType

import trio

from tui_popretr.clock import Clock
from tui_popretr.demo.server import DemoServer, Ports
from tui_popretr.demo.troubles import explained

#: The world has nothing to save: it ends at once, or hangs.
_JOIN = 5.0


class DemoServerThread:
    """Serves a world, mail arriving all the time, from __enter__ to __exit__."""

    def __init__(self, world: DemoServer, clock: Clock) -> None:
        self._world = world
        self._problem: BaseException | None = None
        self._clock = clock
        self._ports: Ports | None = None
        self._everything = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo world", daemon=True)

    def __enter__(self) -> DemoServerThread:
        """Return when the server listens. Raises what hinders it."""
        self._thread.start()
        self._open.wait()
        if self._ports is None:
            self._thread.join()
            assert self._problem is not None
            raise self._problem
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._everything.cancel)
        self._thread.join(_JOIN)

    @property
    def ports(self) -> Ports:
        """Where the server listens."""
        assert self._ports is not None, "the stage is not open"
        return self._ports

    @property
    def failures(self) -> list[str]:
        """Why the world ended, if it was not to, and what failed in single sessions of its server."""
        failures: list[BaseException] = [*self._world.server.failures]
        if self._problem is not None:
            failures.append(self._problem)
        return [reason for failure in failures for reason in explained(failure)]

    def _run(self) -> None:
        try:
            trio.run(self._perform)
        except BaseException as problem:  # noqa: BLE001 - kept for the thread that owns us
            self._problem = problem
        finally:
            self._open.set()

    async def _perform(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._everything:
            async with trio.open_nursery() as nursery:
                self._ports = await nursery.start(self._world.serve)
                self._open.set()
                nursery.start_soon(self._world.arrivals, self._clock.now)
