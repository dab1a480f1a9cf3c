"""Delivered-To fields are removed before a message is sent, if that is configured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.smtp.receiver import receiving
from tests.delivery.smtp.sending import Draft, sending
from tests.program.site import Site, client
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, QuitFault, ServedMaildrop
from tests.support.popserver_thread import running_server
from tui_popretr.delivery.filedraft import SPILL

DELIVERED = b"Delivered-To: a@receiver.test\r\n folded\r\n"
FIELDS = b"From: x@sender.test\r\nMessage-ID: <1@sender.test>\r\n"
BODY = b"\r\nDelivered-To: text\r\n.\r\n"


@pytest.mark.parametrize("lmtp", [False, True])
@pytest.mark.parametrize("dropped", [True, False])
def test_only_where_it_is_asked_for(lmtp: bool, dropped: bool) -> None:
    message = DELIVERED + FIELDS + DELIVERED.upper() + BODY
    with receiving(lmtp=lmtp) as receiver, sending(receiver.destination(drop_delivered=dropped)) as sender:
        for size in (len(message), 1, 7):
            draft = Draft(sender)
            for at in range(0, len(message), size):
                draft.write(message[at : at + size])
            draft.offer()
            draft.publish()
    expected = FIELDS + BODY if dropped else message
    assert [mail.content for mail in receiver.mails] == [expected] * 3


def test_the_size_is_that_of_what_is_sent() -> None:
    message = DELIVERED + FIELDS + BODY
    with receiving(size_limit=1000) as receiver, sending(receiver.destination(drop_delivered=True)) as sender:
        sender.send(message)
        sender.send(FIELDS + b"Delivered-To: " + b"x" * 2000 + b"\r\n" + BODY)
    size = len(FIELDS + BODY)
    assert [line.partition(" SIZE=")[2] for line in receiver.commands("MAIL")] == [str(size)] * 2


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (b"Subject: x\r\nDelivered-To: y\r\n", b"Subject: x\r\n"),
        (b"Subject: x\r\nDelivered-To: y", b"Subject: x\r\n"),
        (b"Subject: x\r\nDelivered", b"Subject: x\r\nDelivered\r\n"),
        (b"Delivered-To: y\r\n", b"\r\n"),
        (b"A: b\rDelivered-To: y\r\r\nDelivered-To: z", b"A: b\r\n\r\nDelivered-To: z\r\n"),
    ],
)
def test_messages_that_end_in_their_header(message: bytes, sent: bytes) -> None:
    with receiving() as receiver, sending(receiver.destination(drop_delivered=True)) as sender:
        sender.send(message)
    assert receiver.mails[0].content == sent


def test_a_large_message_is_spooled_without_them(tmp_path: Path) -> None:
    header = DELIVERED * 4000 + FIELDS + DELIVERED * 4000
    body = b"\r\n" + (b"x" * 98 + b"\r\n") * 5000
    with receiving() as receiver, sending(receiver.destination(drop_delivered=True), tmp_path / "spool") as sender:
        draft = Draft(sender)
        message = header + body
        for at in range(0, len(message), 4096):
            draft.write(message[at : at + 4096])
            if draft.pending >= SPILL:
                draft.spill()
        assert (tmp_path / "spool").exists()
        draft.publish()
    assert receiver.mails[0].content == FIELDS + body


def test_what_is_remembered_is_the_message_as_received(tmp_path: Path) -> None:
    """The deletion is owed after the first run; the second recognises the message by its hash, and deletes it."""
    box = ServedMaildrop("me", PASSWORD)
    message = FIELDS.replace(b"Message-ID", b"X-ID") + DELIVERED + BODY
    box.add(message)
    site = Site(tmp_path / "site")
    faults = Faults(quit=QuitFault.CUT_BEFORE_UPDATE)
    with running_server([box], faults=faults) as pop, receiving() as receiver:
        for attribute in (' dropdelivered="Y"', ""):
            smtp = f"<smtp{attribute}><sender>me</sender><address>127.0.0.1:{receiver.port}</address></smtp>"
            site.configure(client("a@receiver.test", pop.address, user="me", password=PASSWORD, inside=smtp))
            site.run()
            assert len(box.messages) == (1 if faults.quit is QuitFault.CUT_BEFORE_UPDATE else 0)
            faults.quit = QuitFault.NONE
    (mail,) = receiver.mails
    assert b"Delivered-To: a@" not in mail.content
    (line,) = site.audit()
    assert f"; Size={len(message)}; " in line
