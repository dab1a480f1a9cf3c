"""Delivery by LMTP into a real Dovecot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.delivery.smtp import dovecot
from tests.delivery.smtp.dovecot import LmtpServer
from tests.delivery.smtp.sending import failure, sending
from tui_popretr.errors import PartlyAccepted, RecipientsRefused, SmtpTemporaryFailure

pytestmark = pytest.mark.dovecot

MESSAGE = b"Received: from pop.test\r\nSubject: x\r\n\r\n.\r\n..\r\n\xff\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[LmtpServer]:
    dovecot.require()
    with LmtpServer("a", "b", "c", "d", "e") as made:
        yield made


def as_sent(stored: bytes) -> bytes:
    """Return a stored message without what Dovecot put before it, with CRLF."""
    return stored[stored.index(b"Received: from pop.test\n") :].replace(b"\n", b"\r\n")


@pytest.mark.parametrize("unix", [False, True])
def test_messages_arrive(server: LmtpServer, unix: bool) -> None:
    before = len(server.mailbox("d"))
    with sending(server.destination("d", unix=unix)) as sender:
        sender.prepare(0)
        receipts = [sender.send(MESSAGE).receipt() for _ in range(3)]
    assert all(receipt.startswith("; Reply=250 2.0.0 <d@receiver.test> ") for receipt in receipts)
    assert [as_sent(stored) for stored in server.mailbox("d")[before:]] == [MESSAGE] * 3
    assert sum("Connection to" in line for line in sender.said) == (not unix)


def test_one_of_three_refused_after_the_end(server: LmtpServer) -> None:
    server.obstruct("b")
    words = r"LMTP .* a@receiver\.test, c@receiver\.test accepted it, others did not: b@receiver\.test: 4"
    error = failure(PartlyAccepted, words, server.destination("a", "b", "c"), MESSAGE)
    assert isinstance(error, PartlyAccepted)
    assert error.accepted == ("a@receiver.test", "c@receiver.test")
    failure(SmtpTemporaryFailure, r"refused it for b@receiver\.test: 4", server.destination("b"), MESSAGE)
    server.mend("b")
    with sending(server.destination("a", "b", "c")) as sender:
        sender.send(MESSAGE, exclude_recipients=error.accepted)
    assert [len(server.mailbox(user)) for user in "abc"] == [1, 1, 1]


def test_a_user_that_there_is_not(server: LmtpServer) -> None:
    error = failure(PartlyAccepted, "nobody@receiver.test: 550 5.1.1 ", server.destination("nobody", "e"), MESSAGE)
    assert isinstance(error, PartlyAccepted)
    assert error.accepted == ("e@receiver.test",)
    failure(RecipientsRefused, "550 5.1.1 ", server.destination("nobody"), MESSAGE)
    assert [as_sent(stored) for stored in server.mailbox("e")] == [MESSAGE]


def test_no_second_message_is_smuggled_in(server: LmtpServer) -> None:
    before = len(server.mailbox("d"))
    with sending(server.destination("d")) as sender:
        for end in (b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\r"):
            sender.send(MESSAGE + b"text" + end + b"MAIL FROM:<>\r\nRCPT TO:<a@receiver.test>\r\nDATA\r\n\r\nx" + end)
    assert len(server.mailbox("d")) == before + 4
