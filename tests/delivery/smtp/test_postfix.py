"""Delivery into a real Postfix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.delivery.smtp import postfix
from tests.delivery.smtp.postfix import LOCAL_USER, SENDER, SIZE_LIMIT, Postfix
from tests.delivery.smtp.sending import failure, sending
from tests.program.site import Site, client
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tests.support.waiting import wait_for
from tui_popretr.errors import MessageRejected, PartlyAccepted, RecipientsRefused, SmtpServerRefused

pytestmark = pytest.mark.root

#: Complete: what is missing Postfix adds to mail from its own machine.
FIELDS = (
    b"From: x@sender.test\r\nMessage-ID: <1@sender.test>\r\nDate: Mon, 23 Nov 2026 07:27:59 +0000\r\nSubject: x\r\n\r\n"
)
HEADER = b"Received: from pop.test\r\n" + FIELDS


@pytest.fixture(scope="module")
def server() -> Iterator[Postfix]:
    postfix.require()
    with Postfix(
        "dots", "smuggle", "bytes", "large", "alice", "bob", "utf8", "kept", "dkim", "pop", "tls", "looped", "popretr"
    ) as made:
        yield made


def as_sent(stored: bytes) -> bytes:
    """Return a stored message without what Postfix put before it, with CRLF."""
    sent = stored[stored.index(b"Received: from pop.test\n") :]
    return sent.replace(b"\n", b"\r\n")


def test_dots_and_line_ends(server: Postfix) -> None:
    message = HEADER + b".\r\n..\r\n.x\r\n\r\nend\r\n"
    with sending(server.destination("dots")) as sender:
        assert sender.send(message).receipt().startswith("; Reply=250 2.0.0 Ok: queued as ")
    (stored,) = server.mailbox("dots", 1)
    assert as_sent(stored) == message


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r"])
def test_no_second_message_is_smuggled_in(server: Postfix, end: bytes) -> None:
    inner = b"MAIL FROM:<evil@sender.test>\r\nRCPT TO:<alice@receiver.test>\r\nDATA\r\nFrom: evil\r\n\r\nboo"
    before = len(server.mailbox("smuggle", 0)) if (server._folder / "mail/smuggle/new").is_dir() else 0
    with sending(server.destination("smuggle")) as sender:
        sender.send(HEADER + b"text" + end + inner + end + b"QUIT\r\n")
        sender.send(HEADER)
    stored = server.mailbox("smuggle", before + 2)
    assert len(stored) == before + 2
    assert sum(b"MAIL FROM:<evil@sender.test>" in each for each in stored) == before // 2 + 1
    assert "evil" not in server.log_text()


def test_bytes_are_not_encoded_anew(server: Postfix) -> None:
    every = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")
    message = HEADER + every + b"\r\n" + b"x" * 900 + b"\r\n"
    with sending(server.destination("bytes")) as sender:
        sender.send(message)
    assert as_sent(server.mailbox("bytes", 1)[0]) == message


def test_a_large_message(server: Postfix, tmp_path: Path) -> None:
    message = HEADER + (b"x" * 98 + b"\r\n") * 15_000
    with sending(server.destination("large"), tmp_path) as sender:
        draft = sender.draft(message)
        draft.spill()
        draft.publish()
    assert as_sent(server.mailbox("large", 1)[0]) == message
    words = f"takes messages of at most {SIZE_LIMIT} octets"
    failure(MessageRejected, words, server.destination("large"), message + message)


def test_a_user_that_there_is_not(server: Postfix) -> None:
    destination = server.destination("alice", "nobody", "bob")
    words = "alice@receiver.test, bob@receiver.test accepted it, others did not: nobody@receiver.test: 550 5.1.1 "
    error = failure(PartlyAccepted, words, destination)
    assert isinstance(error, PartlyAccepted)
    assert error.accepted == ("alice@receiver.test", "bob@receiver.test")
    failure(RecipientsRefused, "550 5.1.1 <nobody@receiver.test>", server.destination("nobody"))
    assert len(server.mailbox("alice", 1)) == len(server.mailbox("bob", 1)) == 1


def test_a_header_in_utf8(server: Postfix) -> None:
    """SMTPUTF8 is not asked for: what is not passed on to others without it would bounce, where it now arrives."""
    message = HEADER.replace(b"Subject: x", "Subject: früh".encode())
    with sending(server.destination("utf8")) as sender:
        sender.send(message)
    assert as_sent(server.mailbox("utf8", 1)[0]) == message


def test_starttls(server: Postfix) -> None:
    with sending(server.destination("tls", starttls=True)) as sender:
        sender.send(HEADER)
        assert any(line.startswith("event SMTP TLS (TLSv1.3") for line in sender.said)
    assert b"(using TLSv1.3 with cipher" in server.mailbox("tls", 1)[0]


def test_a_connection_that_was_idle_too_long() -> None:
    postfix.require()
    with Postfix("kept", timeout=1) as impatient, sending(impatient.destination("kept")) as sender:
        sender.send(HEADER)
        wait_for(lambda: "timeout after END-OF-MESSAGE" in impatient.log_text(), "the end of Postfix's patience")
        sender.send(HEADER)
        assert len(impatient.mailbox("kept", 2)) == 2
        assert sum("Connection to" in line for line in sender.said) == 2


def test_a_signature_holds(server: Postfix) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    message = b"From: x@sender.test\r\nTo: me@receiver.test\r\nSubject:  odd   white\t space\r\n\r\n.dots\r\n\r\n\r\n"
    signature = dkim.sign(message, b"s", b"sender.test", private, canonicalize=(b"simple", b"simple"))
    with sending(server.destination("dkim")) as sender:
        sender.send(b"Received: from pop.test\r\n" + signature + message)
    stored = as_sent(server.mailbox("dkim", 1)[0])

    def record(name: bytes, timeout: int = 5) -> bytes:
        from base64 import b64encode

        return b"v=DKIM1; k=rsa; p=" + b64encode(public)

    assert dkim.verify(stored, dnsfunc=record)
    assert not dkim.verify(stored.replace(b".dots", b"..dots"), dnsfunc=record)


def test_from_a_pop3_server(server: Postfix, tmp_path: Path) -> None:
    box = ServedMaildrop("me", PASSWORD)
    sent = [FIELDS + b".\xff %d\r\n" % number for number in range(50)]
    for message in sent:
        box.add(message)
    site = Site(tmp_path / "site")
    with running_server([box]) as pop:
        smtp = f"<smtp><sender>{SENDER}</sender><address>127.0.0.1:{server.port}</address></smtp>"
        site.configure(client("pop@receiver.test", pop.address, user="me", password=PASSWORD, inside=smtp))
        result = site.run().results["pop@receiver.test"]
    assert result.ok, result.error
    assert box.messages == []
    stored = server.mailbox("pop", 50)
    bodies = sorted(each[each.index(b"From: x@") :].replace(b"\n", b"\r\n") for each in stored)
    assert bodies == sorted(sent)
    assert all(b") with POP-to-SMTP\n" in each for each in stored)
    assert all("; Reply=250 2.0.0 Ok: queued as " in line for line in site.audit())


DELIVERED = b"Delivered-To: mail@local.receiver.test\r\n"


def test_a_delivered_to_line_of_the_recipients_bounces(server: Postfix) -> None:
    """It is accepted, so the POP3 server's copy is deleted, and then returned to the sender."""
    with sending(server.destination(LOCAL_USER)) as sender:
        receipt = sender.send(DELIVERED + HEADER).receipt()
    assert receipt.startswith("; Reply=250 2.0.0 Ok: queued as ")
    (bounce,) = server.mailbox("popretr", 1)
    assert b"Subject: Undelivered Mail Returned to Sender" in bounce
    assert b"mail forwarding loop for mail@local.receiver.test" in bounce


