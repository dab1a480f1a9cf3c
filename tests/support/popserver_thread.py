"""The POP3 server in a thread, for tests whose client is another process or another event loop."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio

from tests.support.popserver import STD, Faults, PopServer, ServedMaildrop, ServerLine, ServerPolicy
from tests.support.waiting import PATIENCE

T = TypeVar("T")


class _Watched(list[ServerLine]):
    """A dialogue that notifies when a line is added."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Condition()

    def append(self, line: ServerLine) -> None:
        with self.changed:
            super().append(line)
            self.changed.notify_all()


class RunningServer:
    """A server that listens on `port`, and with a TLS context on `tls_port` too (TLS from the first byte)."""

    def __init__(self, server: PopServer, dialogue: _Watched) -> None:
        self.server = server
        self.port = 0
        self.tls_port = 0
        self._dialogue = dialogue
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._ready = threading.Event()
        self._failures: list[BaseException] = []

    @property
    def address(self) -> str:
        """Where the server listens in clear, as a configuration names it."""
        return f"127.0.0.1:{self.port}"

    @property
    def tls_address(self) -> str:
        """Where the server listens with implicit TLS. Its certificate is for localhost."""
        return f"localhost:{self.tls_port}"

    def said(self, sender: str = "C") -> list[bytes]:
        """The lines that the clients ("C") or the server ("S") have sent so far."""
        with self._dialogue.changed:
            return [line.text for line in self._dialogue if line.sender == sender]

    def wait_for_line(self, start: bytes, *, count: int = 1, sender: str = "C") -> None:
        """Wait until `count` lines that begin with `start` are there. Raises AssertionError after PATIENCE."""

        def complete() -> bool:
            return sum(line.sender == sender and line.text.startswith(start) for line in self._dialogue) >= count

        with self._dialogue.changed:
            assert self._dialogue.changed.wait_for(complete, PATIENCE), f"{start!r} did not come {count} times"

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in the server's thread, for changes while it runs."""
        assert self._token is not None
        return trio.from_thread.run_sync(function, trio_token=self._token)

    def _thread(self, tls: bool) -> None:
        try:
            trio.run(self._serve, tls)
        except BaseException as failure:  # noqa: BLE001 - raised in the test's thread
            self._failures.append(failure)
        finally:
            self._ready.set()

    async def _serve(self, tls: bool) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            async with trio.open_nursery() as nursery:
                self.port = await nursery.start(self.server.serve)
                if tls:
                    self.tls_port = await nursery.start(self._serve_tls)
                self._ready.set()

    async def _serve_tls(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        await self.server.serve(implicit_tls=True, task_status=task_status)

    def _check(self) -> None:
        if self._failures:
            raise self._failures[0]


@contextmanager
def running_server(
    maildrops: Iterable[ServedMaildrop],
    *,
    policy: ServerPolicy = STD,
    tls: ssl.SSLContext | None = None,
    faults: Faults | None = None,
    keep_dialogue: bool = True,
) -> Iterator[RunningServer]:
    """Run a server in a thread during the block, and keep its dialogue. A failure in the server fails the test."""
    server = PopServer(maildrops, policy=policy, tls=tls, faults=faults, keep_dialogue=keep_dialogue)
    server.dialogue = dialogue = _Watched()
    running = RunningServer(server, dialogue)
    thread = threading.Thread(target=running._thread, args=(tls is not None,), name="popserver")
    thread.start()
    try:
        assert running._ready.wait(PATIENCE)
        running._check()
        yield running
    finally:
        if running._token is not None and thread.is_alive():
            running._token.run_sync_soon(running._scope.cancel)
        thread.join()
    running._check()
    assert not server.failures
