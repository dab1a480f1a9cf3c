"""A message is offered without its end: it is accepted only when published; if withdrawn, it is never completed."""

from __future__ import annotations

import os
import re
import select
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from tests.delivery.smtp.receiver import SENDER, Drop, Hang, Say, receiving
from tests.delivery.smtp.sending import MESSAGE, Draft, Sender, Stopped, in_a_thread, sending
from tests.delivery.smtp.talker import Line, talking
from tests.support.journals import NOW, open_journals
from tests.support.waiting import PATIENCE, wait_for
from tui_popretr.commit.committer import Committer
from tui_popretr.commit.queue import PendingDelivery
from tui_popretr.config.model import SmtpDestination
from tui_popretr.delivery.smtp.sink import SmtpSink
from tui_popretr.errors import (
    DeliveryFailed,
    JournalError,
    MessageRejected,
    PartlyAccepted,
    PopretrError,
    RecipientsRefused,
    SmtpProtocolError,
    SmtpServerRefused,
    SmtpTemporaryFailure,
)
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, NewRecord
from tui_popretr.journal.thread import JournalThread
from tui_popretr.mail.identity import Identity
from tui_popretr.net.stream import SocketStream

A, B = "a@receiver.test", "b@receiver.test"
LINE = b"." + b"x" * 997 + b"\r\n"
ACCEPTING: list[Line] = [b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]
END = b".\r\n"


def destination(port: int) -> SmtpDestination:
    return SmtpDestination(SENDER, (A,), host="127.0.0.1", port=port)


def large(sender: Sender) -> Draft:
    """A draft of which most is in a file."""
    draft = sender.draft(LINE * 400)
    draft.spill()
    return draft


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


# --- the draft ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("lmtp", [False, True])
def test_what_was_offered_is_taken_when_it_is_published(size: str, lmtp: bool, tmp_path: Path) -> None:
    with receiving(lmtp=lmtp) as receiver, sending(receiver.destination(A), tmp_path) as sender:
        for number in (1, 2):
            draft = sender.draft() if size == "small" else large(sender)
            draft.offer()
            assert len(receiver.commands("DATA")) == number
            assert len(receiver.mails) == number - 1
            draft.publish()
            assert receiver.mails[-1].content == (MESSAGE if size == "small" else LINE * 400)
            assert draft.receipt().startswith("; Reply=250 2.0.0")
    assert (receiver.connections, len(receiver.mails)) == (1, 2)


def test_the_last_piece_travels_with_the_end() -> None:
    """A small message has one piece: it is a single packet."""
    packets: list[bytes] = []

    def take(sock: socket.socket) -> None:
        sock.sendall(b"354 go\r\n")
        packets.append(sock.recv(65536))
        sock.sendall(b"250 ok\r\n")

    with talking([*ACCEPTING[:-1], take]) as port, sending(destination(port)) as sender:
        draft = sender.draft(b"x\r\n")
        draft.offer()
        assert packets == []
        draft.publish()
    assert packets == [b"x\r\n" + END]


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("how", ["withdraw", "cancel", "close"])
def test_what_is_not_published_is_never_completed(size: str, how: str, tmp_path: Path) -> None:
    heard: list[bytes] = []
    again: list[Line] = [*ACCEPTING, b"250 ok\r\n"]
    with talking([*ACCEPTING, b"250 too early\r\n"], again, heard=heard) as port:
        with sending(destination(port), tmp_path) as sender:
            draft = sender.draft() if size == "small" else large(sender)
            draft.offer()
            match how:
                case "withdraw":
                    draft.withdraw()
                case "cancel":
                    sender.cancel()
                case "close":
                    sender.close()
                    with pytest.raises(SmtpTemporaryFailure, match="because the session is ending"):
                        draft.publish()
            wait_for(lambda: b"" in heard, "the end of the connection")
            message = heard[heard.index(b"DATA\r\n") + 1 : heard.index(b"")]
            assert END not in message
            assert bool(message) == (size == "large"), "of a small message nothing is sent before its end"
        with sending(destination(port), tmp_path) as other:
            other.send()  # the talker expects it


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("MAIL", SmtpServerRefused),
        (f"RCPT {A}", RecipientsRefused),
        ("DATA", MessageRejected),
        ("BODY", MessageRejected),
    ],
)
def test_a_refused_offer_is_told_by_publishing(step: str, kind: type[DeliveryFailed], tmp_path: Path) -> None:
    with receiving() as receiver, sending(receiver.destination(A), tmp_path) as sender:
        receiver.on(step, Say("554 5.7.1 not you"))
        draft = sender.draft(LINE * 4000)
        draft.spill()
        draft.offer()
        with pytest.raises(kind, match=r"554 5\.7\.1 not you") as caught:
            draft.publish()
        assert type(caught.value) is kind
        sender.send()
    assert len(receiver.mails) == 1


def test_an_offer_that_some_refuse() -> None:
    with receiving() as receiver, sending(receiver.destination(A, B)) as sender:
        receiver.on(f"RCPT {B}", Say("550 unknown"))
        draft = sender.draft()
        draft.offer()
        assert receiver.mails == []
        with pytest.raises(PartlyAccepted, match="550 unknown") as caught:
            draft.publish()
        assert caught.value.accepted == (A,)
        assert [mail.recipients for mail in receiver.mails] == [(A,)]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"421 4.4.2 you are slow\r\n", SmtpTemporaryFailure, "broke the message off: 421 4.4.2 you are slow"),
        (b"250 ok\r\n", SmtpProtocolError, "accepted a message before it had all of it: 250 ok"),
    ],
)
def test_a_server_that_answers_between_offer_and_end(answer: bytes, kind: type[DeliveryFailed], words: str) -> None:
    offered = threading.Event()

    def answer_early(sock: socket.socket) -> None:
        sock.sendall(b"354 go\r\n")
        assert offered.wait(PATIENCE)
        sock.sendall(answer)

    connections: list[list[Line]] = [[*ACCEPTING[:-1], answer_early], [*ACCEPTING, b"250 ok\r\n"]]
    with talking(*connections) as port, sending(destination(port)) as sender:
        draft = sender.draft()
        draft.offer()
        offered.set()
        connection = sender.sink._connection
        assert connection is not None
        assert isinstance(connection.stream, SocketStream)
        assert select.select([connection.stream._socket], [], [], PATIENCE)[0]
        with pytest.raises(kind, match=re.escape(words)):
            draft.publish()
        assert sender.send().receipt() == "; Reply=250 ok"