def test_without_that_line_it_is_delivered(server: Postfix) -> None:
    with sending(replace(server.destination(LOCAL_USER), drop_delivered=True)) as sender:
        sender.send(DELIVERED + HEADER.replace(b"Subject", DELIVERED.upper() + b"Subject"))
        sender.send(HEADER + b"Delivered-To: stays\r\n")
    stored = server.mailbox(LOCAL_USER, 2)
    assert sorted(map(as_sent, stored)) == [HEADER, HEADER + b"Delivered-To: stays\r\n"]


# --- strict servers -------------------------------------------------------------------------------------------------

MEMBERS = tuple(f"m{number}" for number in range(25))


def test_more_recipients_than_it_takes(tmp_path: Path) -> None:
    """All members of an alias get each message once, in one run."""
    postfix.require()
    box = ServedMaildrop("me", PASSWORD)
    for number in range(2):
        box.add(FIELDS + b"%d\r\n" % number)
    site = Site(tmp_path / "site")
    (tmp_path / "domains").write_text("receiver.test\n")
    (tmp_path / "aliases").write_text(f"club : {' : '.join(MEMBERS)}\n")
    directory = f"<domains>{tmp_path / 'domains'}</domains><aliases>{tmp_path / 'aliases'}</aliases>"
    strict = Postfix(*MEMBERS, settings="smtpd_recipient_limit = 10\n")
    with strict as server, running_server([box]) as pop:
        smtp = f"<smtp><sender>{SENDER}</sender><address>127.0.0.1:{server.port}</address></smtp>"
        whole = client("id1", pop.address, user="me", password=PASSWORD, recip="club@receiver.test", inside=smtp)
        site.configure(whole, more=f"<directory>{directory}</directory>")
        result = site.run().results["id1"]
        assert result.ok, result.error
        assert box.messages == []
        for member in MEMBERS:
            assert len(server.mailbox(member, 2)) == 2
    assert site.transcript().count("452 4.5.3 Error: too many recipients") >= 2


