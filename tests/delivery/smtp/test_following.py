"""The next message begins with the end of a message (RFC 2920 §3.1): one round trip for each."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.delivery.smtp.receiver import SENDER, Drop, Limits, Receiver, Say, receiving
from tests.delivery.smtp.sending import Draft, Sender, Stopped, sending
from tests.delivery.smtp.talker import Line, talking
from tests.delivery.smtp.test_pipelining import (
    DATA,
    GREETING,
    MAIL,
    OK,
    RCPT_A,
    RCPT_B,
    A,
    B,
    destination,
    in_packets,
    until_closed,
)
from tests.delivery.smtp.test_sessions import contents, mail, retrieving
from tests.support.waiting import wait_for
from tui_popretr.errors import (
    ConnectionCut,
    DeliveryFailed,
    MessageRejected,
    SmtpProtocolError,
    SmtpServerRefused,
    SmtpTemporaryFailure,
)
from tui_popretr.net.stream import SocketStream

TAKEN = "; Reply=250 ok"
GO = b"354 go\r\n"
X, Y, Z = b"x\r\n", b"y\r\n", b"z\r\n"
UTF8 = "Subject: Prüfung\r\n\r\n.x\r\n".encode()


def bodies(receiver: Receiver) -> list[bytes]:
    return [mail.content for mail in receiver.mails]


def kinds(ends: list[Any]) -> list[type]:
    return [type(end) for end in ends]


# --- what is sent -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lmtp", "recipients", "rcpt"), [(False, (A,), RCPT_A), (True, (A, B), RCPT_A + RCPT_B)])
def test_one_round_trip_for_each(lmtp: bool, recipients: tuple[str, ...], rcpt: bytes) -> None:
    packets: list[bytes] = []
    accepted, verdicts = OK + OK * len(recipients) + GO, OK * len(recipients if lmtp else (A,))

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"250-hi\r\n250 PIPELINING\r\n")
        in_packets([accepted, verdicts + accepted, verdicts + accepted, verdicts], packets)(sock)

    with talking([b"220 hi\r\n", serve]) as port, sending(destination(port, *recipients, lmtp=lmtp)) as sender:
        assert sender.send_all(X, Y, Z) == [TAKEN] * 3
        where = next(number for number, line in enumerate(sender.said) if "Sent MessageBody" in line)
        assert sender.said[where + 1].endswith(f"MAIL FROM:<{SENDER}>")
    envelope = MAIL + rcpt + DATA
    assert packets == [envelope, X + b".\r\n" + envelope, Y + b".\r\n" + envelope, Z + b".\r\n"]


def test_without_pipelining_the_end_is_alone() -> None:
    packets: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"250 hi\r\n")
        in_packets([OK, OK, GO, OK] * 2, packets)(sock)

    with talking([b"220 hi\r\n", serve]) as port, sending(destination(port)) as sender:
        assert sender.send_all(X, Y) == [TAKEN] * 2
    assert packets == [MAIL, RCPT_A, DATA, X + b".\r\n", MAIL, RCPT_A, DATA, Y + b".\r\n"]


def test_with_many_recipients_a_part_of_the_envelope() -> None:
    recipients = [f"{'r' * 40}{number}@receiver.test" for number in range(150)]
    with receiving() as receiver, sending(receiver.destination(*recipients)) as sender:
        assert len(sender.send_all(X, Y)) == 2
    assert [len(each.recipients) for each in receiver.mails] == [150, 150]
    assert receiver.connections == 1


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        # MAIL, RCPT, DATA of the second message; the third needs RSET first
        ([b"550 who\r\n", b"503 no\r\n", b"503 no\r\n"], SmtpServerRefused, "refused the sender"),
        ([OK, b"550 5.7.1 no relaying\r\n", b"503 no\r\n"], SmtpServerRefused, "no relaying"),
        ([OK, OK, b"554 5.6.0 no\r\n"], MessageRejected, "refused the message: 554"),
    ],
)
def test_a_refused_envelope_concerns_its_message_only(
    answers: list[Line], kind: type[DeliveryFailed], words: str
) -> None:
    heard: list[bytes] = []
    first: list[Line] = [*GREETING, OK, OK, GO, OK]
    with talking([*first, *answers, OK, OK, OK, GO, OK], heard=heard) as port, sending(destination(port)) as sender:
        ends = sender.send_all(X, Y, Z)
    assert (ends[0], type(ends[1]), ends[2]) == (TAKEN, kind, TAKEN)
    assert words in str(ends[1])
    assert heard[4:10] == [X, b".\r\n", MAIL, RCPT_A, DATA, b"RSET\r\n"]


def test_a_refused_end_concerns_its_message_only() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        receiver.on("DOT", Say("554 5.7.1 spam"))
        ends = sender.send_all(X, Y, Z)
    assert kinds(ends) == [MessageRejected, str, str]
    assert (bodies(receiver), receiver.connections) == ([Y, Z], 1)


def test_421_at_the_end() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        receiver.on("DOT", Say("421 4.3.2 shutting down", then_drop=True))
        ends = sender.send_all(X, Y, Z)
    assert kinds(ends) == [SmtpTemporaryFailure, str, str]
    assert (bodies(receiver), receiver.connections) == ([Y, Z], 2)


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("words", ["452 4.3.2 enough", "421 4.7.0 enough"])
def test_three_messages_in_a_connection(words: str, at: str) -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        receiver.limits = Limits(messages=3, at=at, no_more=words)
        ends = sender.send_all(*[X] * 10)
        assert not any("does not work" in line for line in sender.said)
    assert kinds(ends) == [str] * 10
    assert (receiver.connections, len(receiver.mails)) == (4, 10)


def test_a_message_that_is_too_large_is_not_begun() -> None:
    with receiving(size_limit=1000) as receiver, sending(receiver.destination()) as sender:
        ends = sender.send_all(X, X * 1000, Z)
    assert kinds(ends) == [str, MessageRejected, str]
    assert (bodies(receiver), receiver.connections, len(receiver.commands("MAIL"))) == ([X, Z], 1, 2)


# --- several transactions for a message -------------------------------------------------------------------------------


@pytest.mark.parametrize("lmtp", [False, True])
def test_the_next_message_begins_with_the_last_transaction(lmtp: bool) -> None:
    members = tuple(f"m{number}@receiver.test" for number in range(5))
    with receiving(lmtp=lmtp) as receiver, sending(receiver.destination(*members)) as sender:
        receiver.limits = Limits(recipients=2)
        ends = sender.send_all(X, Y)
    assert kinds(ends) == [str, str]
    assert [(mail.content, len(mail.recipients)) for mail in receiver.mails] == [
        (body, count) for body in (X, Y) for count in (2, 2, 1)
    ]
    assert receiver.connections == 1


def test_what_was_begun_is_dropped_for_another_transaction() -> None:
    """The server wants SMTPUTF8: it says so after the end."""
    with receiving(utf8=True) as receiver, sending(receiver.destination()) as sender:
        receiver.on("DOT", Say("554 5.6.7 SMTPUTF8 required"))
        ends = sender.send_all(UTF8, Y)
    assert kinds(ends) == [str, str]
    assert (bodies(receiver), receiver.connections) == ([UTF8, Y], 2)


# --- servers with which it does not work ------------------------------------------------------------------------------

IMPATIENT = 0.3
REDUCED = "PIPELINING does not work after the end of a message"


def reduced(sender: Sender) -> int:
    return sum(REDUCED in line for line in sender.said)


@pytest.mark.parametrize("lmtp", [False, True])
def test_a_server_that_drops_what_follows_the_end(lmtp: bool) -> None:
    with receiving(lmtp=lmtp) as receiver:
        receiver.limits = Limits(deaf_after_end=True)
        with sending(receiver.destination(), timeout=IMPATIENT) as sender:
            assert kinds(sender.send_all(X, Y, Z)) == [str] * 3
            assert (bodies(receiver), receiver.connections, reduced(sender)) == ([X, Y, Z], 2, 1)
        with sending(receiver.destination(), timeout=IMPATIENT) as later:
            assert kinds(later.send_all(X, Y)) == [str] * 2
            assert reduced(later) == 0, "this process remembers the server"
        assert receiver.connections == 3
        assert not any("one command at a time" in line for line in sender.said + later.said)


def test_a_server_that_closes_instead_of_a_verdict() -> None:
    """The first message may come twice, and no further one."""
    with receiving() as receiver, sending(receiver.destination()) as sender:
        receiver.on("DOT", Drop())
        ends = sender.send_all(X, Y, Z)
        assert kinds(ends) == [SmtpTemporaryFailure, str, str]
        assert "get it twice" in str(ends[0])
        assert (bodies(receiver), receiver.connections, reduced(sender)) == ([Y, Z], 2, 1)
    with sending(receiver.destination()) as later:
        assert later.sink._pipelining.end_alone


@pytest.mark.parametrize("last", [GO, until_closed])
@pytest.mark.parametrize("extra", [OK, OK * 2, b"garbage\r\n"])
def test_a_server_that_answers_too_much(extra: bytes, last: Line) -> None:
    """No answer is taken for one to the next message."""
    heard: list[bytes] = []
    first: list[Line] = [*GREETING, OK, OK, GO, OK + extra, OK, OK, last]
    second: list[Line] = [*GREETING, OK, OK, GO, OK, OK, OK, GO, OK]
    with talking(first, second, heard=heard) as port, sending(destination(port)) as sender:
        assert sender.send_all(X, Y, Z) == [TAKEN] * 3
    assert heard.count(Y) == heard.count(Z) == 1


def test_a_connection_that_is_closed_after_the_verdict() -> None:
    good: list[Line] = [*GREETING, OK, OK, GO, OK]
    with talking(good, good) as port, sending(destination(port)) as sender:
        assert sender.send_all(X, Y) == [TAKEN] * 2
        assert reduced(sender) == 0


def test_a_connection_that_breaks_behind_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has the end and answers it, but not the envelope behind it."""
    real = SocketStream.send_nowait

    def send_nowait(stream: SocketStream, data: bytes) -> int:
        end, behind, _ = data.partition(b"\r\n.\r\n")
        if behind and data.endswith(DATA):
            real(stream, end + behind)
            raise ConnectionCut("the connection broke")
        return real(stream, data)

    monkeypatch.setattr(SocketStream, "send_nowait", send_nowait)
    good: list[Line] = [*GREETING, OK, OK, GO, OK]
    with talking(good, good) as port, sending(destination(port)) as sender:
        assert sender.send_all(X, Y) == [TAKEN] * 2


