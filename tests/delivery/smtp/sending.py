"""Sinks and messages for tests of delivery to mail servers.

The sink runs in a trio of its own, in a thread; the calls here wait for it. So a test reads as a dialogue.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.support.waiting import PATIENCE
from tui_popretr.config.model import SmtpDestination
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.smtp.sink import SmtpSink
from tui_popretr.errors import DeliveryFailed
from tui_popretr.facts import Direction
from tui_popretr.secret import Secret

MESSAGE = b"Received: from pop.test\r\nSubject: x\r\n\r\n.text\r\n"


class Withdrawn(Exception):
    """What before_end() raises when a message is not to be delivered."""


class Stopped(Exception):
    """The call was cancelled."""


@contextmanager
def trio_in_a_thread() -> Iterator[trio.lowlevel.TrioToken]:
    """Run trio in a thread while the block runs."""
    tokens: list[trio.lowlevel.TrioToken] = []
    started, over = threading.Event(), trio.Event()

    async def main() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        started.set()
        await over.wait()

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    assert started.wait(PATIENCE)
    try:
        yield tokens[0]
    finally:
        trio.from_thread.run_sync(over.set, trio_token=tokens[0])
        thread.join()


class Call:
    """A call of the sink that runs until it ends or is cancelled. It is among `calls` before it begins."""

    def __init__(
        self,
        token: trio.lowlevel.TrioToken,
        calls: list[Call],
        function: Callable[..., Awaitable[Any]],
        *arguments: Any,
    ) -> None:
        self._ended = threading.Event()
        self._scope = trio.CancelScope()
        self._token = token
        self.problem: BaseException | None = None
        self.value: Any = None

        async def run() -> None:
            with self._scope:
                try:
                    self.value = await function(*arguments)
                except Exception as problem:  # noqa: BLE001 - raised by wait()
                    self.problem = problem
            if self._scope.cancelled_caught:
                self.problem = Stopped()
            self._ended.set()

        calls.append(self)
        trio.from_thread.run_sync(trio.lowlevel.spawn_system_task, run, trio_token=token)

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def cancel(self) -> None:
        trio.from_thread.run_sync(self._scope.cancel, trio_token=self._token)

    def wait(self) -> Any:
        if not self._ended.wait(PATIENCE):
            pytest.fail("the call does not end")
        if self.problem is not None:
            raise self.problem
        return self.value


class Draft:
    """A message, and how far its delivery has come."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self.message = sender.sink.open(7)
        sender.messages.append(self.message)
        self.call: Call | None = None
        self._reached = threading.Event()
        self._verdict: list[bool] = []  # whether to send the end
        self._decided = trio.Event()
        self._receipt = ""

    @property
    def pending(self) -> int:
        return self.message.pending

    def write(self, data: bytes) -> None:
        self.message.write(data)

    def spill(self) -> None:
        self.message.spill()

    def abort(self) -> None:
        self.message.abort()

    @property
    def description(self) -> str:
        return self.message.description

    async def _before_end(self) -> None:
        self._reached.set()
        await self._decided.wait()
        if not self._verdict[0]:
            raise Withdrawn

    def start(self) -> Call:
        """Begin to send it. It waits before its end for publish() or withdraw()."""
        self.message.finish()
        self.call = self._sender.start(self._sender.sink.send, self.message, self._before_end)
        return self.call

    def offer(self) -> None:
        """Send everything but the end."""
        call = self.start()
        while not (self._reached.wait(0.01) or call.ended):
            pass

    def _decide(self, send: bool) -> None:
        self._verdict.append(send)
        trio.from_thread.run_sync(self._decided.set, trio_token=self._sender.token)

    def publish(self) -> None:
        """Send it, or the rest after offer()."""
        call = self.call or self.start()
        self._decide(True)
        try:
            self._receipt = call.wait()
        finally:
            self.message.abort()

    def withdraw(self) -> None:
        """Let before_end() raise."""
        assert self.call is not None
        self._decide(False)
        with pytest.raises(Withdrawn):
            self.call.wait()

    def receipt(self) -> str:
        return self._receipt