def test_it_hangs_up_after_too_many_errors() -> None:
    postfix.require()
    settings = "smtpd_hard_error_limit = 2\nsmtpd_soft_error_limit = 100\nsmtpd_error_sleep_time = 0\n"
    with Postfix("alice", "bob", settings=settings) as server:
        error = failure(
            PartlyAccepted,
            "alice@receiver.test, bob@receiver.test accepted it",
            server.destination("dead1", "dead2", "dead3", "alice", "dead4", "bob"),
        )
        assert isinstance(error, PartlyAccepted)
        assert len(server.mailbox("alice", 1)) == len(server.mailbox("bob", 1)) == 1
        assert "too many errors after RCPT" in server.log_text()


def test_tls_that_is_required() -> None:
    postfix.require()
    with Postfix("alice", settings="smtpd_tls_security_level = encrypt\n") as server:
        error = failure(
            SmtpServerRefused, "530 5.7.0 Must issue a STARTTLS command first", server.destination("alice"), HEADER
        )
        assert "<starttls>Y</starttls>" in error.advice
        assert not error.refused_for_good
        with sending(server.destination("alice", starttls=True)) as sender:
            sender.send(HEADER)
        assert len(server.mailbox("alice", 1)) == 1


def test_relaying_that_is_denied() -> None:
    postfix.require()
    with Postfix("alice", settings="smtpd_relay_restrictions = reject_unauth_destination\n") as server:
        elsewhere = replace(server.destination("alice"), recipients=("x@elsewhere.test",))
        error = failure(SmtpServerRefused, "554 5.7.1 <x@elsewhere.test>: Relay access denied", elsewhere, HEADER)
    assert "add <username> and <password> to <smtp>" in error.advice
    assert not error.refused_for_good


@pytest.mark.parametrize("machine", ["mail.example.test", "box", "büro pc", "my_box.example"])
def test_it_looks_at_the_name_in_ehlo(machine: str) -> None:
    postfix.require()
    settings = (
        "smtpd_helo_required = yes\n"
        "smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname\n"
    )
    with Postfix("alice", settings=settings) as server:
        with sending(server.destination("alice"), client=machine) as sender:
            sender.send(HEADER)
        assert len(server.mailbox("alice", 1)) == 1
