"""Delivery by LMTP: an answer for each recipient, and a memory of who has accepted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.smtp.receiver import SENDER, Drop, Mail, Receiver, Say, receiving
from tests.delivery.smtp.sending import MESSAGE, sending
from tests.delivery.smtp.talker import talking
from tui_popretr.config.model import SmtpDestination
from tui_popretr.errors import MessageRejected, PartlyAccepted, SmtpProtocolError, SmtpTemporaryFailure

A, B, C = "a@receiver.test", "b@receiver.test", "c@receiver.test"


@pytest.fixture(params=["tcp", "unix"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiver]:
    path = tmp_path / "lmtp" if request.param == "unix" else None
    with receiving(lmtp=True, path=path) as made:
        yield made


def test_a_message_arrives(receiver: Receiver) -> None:
    with sending(receiver.destination(A, B)) as sender:
        sender.prepare(0)
        draft = sender.send()
        sender.send()
    assert receiver.mails == [Mail(SENDER, (A, B), MESSAGE)] * 2
    assert draft.description == f"SMTP=[{A}, {B}]"
    assert draft.receipt() == f"; Reply=250 2.0.0 <{A}> has it as M1 | 250 2.0.0 <{B}> has it as M1"
    assert receiver.connections == 1
    assert ">> LMTP LHLO [127.0.0.1]" in sender.said


@pytest.mark.parametrize("words", ["552 5.2.2 quota exceeded", "452 4.2.2 not now"])
def test_one_of_three_refused_after_the_end(receiver: Receiver, words: str) -> None:
    receiver.verdicts[B] = deque([words])
    with sending(receiver.destination(A, B, C)) as sender:
        with pytest.raises(
            PartlyAccepted, match=f"LMTP .* {A}, {C} accepted it, others did not: {B}: {words}"
        ) as caught:
            sender.send()
        assert caught.value.accepted == (A, C)
    with sending(receiver.destination(A, B, C)) as sender:
        sender.send(exclude_recipients=(A, C))
    assert receiver.mails == [Mail(SENDER, (A, C), MESSAGE), Mail(SENDER, (B,), MESSAGE)]


def test_one_refused_before_and_one_after(receiver: Receiver) -> None:
    """Answers to the message are those of the recipients that were accepted, in their order."""
    receiver.on(f"RCPT {A}", Say("550 5.1.1 unknown"))
    receiver.verdicts[B] = deque(["552 5.2.2 quota"])
    words = f"{C} accepted it, others did not: {A}: 550 .*; {B}: 552 "
    with sending(receiver.destination(A, B, C)) as sender, pytest.raises(PartlyAccepted, match=words) as caught:
        sender.send()
    assert caught.value.accepted == (C,)


def test_all_refused_after_the_end(receiver: Receiver) -> None:
    receiver.verdicts[A] = deque(["552 5.2.2 quota", "452 4.2.2 later"])
    receiver.verdicts[B] = deque(["550 5.7.1 no", "550 5.7.1 no"])
    with sending(receiver.destination(A, B)) as sender:
        with pytest.raises(MessageRejected, match=f"refused it for {A}: 552 5.2.2 quota; for {B}: 550 5.7.1 no"):
            sender.send()
        with pytest.raises(SmtpTemporaryFailure, match=r"452 .* later"):
            sender.send()
        sender.send()
    assert (receiver.connections, len(receiver.mails)) == (1, 1)


def test_dropped_at_the_end(receiver: Receiver) -> None:
    receiver.on("DOT", Drop())
    with (
        sending(receiver.destination(A, B)) as sender,
        pytest.raises(SmtpTemporaryFailure, match=f"so {A}, {B} may have it"),
    ):
        sender.send()


def test_cut_between_the_answers() -> None:
    """Who has answered is known, the others may get it twice."""
    answers = [b"220 hi\r\n", b"250 hi\r\n", *[b"250 ok\r\n"] * 4, b"354 go\r\n"]
    with talking([*answers, b"250 a has it\r\n550 b has not\r\n"]) as port:
        destination = SmtpDestination(SENDER, (A, B, C), host="127.0.0.1", port=port, lmtp=True)
        with sending(destination) as sender, pytest.raises(PartlyAccepted) as caught:
            sender.send()
    assert caught.value.accepted == (A,)
    text = str(caught.value)
    assert f"{A} accepted it, others did not: {B}: 550 b has not; " in text
    assert f"closed the connection, so {C} may have it nevertheless and get it twice" in text


def test_the_other_protocol() -> None:
    with receiving() as smtp:
        destination = SmtpDestination(SENDER, (A,), host="127.0.0.1", port=smtp.port, lmtp=True)
        with (
            sending(destination) as sender,
            pytest.raises(SmtpProtocolError, match="did not accept our greeting") as caught,
        ):
            sender.prepare(0)
        assert "take <lmtp> out" in caught.value.advice
    with receiving(lmtp=True) as lmtp:
        destination = SmtpDestination(SENDER, (A,), host="127.0.0.1", port=lmtp.port)
        with sending(destination) as sender, pytest.raises(SmtpProtocolError) as caught:
            sender.prepare(0)
        assert "<lmtp>Y</lmtp>" in caught.value.advice