@dataclass
class Sender:
    """A sink, and what it has said."""

    sink: SmtpSink
    token: trio.lowlevel.TrioToken
    said: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    messages: list[OutgoingMessage] = field(default_factory=list)

    def draft(self, message: bytes = MESSAGE, *, exclude_recipients: tuple[str, ...] = ()) -> Draft:
        """A message that is ready to be sent."""
        draft = Draft(self)
        draft.write(message)
        draft.message.exclude_recipients(exclude_recipients)
        return draft

    def send(self, message: bytes = MESSAGE, **how: Any) -> Draft:
        """Deliver a message, as the committer does it."""
        draft = self.draft(message, **how)
        draft.publish()
        return draft

    def send_all(self, *messages: bytes) -> list[Any]:
        """Send messages that wait; return the receipts and errors."""
        waiting = deque(self.draft(message).message for message in messages)
        for message in waiting:
            message.finish()

        async def send_all() -> list[Any]:
            ends: list[Any] = []
            while waiting:
                message = waiting.popleft()
                try:
                    ends.append(
                        await self.sink.send(message, trio.lowlevel.checkpoint, lambda: next(iter(waiting), None))
                    )
                except DeliveryFailed as problem:
                    ends.append(problem)
                finally:
                    message.abort()
            return ends

        ends: list[Any] = self.start(send_all).wait()
        return ends

    def start(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Call:
        return Call(self.token, self.calls, function, *arguments)

    def prepare(self, octets: int = 0) -> None:
        self.start(self.sink.prepare, octets).wait()

    def cancel(self) -> None:
        """Cancel all calls."""
        for call in self.calls:
            call.cancel()

    def close(self) -> None:
        Call(self.token, [], self.sink.close).wait()


@contextmanager
def sending(
    destination: SmtpDestination,
    spool: Path | None = None,
    *,
    password: Callable[[], Secret] | None = None,
    timeout: float | None = None,
    **means: Any,
) -> Iterator[Sender]:
    """Make a sink, and close it in the end. `timeout` takes the place of the destination's."""
    if timeout is not None:
        destination = replace(destination, timeout=timeout)
    said: list[str] = []

    def say(direction: Direction, texts: Iterable[str]) -> None:
        said.extend(f"{direction.value} {text}" for text in texts)

    async def ask() -> Secret:
        return Secret("") if password is None else password()

    recip = means.pop("recip", destination.recipients[0])
    with trio_in_a_thread() as token:
        sink = SmtpSink(destination, recip=recip, spool=str(spool or "/nonexistent"), said=say, password=ask, **means)
        sender = Sender(sink, token, said)
        try:
            yield sender
        finally:
            sender.cancel()
            sender.close()
            for message in sender.messages:
                message.abort()


def failure(
    kind: type[DeliveryFailed],
    match: str,
    destination: SmtpDestination,
    message: bytes | None = MESSAGE,
    said: list[str] | None = None,
    **means: Any,
) -> DeliveryFailed:
    """Return the error with which a delivery fails, or for no message the preparation. `said` gets what was said."""
    with sending(destination, **means) as sender, pytest.raises(kind, match=match) as caught:
        if message is None:
            sender.prepare()
        else:
            sender.send(message)
    assert type(caught.value) is kind
    if said is not None:
        said += sender.said
    return caught.value


@contextmanager
def in_a_thread(call: Callable[[], object]) -> Iterator[list[BaseException | None]]:
    """Make a call in a thread, which has ended when the block has; then the list holds what was raised, or None."""
    ends: list[BaseException | None] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - for the test to look at
            ends.append(error)
        else:
            ends.append(None)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ends
    finally:
        thread.join(PATIENCE)
        if thread.is_alive():
            pytest.fail("the call does not end")
