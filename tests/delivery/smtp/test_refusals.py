"""A server that refuses, breaks off or is silent at each step: nothing is lost, and the reason is told."""

from __future__ import annotations

import time

import pytest

from tests.delivery.smtp.receiver import SENDER, Drop, Hang, Mail, Say, receiving
from tests.delivery.smtp.sending import MESSAGE, Stopped, in_a_thread, sending
from tests.support.waiting import wait_for
from tui_popretr.delivery.smtp.connection import ANSWER_TIMEOUT
from tui_popretr.errors import (
    DeliveryFailed,
    ExitCode,
    MessageRejected,
    PartlyAccepted,
    RecipientsRefused,
    SmtpProtocolError,
    SmtpServerRefused,
    SmtpServerUnreachable,
    SmtpTemporaryFailure,
)

A, B, C = "a@receiver.test", "b@receiver.test", "c@receiver.test"
STEPS = ["CONNECT", "EHLO", "MAIL", f"RCPT {A}", "DATA", "BODY", "DOT"]
#: More than fits into the buffers on the way.
LONG = b"".join(b"%d\r\n" % number for number in range(200_000)) * 16

REFUSALS: list[tuple[str, str, type[DeliveryFailed]]] = [
    ("CONNECT", "554 5.3.2 no service", SmtpServerUnreachable),
    ("CONNECT", "421 4.3.2 no service now", SmtpTemporaryFailure),
    ("EHLO", "421 4.3.2 no service now", SmtpTemporaryFailure),
    ("MAIL", "550 5.7.1 no", SmtpServerRefused),
    ("MAIL", "451 4.3.0 not now", SmtpTemporaryFailure),
    ("MAIL", "552 5.3.4 too large", MessageRejected),
    (f"RCPT {A}", "550 5.1.1 no such user", RecipientsRefused),
    (f"RCPT {A}", "450 4.2.0 greylisted", SmtpTemporaryFailure),
    ("DATA", "554 5.5.1 no", MessageRejected),
    ("DATA", "451 4.3.0 not now", SmtpTemporaryFailure),
    ("DOT", "554 5.7.1 spam", MessageRejected),
    ("DOT", "452 4.3.1 no room", SmtpTemporaryFailure),
    ("DOT", "300 what", SmtpProtocolError),
    ("DATA", "250 what", SmtpProtocolError),
]


@pytest.mark.parametrize(("step", "words", "kind"), REFUSALS)
def test_refused(step: str, words: str, kind: type[DeliveryFailed]) -> None:
    with receiving() as receiver, sending(receiver.destination(A)) as sender:
        receiver.on(step, Say(words, then_drop=step == "CONNECT" or words.startswith("421")))
        with pytest.raises(kind, match=words) as caught:
            sender.send()
        assert type(caught.value) is kind
        expected = {"5": ExitCode.UNAVAILABLE, "4": ExitCode.TEMPORARY}.get(words[0], ExitCode.PROTOCOL)
        assert caught.value.exit_code is expected
        assert f"the SMTP server 127.0.0.1:{receiver.port}" in str(caught.value)
        assert receiver.mails == []
        sender.send()
        assert len(receiver.mails) == 1, "the next one is not concerned"


@pytest.mark.parametrize("step", STEPS)
def test_dropped(step: str) -> None:
    with receiving() as receiver, sending(receiver.destination(A)) as sender:
        receiver.on(step, Drop())
        with pytest.raises(SmtpTemporaryFailure, match=r"closed the connection|the connection .* broke") as caught:
            sender.send(LONG if step == "BODY" else MESSAGE)
        assert (f"so {A} may have it nevertheless and get it twice" in str(caught.value)) == (step == "DOT")
        assert receiver.mails == []
        sender.send()
        assert (receiver.connections, len(receiver.mails)) == (2, 1)


@pytest.mark.parametrize("step", ["MAIL", f"RCPT {A}", "DATA", "BODY", "DOT"])
def test_421_in_the_middle(step: str) -> None:
    with receiving() as receiver, sending(receiver.destination(A)) as sender:
        receiver.on(step, Say("421 4.3.2 shutting down", then_drop=True))
        with pytest.raises(SmtpTemporaryFailure, match=r"421 .* shutting down"):
            sender.send(LONG if step == "BODY" else MESSAGE)
        assert receiver.mails == []
        sender.send()
        assert (receiver.connections, len(receiver.mails)) == (2, 1)


def test_421_to_the_first_of_two() -> None:
    with receiving(pipelining=False) as receiver, sending(receiver.destination(A, B)) as sender:
        receiver.on(f"RCPT {A}", Say("421 4.3.2 shutting down", then_drop=True))
        with pytest.raises(SmtpTemporaryFailure, match=r"421 .* shutting down"):
            sender.send()
        assert len(receiver.commands("RCPT")) == 1


