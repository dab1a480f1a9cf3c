"""The whole program, from a POP3 server into a mail server."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.delivery.smtp.receiver import SENDER, Drop, Receiver, Say, receiving
from tests.program.site import Site, client, without_received
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server

A, B, C = "a@receiver.test", "b@receiver.test", "c@receiver.test"
ALIASES = f"info : {A} : {B} : {C}\n"


def mail(number: int) -> bytes:
    return b"From: x@sender.test\r\nMessage-ID: <m%d@sender.test>\r\n\r\n.text\r\n" % number


def contents(receiver: Receiver) -> list[bytes]:
    return [without_received(mail.content) for mail in receiver.mails]


@contextmanager
def retrieving(folder: Path, receiver: Receiver, count: int) -> Iterator[tuple[Site, ServedMaildrop]]:
    """A site whose client retrieves `count` messages for info@receiver.test."""
    box = ServedMaildrop("me", PASSWORD)
    for number in range(count):
        box.add(mail(number))
    site = Site(folder / "site")
    (folder / "domains").write_text("receiver.test\n")
    (folder / "aliases").write_text(ALIASES)
    where = receiver.path or f"127.0.0.1:{receiver.port}"
    smtp = f"<smtp><sender>{SENDER}</sender><address>{where}</address><lmtp>{'NY'[receiver.lmtp]}</lmtp></smtp>"
    with running_server([box]) as server:
        whole = client("id1", server.address, user="me", password=PASSWORD, recip="info@receiver.test", inside=smtp)
        directory = f"<domains>{folder / 'domains'}</domains><aliases>{folder / 'aliases'}</aliases>"
        site.configure(whole, more=f"<directory>{directory}</directory>")
        yield site, box


def test_all_is_delivered_and_deleted(tmp_path: Path) -> None:
    with receiving() as receiver, retrieving(tmp_path, receiver, 3) as (site, box):
        result = site.run().results["id1"]
        assert result.ok, result.error
        assert contents(receiver) == [mail(number) for number in range(3)]
        assert receiver.mails[0].recipients == (A, B, C)
        assert b") with POP-to-SMTP\r\n\tfor <info@receiver.test>; " in receiver.mails[0].content
        assert (box.messages, receiver.connections, len(receiver.commands("QUIT"))) == ([], 1, 1)
        expected = f"=> SMTP=[{A}, {B}, {C}]; MsgID=m0@sender.test; Size=60; Sender=x@sender.test; Reply=250 2.0.0 Ok"
        assert expected in site.audit()[0]
        assert len(site.audit()) == 3
        transcript = site.transcript()
        assert f">> SMTP MAIL FROM:<{SENDER}>" in transcript
        assert "Event: SMTP Sent MessageBody octets=" in transcript
        assert site.run().results["id1"].messages == 0


def test_the_next_session_reaches_only_who_has_refused(tmp_path: Path) -> None:
    with receiving(lmtp=True) as receiver, retrieving(tmp_path, receiver, 2) as (site, box):
        receiver.verdicts[B] = deque(["452 4.2.2 quota"])
        result = site.run().results["id1"]
        assert (result.messages, result.failed, int(result.code)) == (1, 1, 75)
        assert f"{A}, {C} accepted it, others did not: {B}: 452 4.2.2 quota" in result.error
        assert len(box.messages) == 1
        (tmp_path / "aliases").write_text(f"info : {C} : {B} : d@receiver.test\n")
        result = site.run().results["id1"]
        assert result.ok, result.error
        assert box.messages == []
        assert [each.recipients for each in receiver.mails] == [(A, C), (A, B, C), (B, "d@receiver.test")]
        assert contents(receiver) == [mail(0), mail(1), mail(0)]
        assert len(site.audit()) == 2


def test_what_was_in_flight_comes_again(tmp_path: Path) -> None:
    with receiving() as receiver, retrieving(tmp_path, receiver, 2) as (site, box):
        receiver.on("DOT", Drop())
        result = site.run().results["id1"]
        assert (result.messages, result.failed) == (1, 1)
        assert "may have it nevertheless and get it twice" in result.error
        assert site.run().results["id1"].ok
        assert contents(receiver) == [mail(1), mail(0)]
        assert box.messages == []


def test_nothing_is_retrieved_that_no_recipient_would_take(tmp_path: Path) -> None:
    with receiving() as receiver, retrieving(tmp_path, receiver, 2) as (site, box):
        receiver.on("CONNECT", Say("554 no", then_drop=True))
        result = site.run().results["id1"]
        assert (result.messages, result.failed, int(result.code)) == (0, 0, 69)
        assert "takes no mail: 554 no" in result.error
        assert "RETR" not in site.transcript()
        assert len(box.messages) == 2
        assert site.run().results["id1"].ok


def test_one_message_that_is_refused_costs_the_others_nothing(tmp_path: Path) -> None:
    with receiving() as receiver, retrieving(tmp_path, receiver, 3) as (site, box):
        receiver.on("DOT", Say("554 5.7.1 spam"))
        result = site.run().results["id1"]
        assert (result.messages, result.failed, int(result.code)) == (2, 1, 69)
        assert "554 5.7.1 spam" in result.error
        assert contents(receiver) == [mail(1), mail(2)]
        assert len(box.messages) == 1


@pytest.mark.parametrize(("machine", "shown"), [("büro pc", b"b?ro?pc"), ("box", b"box")])
def test_a_machine_whose_name_is_no_domain(
    machine: str, shown: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((real[0], machine, *real[2:])))
    with receiving() as receiver, retrieving(tmp_path, receiver, 1) as (site, _):
        result = site.run().results["id1"]
        assert result.ok, result.error
        assert receiver.dialogue[0] == "EHLO [127.0.0.1]"
        received = receiver.mails[0].content.split(b"\r\n")[:3]
        assert received[0] == b"Received: from [127.0.0.1] ([127.0.0.1])"
        assert received[1].startswith(b"\tby " + shown + b" (")
        assert received[2].startswith(b"\tfor <info@receiver.test>; ")
