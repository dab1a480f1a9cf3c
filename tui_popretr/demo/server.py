"""The demo's POP3 server on loopback, new mail that keeps arriving, and a thread that runs both."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType

import trio

from tui_popretr.clock import Clock
from tui_popretr.demo.accounts import DemoAccount, make_accounts
from tui_popretr.errors import PopretrError, describe_os_error
from tui_popretr.popserver import PopServer
from tui_popretr.popserver.certificates import server_context

HOST = "127.0.0.1"
#: No mail arrives while this number of messages is in the maildrop, since nothing retrieves them.
MAX_WAITING = 500
_JOIN_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the server listens on HOST: one port in clear, with STLS, and one with TLS from the first byte."""

    clear: int
    tls: int


class DemoServer:
    """A POP3 server on loopback with the demo's accounts, whose mail is from the days before `newest` (aware).

    If it is `watched`, transfers take long enough to be seen.
    """

    def __init__(self, newest: datetime, *, watched: bool = False) -> None:
        self.accounts: tuple[DemoAccount, ...] = make_accounts(newest, watched=watched)
        self.server = PopServer([account.maildrop for account in self.accounts], tls=server_context())

    async def serve(self, *, task_status: trio.TaskStatus[Ports] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` gives the ports. Raises OSError, in a group, if it cannot listen."""
        async with trio.open_nursery() as nursery:
            clear = await nursery.start(partial(self.server.serve, host=HOST))
            tls = await nursery.start(partial(self.server.serve, host=HOST, implicit_tls=True))
            task_status.started(Ports(clear, tls))

    async def arrivals(self, now: Callable[[], datetime]) -> None:
        """Add new mail, dated `now`, to the accounts until cancelled."""
        async with trio.open_nursery() as nursery:
            for account in self.accounts:
                nursery.start_soon(_add_mail, account, now)


async def _add_mail(account: DemoAccount, now: Callable[[], datetime]) -> None:
    arrivals, maildrop = account.arrivals, account.maildrop
    if arrivals is None:
        return
    dice = random.Random(f"arrivals/{account.id}")  # noqa: S311 - not for cryptography
    first = len(maildrop.messages) + 1
    for number in range(first, first + arrivals.limit):
        await trio.sleep(dice.uniform(arrivals.shortest, arrivals.longest))
        if len(maildrop.messages) < MAX_WAITING:
            maildrop.add(account.new_mail(number, now()))


class DemoServerThread:
    """Runs a demo server, with new mail, in a thread from __enter__ to __exit__."""

    def __init__(self, server: DemoServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._error: BaseException | None = None
        self._ports: Ports | None = None
        self._scope = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo server", daemon=True)

    def __enter__(self) -> DemoServerThread:
        """Return when the server listens. Raises the error that prevents it."""
        self._thread.start()
        self._started.wait()
        if self._ports is None:
            self._thread.join()
            assert self._error is not None
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._scope.cancel)
        self._thread.join(_JOIN_TIMEOUT)

    @property
    def ports(self) -> Ports:
        """Where the server listens."""
        assert self._ports is not None, "the server has not started"
        return self._ports

    @property
    def failures(self) -> list[str]:
        """Errors of the server and of its sessions, in words."""
        errors: list[BaseException] = [*self._server.server.failures]
        if self._error is not None:
            errors.append(self._error)
        return [text for error in errors for text in describe_errors(error)]

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # noqa: BLE001 - kept for the owner of the thread
            self._error = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            async with trio.open_nursery() as nursery:
                self._ports = await nursery.start(self._server.serve)
                self._started.set()
                nursery.start_soon(self._server.arrivals, self._clock.now)


def describe_errors(error: BaseException) -> list[str]:
    """Return a text for each exception in a group, or for the only one."""
    match error:
        case BaseExceptionGroup():
            return [text for each in error.exceptions for text in describe_errors(each)]
        case PopretrError():
            return [str(error)]
        case OSError():
            return [describe_os_error(error)]
        case _:
            return [repr(error)]