@pytest.mark.parametrize("then_drop", [False, True])
def test_refused_while_the_message_is_sent(then_drop: bool) -> None:
    """What has been said is no end of a message that it has only in part."""
    with receiving() as receiver, sending(receiver.destination(A)) as sender:
        receiver.on("BODY", Say("552 5.3.4 enough", then_drop))
        with pytest.raises(MessageRejected, match=r"552 .* enough"):
            sender.send(LONG)
        sender.send()
        assert (receiver.connections, len(receiver.mails)) == (2, 1)
        receiver.on("BODY", Say("250 fine"))
        with pytest.raises(SmtpProtocolError, match="accepted a message before it had all of it"):
            sender.send(LONG)
        assert (receiver.connections, len(receiver.mails)) == (2, 1)


@pytest.mark.parametrize("step", STEPS)
def test_silent(step: str) -> None:
    with receiving(pipelining=False) as receiver:
        with sending(receiver.destination(A), timeout=1) as sender:
            receiver.on(step, Hang())
            with pytest.raises(
                SmtpTemporaryFailure, match=r"did not answer in time|has taken no data for 1 s"
            ) as caught:
                sender.send(LONG if step == "BODY" else MESSAGE)
            assert ("get it twice" in str(caught.value)) == (step == "DOT")
            receiver.script.clear()
            sender.send()
        assert (receiver.connections, len(receiver.mails)) == (2, 1), "a late reply belongs to no message"


@pytest.mark.parametrize("step", STEPS)
def test_silent_and_cancelled(step: str) -> None:
    with receiving() as receiver, sending(receiver.destination(A)) as sender:
        receiver.on(step, Hang())
        started = time.monotonic()
        with in_a_thread(lambda: sender.send(LONG if step == "BODY" else MESSAGE)) as ends:
            wait_for(lambda: step in receiver.script and not receiver.script[step], step)
            sender.cancel()
            wait_for(lambda: ends, "the end of the call")
        assert isinstance(ends[0], Stopped)
        sender.send()
        assert (receiver.connections, len(receiver.mails)) == (2, 1)
    assert time.monotonic() - started < ANSWER_TIMEOUT, "no deadline passed"


def test_close_does_not_wait_for_a_call_that_blocks() -> None:
    """The call closes the connection when it is cancelled."""
    with receiving() as receiver, sending(receiver.destination(A)) as sender:
        receiver.on("MAIL", Hang())
        with in_a_thread(sender.send) as ends:
            wait_for(lambda: receiver.commands("MAIL"), "MAIL")
            started = time.monotonic()
            sender.close()
            assert time.monotonic() - started < ANSWER_TIMEOUT
            sender.cancel()
            wait_for(lambda: ends, "the end of the call")
        assert isinstance(ends[0], Stopped)
        assert sender.sink._connection is None


# --- several recipients ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["550 5.1.1 no such user", "450 4.2.0 later"])
def test_one_of_three_refused(words: str) -> None:
    with receiving() as receiver:
        receiver.on(f"RCPT {B}", Say(words), Say(words))
        with sending(receiver.destination(A, B, C)) as sender:
            with pytest.raises(PartlyAccepted, match=f"{A}, {C} accepted it, others did not: {B}: {words}") as caught:
                sender.send()
            assert caught.value.accepted == (A, C)
            with pytest.raises(DeliveryFailed, match=words):
                sender.send(exclude_recipients=(A, C))
        with sending(receiver.destination(A, B, C)) as sender:
            draft = sender.send(exclude_recipients=(A, C))
            assert draft.description == f"SMTP=[{A}, {B}, {C}]"
    assert receiver.mails == [Mail(SENDER, (A, C), MESSAGE), Mail(SENDER, (B,), MESSAGE)]


@pytest.mark.parametrize("pipelining", [False, True])
def test_all_refused_each_for_its_reason(pipelining: bool) -> None:
    with receiving(pipelining=pipelining) as receiver, sending(receiver.destination(A, B)) as sender:
        receiver.on(f"RCPT {A}", Say("550 unknown"))
        receiver.on(f"RCPT {B}", Say("450 greylisted"))
        with pytest.raises(SmtpTemporaryFailure, match=f"refused it for {A}: 550 unknown; for {B}: 450 greylisted"):
            sender.send()
        assert receiver.commands("DATA") == (["DATA"] if pipelining else [])
        sender.send()
    assert len(receiver.commands("RSET")) == 1
    assert receiver.connections == 1


def test_an_error_names_not_all_of_many() -> None:
    many = [f"u{number}@receiver.test" for number in range(30)]
    with receiving() as receiver, sending(receiver.destination(*many)) as sender:
        for recipient in many[15:]:
            receiver.on(f"RCPT {recipient}", Say("550 " + "x" * 400))
        with pytest.raises(PartlyAccepted, match=r"u9@receiver\.test and 5 more accepted it, .* and 5 more$") as caught:
            sender.send()
    assert caught.value.accepted == tuple(many[:15])
    assert len(str(caught.value)) < 4000


def test_the_end_lost_for_some() -> None:
    """In SMTP one reply is for all remaining recipients, and it is unknown after a cut."""
    with receiving() as receiver, sending(receiver.destination(A, B, C)) as sender:
        receiver.on(f"RCPT {B}", Say("550 unknown"))
        receiver.on("DOT", Drop())
        with pytest.raises(SmtpTemporaryFailure, match=f"{B}: 550 unknown; .*so {A}, {C} may have it nevertheless"):
            sender.send()