def test_an_offer_reopens_an_idle_connection_that_was_closed() -> None:
    with receiving() as receiver, sending(receiver.destination(A)) as sender:
        sender.send()
        receiver.on("MAIL", Drop())
        draft = sender.draft()
        draft.offer()
        draft.publish()
    assert (receiver.connections, len(receiver.mails)) == (2, 2)


@pytest.mark.parametrize("step", ["CONNECT", "MAIL", f"RCPT {A}", "DATA"])
def test_an_offer_that_hangs_can_be_cancelled(step: str) -> None:
    with receiving() as receiver, sending(receiver.destination(A)) as sender:
        receiver.on(step, Hang())
        draft = sender.draft()
        with in_a_thread(draft.offer) as ends:
            wait_for(lambda: not receiver.script[step], step)
            sender.cancel()
            wait_for(lambda: ends, "the end of the offer")
        with pytest.raises(Stopped):
            draft.publish()
        assert sender.sink._connection is None
    assert receiver.mails == []


# --- with the journal -----------------------------------------------------------------------------------------------


@dataclass
class Post:
    """A real committer, with a real journal, before a sink."""

    journal: JournalThread
    committer: Committer
    maildrop: int

    async def deliver(self, destination: SmtpDestination, *messages: bytes) -> list[PopretrError | None]:
        """Return how they ended."""
        sink = SmtpSink(destination, recip=A, spool="/nonexistent")
        lane = self.committer.lane(sink)
        outcomes, ended = trio.open_memory_channel[PendingDelivery](len(messages))
        for number, octets in enumerate(messages, 1):
            message = sink.open(number)
            message.write(octets)
            message.finish()
            record = NewRecord(number, self.maildrop, f"u{number}", 10, Identity(b"d"), True, None, None, "line", NOW)
            await lane.put(PendingDelivery(message, record, outcomes))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.committer.run)
            self.committer.close()
        await sink.close()
        return [ended.receive_nowait().error for _ in messages]

    async def unfinished(self) -> list[int]:
        return [record.id for _, record in await self.journal.run(Journal.delivering)]


@asynccontextmanager
async def post(folder: Path) -> AsyncIterator[Post]:
    async with open_journals(folder) as opened:
        maildrop = await opened.maildrop("smtp:receiver.test")
        yield Post(opened.journal, Committer(opened.recovery, lambda lines: None), maildrop)


@contextmanager
def at_commit(monkeypatch: pytest.MonkeyPatch, look: Callable[[Sequence[NewRecord]], None]) -> Iterator[None]:
    """Let something happen in the journal's thread when a commit begins."""
    real = Journal.commit

    def commit(journal: Journal, delivering: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
        look(delivering)
        real(journal, delivering, delivered)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "commit", commit)
        yield


@trio_test
async def test_the_end_is_sent_when_the_record_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And all else meanwhile: the commit waits here for the offer."""
    with receiving() as receiver:
        arrived: list[int] = []

        def look(delivering: Sequence[NewRecord]) -> None:
            if delivering:
                wait_for(lambda: len(receiver.commands("DATA")) == delivering[0].id, "the offer")
                arrived.append(len(receiver.mails))

        async with post(tmp_path) as office:
            with at_commit(monkeypatch, look):
                messages = (b"0\r\n", b"1\r\n", b"2\r\n")
                assert await office.deliver(receiver.destination(A), *messages) == [None, None, None]
            assert await office.unfinished() == []
    assert arrived == [0, 1, 2]
    assert [mail.content for mail in receiver.mails] == [b"0\r\n", b"1\r\n", b"2\r\n"]
    assert receiver.connections == 1


@trio_test
async def test_a_failed_commit_closes_the_connection_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []

    def look(delivering: Sequence[NewRecord]) -> None:
        wait_for(lambda: b"DATA\r\n" in heard, "the offer")
        raise JournalError("the disk reports an error")

    silent = [*ACCEPTING, b"250 too early\r\n"]
    with talking(silent, heard=heard) as port:
        async with post(tmp_path) as office:
            with at_commit(monkeypatch, look):
                (end,) = await office.deliver(destination(port), b"x\r\n")
            assert isinstance(end, JournalError)
            wait_for(lambda: heard[-1] == b"", "the end of the connection")
            assert END not in heard


@pytest.mark.parametrize("step", ["MAIL", f"RCPT {A}", "DATA"])
@trio_test
async def test_the_record_of_what_was_refused_is_withdrawn(step: str, tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.on(step, Say("554 5.7.1 not this one"))
        async with post(tmp_path) as office:
            ends = await office.deliver(receiver.destination(A), b"1\r\n", b"2\r\n")
            assert await office.unfinished() == []
    assert isinstance(ends[0], DeliveryFailed)
    assert "554 5.7.1 not this one" in str(ends[0])
    assert ends[1:] == [None]
    assert [mail.content for mail in receiver.mails] == [b"2\r\n"]
