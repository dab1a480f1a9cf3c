"""The world of the demo: its accounts, the server that serves them, and mail that keeps arriving."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import trio

from tui_popretr.demo.accounts import DemoAccount, make_accounts
from tui_popretr.popserver import PopServer, ServedMaildrop
from tui_popretr.popserver.certificates import server_context

HOST = "127.0.0.1"
#: Mail stops arriving while so many messages lie in the maildrop: nobody seems to fetch them.
MOST_WAITING = 500


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the server listens on HOST: one port in clear, with STLS, and one with TLS from the first byte."""

    clear: int
    tls: int


class DemoServer:
    """A POP3 server on loopback with the demo's accounts, whose mail is from the days before `newest` (aware).

    Where it is `watched`, it takes its time.
    """

    def __init__(self, newest: datetime, *, watched: bool = False) -> None:
        self.accounts: tuple[DemoAccount, ...] = make_accounts(newest, watched=watched)
        self.server = PopServer([account.maildrop for account in self.accounts], tls=server_context())

    @property
    def busy(self) -> ServedMaildrop:
        """The maildrop of the busy account."""
        return self.accounts[0].maildrop

    async def serve(self, *, task_status: trio.TaskStatus[Ports] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` gives the ports. Raises OSError, in a group, where it cannot listen."""
        async with trio.open_nursery() as nursery:
            clear = await nursery.start(self._serve_clear)
            tls = await nursery.start(self._serve_tls)
            task_status.started(Ports(clear, tls))

    async def _serve_clear(self, *, task_status: trio.TaskStatus[int]) -> None:
        await self.server.serve(host=HOST, task_status=task_status)

    async def _serve_tls(self, *, task_status: trio.TaskStatus[int]) -> None:
        await self.server.serve(host=HOST, implicit_tls=True, task_status=task_status)

    async def arrivals(self, now: Callable[[], datetime]) -> None:
        """Let new mail, dated `now`, keep arriving, in the busy account every second or two, until cancelled."""
        async with trio.open_nursery() as nursery:
            for account in self.accounts:
                nursery.start_soon(self._arrivals, account, now)

    async def _arrivals(self, account: DemoAccount, now: Callable[[], datetime]) -> None:
        arrivals = account.arrivals
        if arrivals is None:
            return
        dice = random.Random(f"arrivals/{account.id}")  # noqa: S311 - nobody has to be unable to guess it
        maildrop = account.maildrop
        first = len(maildrop.messages) + 1
        for number in range(first, first + arrivals.most):
            await trio.sleep(dice.uniform(arrivals.shortest, arrivals.longest))
            if len(maildrop.messages) < MOST_WAITING:
                maildrop.add(account.next_mail(number, now()))
