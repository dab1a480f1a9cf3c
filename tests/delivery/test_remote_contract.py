"""One contract for every destination that is a server or a command: open, prepare, send, close."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import trio_test

from tests.delivery.imap.mailbox import serving
from tests.delivery.making import JOURNAL, client
from tests.delivery.smtp.receiver import receiving
from tests.support.gmail import ACCOUNT, SCOPES, TOKEN, FakeGmail
from tests.support.gmail_serving import running_gmail
from tui_popretr.config.model import CommandDestination, Destination, GmailDestination
from tui_popretr.delivery.filedraft import SPILL
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.remote import RemoteSink
from tui_popretr.delivery.sinks import SinkEnvironment, sink_for
from tui_popretr.errors import DeliveryFailed
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret

LINE = b"x" * 98 + b"\r\n"


@dataclass(frozen=True, slots=True)
class Place:
    """A destination under test. `arrived` returns what it has accepted."""

    destination: Destination
    spool: Path
    arrived: Callable[[], list[bytes]]

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[RemoteSink]:
        sink = sink_for(client(self.destination), JOURNAL, SinkEnvironment(spool=str(self.spool), tokens=_tokens))
        assert isinstance(sink, RemoteSink)
        try:
            yield sink
        finally:
            await sink.close()


async def _tokens() -> Tokens:
    return Tokens(Secret(TOKEN), None, None, SCOPES, ACCOUNT, 0.0)


@pytest.fixture(params=["smtp", "lmtp", "imap", "gmail", "command"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    spool = tmp_path / "store" / "spool"
    with ExitStack() as stack:
        if request.param == "command":
            taken = tmp_path / "taken"
            taken.mkdir()
            save = 'file=$(mktemp "$0/XXXXXXXX") && cat >"$file"'
            destination: Destination = CommandDestination(("sh", "-c", save, str(taken)))
            yield Place(destination, spool, lambda: [path.read_bytes() for path in taken.iterdir()])
            return
        if request.param == "imap":
            mailbox = stack.enter_context(serving())
            yield Place(mailbox.destination(), spool, lambda: list(mailbox.contents))
            return
        if request.param == "gmail":
            gmail = FakeGmail()
            gmail.needs_header = False
            url = stack.enter_context(running_gmail(gmail))
            yield Place(GmailDestination(ACCOUNT, url=url), spool, lambda: gmail.raw)
            return
        receiver = stack.enter_context(receiving(lmtp=request.param == "lmtp"))
        yield Place(receiver.destination(), spool, lambda: [mail.content for mail in receiver.mails])


def message(sink: RemoteSink, *parts: bytes, spill: bool = False) -> OutgoingMessage:
    made = sink.open(7)
    for part in parts:
        made.write(part)
    if spill:
        made.spill()
    made.finish()
    return made


async def send(sink: RemoteSink, *parts: bytes, spill: bool = False) -> str:
    made = message(sink, *parts, spill=spill)
    try:
        return await sink.send(made, trio.lowlevel.checkpoint)
    finally:
        made.abort()


@trio_test
async def test_every_kind_keeps_the_contract(place: Place) -> None:
    async with place.sink() as sink:
        await sink.prepare(0)
        made = message(sink, b"Subject: x\r", b"\n\r\n", b".\r\n..\r\ntext\r\n")
        assert (made.record_id, made.pending, made.tmp, made.final) == (7, 27, None, None)
        assert made.description.startswith(("SMTP=[", "IMAP=INBOX", "Account=", "Command=sh"))
        assert (await sink.send(made, trio.lowlevel.checkpoint)).startswith(("; Reply=", "; UID=", "")), (
            "for the audit line"
        )
        made.abort()
        await sink.close()
    assert place.arrived() == [b"Subject: x\r\n\r\n.\r\n..\r\ntext\r\n"]


@trio_test
async def test_opening_and_writing_touch_no_disk(place: Place) -> None:
    async with place.sink() as sink:
        made = message(sink, b"x" * (2 * SPILL))
        assert made.pending == 2 * SPILL
        made.abort()
    assert not place.spool.exists()


@trio_test
async def test_a_large_message_comes_from_the_spool(place: Place) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with place.sink() as sink:
        await send(sink, LINE * 3000, LINE * 3000, spill=True)
    assert place.arrived() == [LINE * 6000]
    assert list(place.spool.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # the receiver's end of the connection


@trio_test
async def test_nothing_is_accepted_before_before_end(place: Place) -> None:
    accepted: list[int] = []

    async def before_end() -> None:
        await trio.lowlevel.checkpoint()
        accepted.append(len(place.arrived()))

    async with place.sink() as sink:
        for number in (1, 2):
            made = message(sink, b"x\r\n")
            await sink.send(made, before_end)
            made.abort()
            assert len(place.arrived()) == number
    assert accepted == [0, 1], "it is awaited once for each message"


@pytest.mark.parametrize("spill", [False, True])
@trio_test
async def test_messages_that_follow(place: Place, spill: bool) -> None:
    """The sink may ask for the next message, but only when the end of the one before may be sent."""
    recorded: list[int] = []
    async with place.sink() as sink:
        messages = [message(sink, b"%d\r\n" % number, spill=spill) for number in range(5)]
        for number, made in enumerate(messages):

            async def before_end(number: int = number) -> None:
                await trio.lowlevel.checkpoint()
                recorded.append(number)

            def following(number: int = number) -> OutgoingMessage | None:
                assert recorded[-1] == number
                return messages[number + 1] if number < 4 else None

            await sink.send(made, before_end, following)
            made.abort()
            assert sorted(place.arrived()) == [b"%d\r\n" % each for each in range(number + 1)]


@pytest.mark.parametrize("spill", [False, True])
@trio_test
async def test_the_error_of_before_end_is_passed_on(place: Place, spill: bool) -> None:
    class NotRecordedError(Exception):
        pass

    async def before_end() -> None:
        await trio.lowlevel.checkpoint()
        raise NotRecordedError

    async with place.sink() as sink:
        made = message(sink, LINE * 3000, spill=spill)
        with pytest.raises(NotRecordedError):
            await sink.send(made, before_end)
        made.abort()
        assert place.arrived() == []
        await send(sink, b"next\r\n")
    assert place.arrived() == [b"next\r\n"]


@trio_test
async def test_a_message_cancelled_before_its_end_is_not_accepted(place: Place) -> None:
    async with place.sink() as sink:
        made = message(sink, LINE * 3000)
        with trio.CancelScope() as scope:

            async def before_end() -> None:
                scope.cancel()
                await trio.lowlevel.checkpoint()

            await sink.send(made, before_end)
        assert scope.cancelled_caught
        made.abort()
        assert place.arrived() == []
        await sink.prepare(0)
        await send(sink, b"next\r\n")
    assert place.arrived() == [b"next\r\n"]


@pytest.mark.parametrize("use", [1, 2])
@trio_test
async def test_no_thread_can_be_started(place: Place, use: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the message is certainly not accepted, and the next one is."""
    real, uses = trio.to_thread.run_sync, 0

    async def run_sync(*arguments: Any, **options: Any) -> Any:
        nonlocal uses
        uses += 1
        if uses == use:
            raise RuntimeError("can't start new thread")
        return await real(*arguments, **options)

    async with place.sink() as sink:
        await sink.prepare(0)
        with monkeypatch.context() as patch:
            patch.setattr(trio.to_thread, "run_sync", run_sync)
            with pytest.raises(DeliveryFailed, match="the limit of processes and threads is too low"):
                await send(sink, LINE, spill=True)
        assert place.arrived() == []
        await send(sink, LINE, spill=True)
    assert place.arrived() == [LINE]


@trio_test
async def test_prepare_needs_room_in_the_spool(place: Place) -> None:
    async with place.sink() as sink:
        with pytest.raises(DeliveryFailed, match="the disk is full"):
            await sink.prepare(2**62)
        await sink.prepare(SPILL)


@trio_test
async def test_after_close_nothing_is_sent(place: Place) -> None:
    async with place.sink() as sink:
        await send(sink, b"x\r\n")
        await sink.close()
        await sink.close()
        with pytest.raises(DeliveryFailed, match="because the session is ending"):
            await send(sink, b"y\r\n")
    assert place.arrived() == [b"x\r\n"]


@trio_test
async def test_close_works_in_a_cancelled_scope(place: Place) -> None:
    async with place.sink() as sink:
        await sink.prepare(0)
        with trio.CancelScope() as scope:
            scope.cancel()
            await sink.close()
        with pytest.raises(DeliveryFailed):
            await sink.prepare(0)