# --- what was begun and is not sent -----------------------------------------------------------------------------------


def begun(sender: Sender, octets: bytes = Y) -> Draft:
    """Send X; return a message that was begun with its end."""
    first, following = sender.draft(X).message, sender.draft(octets)
    first.finish()
    sender.start(sender.sink.send, first, trio.lowlevel.checkpoint, lambda: following.message).wait()
    assert sender.sink._begun is not None
    return following


def test_another_message_than_was_begun() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        begun(sender)
        sender.send(Z)
    assert (bodies(receiver), receiver.connections) == ([X, Z], 2)


def test_close_drops_what_was_begun() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        begun(sender)
        sender.close()
        assert sender.sink._connection is None
        wait_for(lambda: len(receiver.commands("MAIL")) == 2, "the second MAIL")
    assert bodies(receiver) == [X]
    assert receiver.commands("QUIT") == []


def test_prepare_keeps_what_was_begun() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        draft = begun(sender)
        sender.prepare(100)
        draft.publish()
    assert (bodies(receiver), receiver.connections, receiver.commands("NOOP")) == ([X, Y], 1, [])


def test_a_begun_message_that_is_answered_too_early(tmp_path: Path) -> None:
    """It is not sent again over another connection: the server may have accepted it."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(GO)
        sock.recv(1000)
        sock.sendall(OK)
        until_closed(sock)

    with (
        talking([*GREETING, OK, OK, GO, OK, OK, OK, answer]) as port,
        sending(destination(port), tmp_path / "spool") as sender,
    ):
        draft = begun(sender, b"x" * (16 << 20))
        draft.spill()
        with pytest.raises(SmtpProtocolError, match="accepted a message before it had all of it"):
            draft.publish()


def test_a_begun_message_that_is_withdrawn() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        draft = begun(sender)
        draft.offer()
        draft.withdraw()
        sender.send(Z)
    assert bodies(receiver) == [X, Z]


def test_a_begun_message_that_is_cancelled() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        draft = begun(sender)
        draft.offer()
        sender.cancel()
        with pytest.raises(Stopped):
            draft.publish()
        sender.send(Z)
    assert bodies(receiver) == [X, Z]


def test_nothing_is_begun_before_the_end_may_be_sent() -> None:
    asked: list[str] = []

    async def before_end() -> None:
        await trio.lowlevel.checkpoint()
        asked.append("before_end")

    def following() -> None:
        asked.append("following")

    with receiving() as receiver, sending(receiver.destination()) as sender:
        message = sender.draft(X).message
        message.finish()
        sender.start(sender.sink.send, message, before_end, following).wait()
    assert asked == ["before_end", "following"]


# --- the whole program ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lmtp", [False, True])
def test_all_messages_of_a_run(lmtp: bool, tmp_path: Path) -> None:
    with receiving(lmtp=lmtp) as receiver, retrieving(tmp_path, receiver, 30) as (site, box):
        result = site.run().results["id1"]
        assert result.ok, result.error
        assert contents(receiver) == [mail(number) for number in range(30)]
        assert (receiver.connections, box.messages) == (1, [])
