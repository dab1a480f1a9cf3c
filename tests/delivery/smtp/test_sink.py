"""Delivery by SMTP: what arrives, over which connections, and what is said about it."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from tests.delivery.smtp.receiver import SENDER, Drop, Mail, Say, receiving
from tests.delivery.smtp.sending import MESSAGE, Draft, sending
from tui_popretr.config.choices import Eol
from tui_popretr.config.model import SmtpDestination
from tui_popretr.delivery.filedraft import SPILL
from tui_popretr.delivery.remote import RemoteSink
from tui_popretr.delivery.smtp.sink import SmtpSink
from tui_popretr.errors import (
    DeliveryFailed,
    MessageRejected,
    SmtpServerRefused,
    SmtpServerUnreachable,
    SmtpTemporaryFailure,
)

A, B = "a@receiver.test", "b@receiver.test"


def test_a_message_arrives() -> None:
    with receiving() as receiver, sending(receiver.destination(A, B)) as sender:
        draft = sender.draft()
        assert receiver.connections == 0
        draft.publish()
        assert receiver.mails == [Mail(SENDER, (A, B), MESSAGE)]
        assert draft.description == "SMTP=[a@receiver.test, b@receiver.test]"
        assert draft.receipt() == "; Reply=250 2.0.0 Ok: queued as M1"
        draft.abort()
    assert len(receiver.mails) == 1


def test_the_dialogue_is_told() -> None:
    with receiving(pipelining=False) as receiver, sending(receiver.destination(A), client="retriever.test") as sender:
        sender.send(b"\x1b[31m\r\n")
    assert sender.said == [
        f"event SMTP Connection to 127.0.0.1 port {receiver.port}",
        "<< SMTP 220 receiver.test Python SMTP 1.4.6",
        ">> SMTP EHLO retriever.test",
        "<< SMTP 250-receiver.test",
        "<< SMTP 250-8BITMIME",
        "<< SMTP 250 HELP",
        f">> SMTP MAIL FROM:<{SENDER}>",
        "<< SMTP 250 OK",
        f">> SMTP RCPT TO:<{A}>",
        "<< SMTP 250 OK",
        ">> SMTP DATA",
        "<< SMTP 354 End data with <CR><LF>.<CR><LF>",
        "event SMTP Sent MessageBody octets=7",
        "<< SMTP 250 2.0.0 Ok: queued as M1",
        ">> SMTP QUIT",
        "<< SMTP 221 Bye",
        "event SMTP Disconnect",
    ]


def test_line_ends_and_dots() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        draft = Draft(sender)
        for part in (b".\r\n..\r", b"\n.\rMAIL FROM:<x>\n", b".\n", b"end"):
            draft.write(part)
        draft.publish()
        sender.send(b"")
    assert [mail.content for mail in receiver.mails] == [b".\r\n..\r\n.\r\nMAIL FROM:<x>\r\n.\r\nend\r\n", b"\r\n"]


def test_a_large_message_comes_from_the_spool(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    line = b"." + b"x" * 997 + b"\r\n"
    with receiving() as receiver, sending(receiver.destination(), spool) as sender:
        draft = Draft(sender)
        for _ in range(1000):
            draft.write(line)
            if draft.pending >= SPILL:
                draft.spill()
                assert draft.pending == 0
        before = len(os.listdir("/proc/self/fd"))
        assert list(spool.iterdir()) == []
        draft.publish()
        # the spooled file is closed, and both ends of the connection are open
        assert len(os.listdir("/proc/self/fd")) == before + 1
    assert receiver.mails[0].content == line * 1000


def test_a_spool_that_cannot_be_read_again(tmp_path: Path) -> None:
    """Half a message is neither taken for a whole one nor for the beginning of the next."""
    with receiving() as receiver, sending(receiver.destination(), tmp_path) as sender:
        draft = sender.draft()
        draft.spill()
        broken = mock.patch("os.pread", side_effect=OSError(errno.EIO, "x"))
        with broken, pytest.raises(DeliveryFailed, match="input/output error"):
            draft.publish()
        draft.abort()
        sender.send()
        assert (receiver.connections, len(receiver.mails)) == (2, 1)


# --- the connection -------------------------------------------------------------------------------------------------


def test_one_connection_for_all_messages() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        sender.prepare(0)
        for _ in range(3):
            sender.send()
        sender.prepare(0)
    assert (receiver.connections, len(receiver.mails)) == (1, 3)
    assert len(receiver.commands("QUIT")) == 1
    assert receiver.commands("RSET") == [], "each message ended well"


@pytest.mark.parametrize("how", [Drop(), Say("421 4.4.2 idle for too long", then_drop=True)])
@pytest.mark.parametrize("step", ["MAIL", "RSET", "NOOP"])
def test_a_connection_that_was_closed_in_between_is_made_anew(step: str, how: Drop | Say) -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        sender.send()
        if step == "RSET":
            receiver.on(f"RCPT {A}", Say("450 later"))
            with pytest.raises(SmtpTemporaryFailure, match="450 later"):
                sender.send()
        receiver.on(step, how)
        if step == "NOOP":
            sender.prepare(0)
        sender.send()
        assert (receiver.connections, len(receiver.mails)) == (2, 2)


def test_it_is_made_anew_once() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        sender.send()
        receiver.on("MAIL", Drop(), Drop(), Drop())
        with pytest.raises(SmtpTemporaryFailure, match="closed the connection"):
            sender.send()
        assert receiver.connections == 2


def test_make_ready_needs_a_server_that_takes_mail() -> None:
    with receiving() as receiver:
        gone = receiver.destination()
    with sending(gone) as sender, pytest.raises(SmtpServerUnreachable, match="connection refused") as caught:
        sender.prepare(0)
    assert f"cannot reach the SMTP server 127.0.0.1:{gone.port}" in str(caught.value)
    assert caught.value.exit_code == 69
    nowhere = SmtpDestination(SENDER, (A,), host="no-such-host.invalid")
    with sending(nowhere) as sender, pytest.raises(SmtpServerUnreachable, match="no address was found"):
        sender.prepare(0)
    nowhere = SmtpDestination(SENDER, (A,), socket_path="/nonexistent/lmtp", lmtp=True)
    words = "LMTP server /nonexistent/lmtp: no such file"
    with sending(nowhere) as sender, pytest.raises(SmtpServerUnreachable, match=words):
        sender.prepare(0)


def test_make_ready_needs_room_in_the_spool(tmp_path: Path) -> None:
    with receiving() as receiver, sending(receiver.destination(), tmp_path / "spool") as sender:
        sender.prepare(SPILL)
        assert not (tmp_path / "spool").exists(), "a small message needs none"
        with pytest.raises(DeliveryFailed, match="the disk is full"):
            sender.prepare(2**62)


def test_nothing_is_sent_without_a_recipient_left() -> None:
    with receiving() as receiver, sending(receiver.destination(A, B)) as sender:
        draft = sender.send(exclude_recipients=(B.upper(), A))
        assert draft.receipt() == ""
        unrecorded = sender.draft(exclude_recipients=(A, B))
        unrecorded.offer()
        unrecorded.withdraw()
    assert (receiver.connections, receiver.mails) == (0, [])


def test_after_close_there_is_no_new_connection() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        sender.send()
        sender.close()
        with pytest.raises(SmtpTemporaryFailure, match="the session is ending"):
            sender.send()
        with pytest.raises(SmtpTemporaryFailure):
            sender.prepare(0)
    assert receiver.connections == 1


def test_a_server_that_knows_no_ehlo() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        receiver.on("EHLO", Say("502 what?"))
        sender.send(b"caf\xc3\xa9\r\n")
    assert len(receiver.mails) == 1
    assert receiver.commands("MAIL") == [f"MAIL FROM:<{SENDER}>"]


# --- extensions -----------------------------------------------------------------------------------------------------


def test_eight_bit_and_size() -> None:
    with receiving(size_limit=1000) as receiver, sending(receiver.destination()) as sender:
        sender.send(b"ascii\r\n")
        sender.send(b"caf\xe9\r\n")
        draft = Draft(sender)
        draft.write(b"caf\xc3\xa9")
        draft.write(b"\r\n")
        draft.publish()
    assert [mail.content for mail in receiver.mails] == [b"ascii\r\n", b"caf\xe9\r\n", b"caf\xc3\xa9\r\n"]
    assert receiver.commands("MAIL") == [
        f"MAIL FROM:<{SENDER}> SIZE=7",
        f"MAIL FROM:<{SENDER}> SIZE=6 BODY=8BITMIME",
        f"MAIL FROM:<{SENDER}> SIZE=7 BODY=8BITMIME",
    ]


def test_a_message_larger_than_the_server_takes() -> None:
    with receiving(size_limit=1000) as receiver, sending(receiver.destination()) as sender:
        words = "takes messages of at most 1000 octets, and this one has 1001"
        with pytest.raises(MessageRejected, match=words):
            sender.send(b"x" * 1001)
        with pytest.raises(MessageRejected, match=words):
            sender.prepare(1001)
        assert receiver.commands("MAIL") == []
        sender.send(b"x" * 998 + b"\r\n")
    assert len(receiver.mails) == 1


def test_an_address_that_needs_smtputf8() -> None:
    with receiving(utf8=True) as receiver:
        with sending(receiver.destination("jürgen@bücher.test", A)) as sender:
            sender.send()
        with sending(receiver.destination("a@bücher.test")) as sender:
            sender.send("Subject: ü\r\n".encode())
        with sending(receiver.destination(A, sender="ü@x.test")) as sender:
            sender.send()
    assert [mail.recipients for mail in receiver.mails] == [
        ("jürgen@bücher.test", A),
        ("a@xn--bcher-kva.test",),
        (A,),
    ]
    assert [mail.options for mail in receiver.mails] == [("SMTPUTF8",), ("BODY=8BITMIME",), ("SMTPUTF8",)]


def test_an_address_that_needs_what_the_server_does_not_offer() -> None:
    with receiving() as receiver:
        words = r"jürgen@receiver\.test: 553 the address needs SMTPUTF8"
        with sending(receiver.destination("jürgen@receiver.test")) as sender:
            with pytest.raises(SmtpServerRefused, match=words):
                sender.send()
            assert receiver.commands("RCPT") == []
        words = r"SMTPUTF8, which the sender ü@x\.test needs"
        with sending(receiver.destination(A, sender="ü@x.test")) as sender:
            with pytest.raises(SmtpServerRefused, match=words):
                sender.send()
            assert receiver.commands("MAIL") == [f"MAIL FROM:<{SENDER}>"]
    assert receiver.mails == []


# --- what it is ------------------------------------------------------------------------------------------------------


def sink(destination: SmtpDestination, recip: str = A) -> SmtpSink:
    return SmtpSink(destination, recip=recip, spool="/nonexistent")


def test_the_key() -> None:
    plain = SmtpDestination(SENDER, (A,), host="Mail.Example.net", port=25)
    key = sink(plain).key
    assert key == "smtp:mail.example.net:25/a@receiver.test"
    for same in (
        replace(plain, port=587, starttls=True, username="me"),
        replace(plain, port=465),
        replace(plain, sender="other@x.test"),
        replace(plain, recipients=(A, B)),
    ):
        assert sink(same).key == key
    assert sink(plain, A.upper()).key == key
    others = [
        sink(plain, B),
        sink(replace(plain, host="other.example.net")),
        sink(replace(plain, port=2525)),
        sink(replace(plain, socket_path="/run/lmtp")),
    ]
    assert len({key, *(other.key for other in others)}) == 5
    assert others[-1].key == "smtp:/run/lmtp/a@receiver.test"


def test_each_session_has_a_lane_of_its_own() -> None:
    first: RemoteSink = sink(SmtpDestination(SENDER, (A,)))
    second = sink(SmtpDestination(SENDER, (A,)))
    assert first.eol is Eol.CRLF
    assert first.lane != second.lane


def test_the_receipt_cannot_be_taken_for_another_field() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        receiver.on("DOT", Say("250 ok; Size=1\x1b[2J\x07" + "x" * 2000))
        receipt = sender.send().receipt()
    assert receipt.startswith(r"; Reply=250 ok\x3b Size=1\x1b[2J\x07xxx")
    assert len(receipt) < 400


def test_sinks_do_not_disturb_each_other() -> None:
    """Two sinks at once, as two clients have them."""
    with receiving() as receiver:
        with sending(receiver.destination()) as first, sending(receiver.destination()) as second:
            for sender in (first, second, first, second):
                sender.send()
        assert (receiver.connections, len(receiver.mails)) == (2, 4)
