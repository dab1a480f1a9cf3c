"""The cause of a refusal for good: the message and its recipients, or our own configuration."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.delivery.smtp.receiver import Say, receiving
from tests.delivery.smtp.sending import sending
from tests.delivery.smtp.talker import talking
from tui_popretr.config.model import SmtpDestination
from tui_popretr.delivery.smtp.refusals import Cause, Circumstances, Phase, cause_of, refusal
from tui_popretr.errors import (
    DeliveryFailed,
    ExitCode,
    MessageRejected,
    RecipientsRefused,
    SmtpLoginFailed,
    SmtpServerRefused,
    SmtpTemporaryFailure,
)
from tui_popretr.secret import Secret
from tui_popretr.smtp.reply import Reply

A, B = "a@receiver.test", "b@receiver.test"
MAIL, RCPT, DATA, CONTENT = Phase

#: Texts as servers say them.
CAUSES: list[tuple[Phase, str, Cause]] = [
    (MAIL, "530 5.7.0 Must issue a STARTTLS command first", Cause.TLS),
    (RCPT, "530 5.7.0 Must issue a STARTTLS command first.", Cause.TLS),
    (DATA, "530 Must issue a STARTTLS command first", Cause.TLS),
    (MAIL, "550 5.7.1 Session encryption is required", Cause.TLS),
    (MAIL, "554 5.7.1 TLS required for this sender", Cause.TLS),
    (MAIL, "523 5.7.10 Encryption Needed", Cause.TLS),
    (MAIL, "538 5.7.11 Encryption required for requested authentication mechanism", Cause.TLS),
    (MAIL, "530 5.7.0 Authentication required", Cause.LOGIN),
    (MAIL, "530 5.7.1 Authentication required", Cause.LOGIN),
    (MAIL, "530-5.5.1 Authentication Required. Learn more at", Cause.LOGIN),
    (MAIL, "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM", Cause.LOGIN),
    (MAIL, "550 5.7.1 Client was not authenticated", Cause.LOGIN),
    (MAIL, "535 5.7.8 Username and Password not accepted", Cause.LOGIN),
    (RCPT, "534 5.7.9 Application-specific password required", Cause.LOGIN),
    (RCPT, "550 Please log in first", Cause.LOGIN),
    (RCPT, "553 5.7.1 Sender address rejected: not logged in", Cause.LOGIN),
    (CONTENT, "554 5.7.3 Please authenticate before sending mail", Cause.LOGIN),
    (CONTENT, "550 SMTP AUTH is required", Cause.LOGIN),
    (RCPT, "554 5.7.1 <a@b.test>: Relay access denied", Cause.RELAY),
    (RCPT, "454 4.7.1 <a@b.test>: Relay access denied", Cause.RELAY),
    (RCPT, "550 5.7.1 <a@b.test>... Relaying denied", Cause.RELAY),
    (RCPT, "550 relay not permitted", Cause.RELAY),
    (RCPT, "550 5.7.1 Unable to relay", Cause.RELAY),
    (RCPT, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", Cause.RELAY),
    (RCPT, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", Cause.RELAY),
    (RCPT, "550 5.4.5 Daily user sending limit exceeded", Cause.OURSELVES),
    (CONTENT, "550 5.4.5 Daily SMTP relay sending limit exceeded for user", Cause.OURSELVES),
    (CONTENT, "554 5.7.1 You have exceeded your hourly quota", Cause.OURSELVES),
    (RCPT, "550 5.7.0 Your account has been suspended", Cause.OURSELVES),
    (RCPT, "554 5.3.2 system not accepting network messages", Cause.OURSELVES),
    (DATA, "550 5.3.5 System config error", Cause.OURSELVES),
    (RCPT, "554 no SMTP service here", Cause.OURSELVES),
    (RCPT, "552 5.2.2 The recipient has exceeded the quota", Cause.MESSAGE),
    (RCPT, "550 5.2.1 This mailbox is disabled", Cause.MESSAGE),
    (CONTENT, "552 5.3.4 Message size exceeds the limit", Cause.MESSAGE),
    (RCPT, "551 we do not relay", Cause.RELAY),
    (CONTENT, "550 5.7.1 Relaying is not allowed", Cause.RELAY),
    (MAIL, "550 5.7.1 no", Cause.SENDER),
    (MAIL, "553 5.1.8 <x>... Domain of sender address x does not exist", Cause.SENDER),
    (RCPT, "550 5.1.8 <x>: Sender address rejected: Domain not found", Cause.SENDER),
    (RCPT, "550 Sender verify failed", Cause.SENDER),
    (CONTENT, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", Cause.SENDER),
    (CONTENT, "553 5.7.1 Not allowed to send on behalf of that address", Cause.SENDER),
    (RCPT, "504 5.5.2 <box>: Helo command rejected: need fully-qualified hostname", Cause.OURSELVES),
    (RCPT, "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.spamhaus.org", Cause.OURSELVES),
    (RCPT, "550 5.7.25 The IP address sending this message does not have a PTR record", Cause.OURSELVES),
    (RCPT, "503 5.5.1 Error: need MAIL command", Cause.OURSELVES),
    (DATA, "503 valid RCPT command must precede DATA", Cause.OURSELVES),
    (RCPT, "501 5.1.3 Bad recipient address syntax", Cause.OURSELVES),
    (RCPT, "553 5.6.7 address needs SMTPUTF8", Cause.OURSELVES),
    (MAIL, "552 5.3.4 Message size exceeds fixed limit", Cause.MESSAGE),
    (MAIL, "554 5.3.4 too large", Cause.MESSAGE),
    (RCPT, "550 5.1.1 <a@b.test>: Recipient address rejected: User unknown", Cause.MESSAGE),
    (RCPT, "552 5.2.2 Mailbox full", Cause.MESSAGE),
    (RCPT, "554 delivery error: dd This user doesn't have a yahoo.com account", Cause.MESSAGE),
    (DATA, "554 5.7.1 no", Cause.MESSAGE),
    (CONTENT, "554 5.7.1 Spam message rejected", Cause.MESSAGE),
    (CONTENT, "550 5.7.1 Message contains a virus (Eicar)", Cause.MESSAGE),
    (CONTENT, "550-5.7.26 This mail has been blocked because the sender is unauthenticated. DKIM", Cause.MESSAGE),
    (CONTENT, "550 5.7.1 Unauthenticated email from x.test is not accepted due to DMARC policy", Cause.MESSAGE),
    (CONTENT, "554 5.7.9 Message not accepted for policy reasons", Cause.MESSAGE),
    (CONTENT, "554 5.7.1 URL in the message blocked using dbl.spamhaus.org", Cause.MESSAGE),
    (CONTENT, "500 Line too long", Cause.MESSAGE),
    (CONTENT, "552 5.3.4 Message too big", Cause.MESSAGE),
]


def reply(text: str) -> Reply:
    return Reply(int(text[:3]), (text[4:].encode(),))


@pytest.mark.parametrize(("phase", "text", "cause"), CAUSES)
def test_cause(phase: Phase, text: str, cause: Cause) -> None:
    assert cause_of(reply(text), phase) is cause
    error = refusal("it", reply(text), phase, Circumstances())
    assert error.refused_for_good == (cause is Cause.MESSAGE)


@given(
    st.sampled_from((530, 534, 535, 538, 523, 524)),
    st.binary(max_size=40),
    st.sampled_from(Phase),
    st.builds(Circumstances, st.booleans(), st.booleans()),
)
def test_a_code_for_login_or_tls_is_never_the_message(
    code: int, text: bytes, phase: Phase, circumstances: Circumstances
) -> None:
    assert not refusal("it", Reply(code, (text,)), phase, circumstances).refused_for_good


@given(st.integers(500, 599), st.binary(max_size=40), st.sampled_from(Phase))
def test_any_reply_has_a_cause(code: int, text: bytes, phase: Phase) -> None:
    error = refusal("it", Reply(code, (text,)), phase, Circumstances())
    assert error.exit_code in (ExitCode.UNAVAILABLE, ExitCode.LOGIN)
    assert error.refused_for_good == isinstance(error, RecipientsRefused | MessageRejected)


#: The words of the refusal, the error, and what its advice names.
OURS: list[tuple[str, type[DeliveryFailed], str]] = [
    ("530 5.7.0 Must issue a STARTTLS command first", SmtpServerRefused, "<starttls>Y</starttls>"),
    ("530 5.7.0 Authentication required", SmtpLoginFailed, "<username> and <password>"),
    ("534 5.7.9 mechanism too weak", SmtpLoginFailed, "<username> and <password>"),
    ("535 5.7.8 credentials invalid", SmtpLoginFailed, "<username> and <password>"),
    ("538 5.7.11 Encryption required", SmtpServerRefused, "<starttls>Y</starttls>"),
    ("554 5.7.1 Relay access denied", SmtpServerRefused, "check recip and <address>"),
]


@pytest.mark.parametrize("lmtp", [False, True])
@pytest.mark.parametrize("step", ["MAIL", f"RCPT {A}", "DATA", "DOT"])
@pytest.mark.parametrize(("words", "kind", "advice"), OURS)
def test_our_own_configuration(step: str, words: str, kind: type[DeliveryFailed], advice: str, lmtp: bool) -> None:
    with receiving(lmtp=lmtp) as receiver, sending(receiver.destination(A)) as sender:
        if step == "DOT" and lmtp:
            receiver.verdicts[A] = deque([words])
        else:
            receiver.on(step, Say(words))
        with pytest.raises(kind, match=words) as caught:
            sender.send()
    assert type(caught.value) is kind
    assert advice in caught.value.advice
    assert not caught.value.refused_for_good


@pytest.mark.parametrize(
    ("step", "words", "kind"),
    [
        ("MAIL", "552 5.3.4 too large", MessageRejected),
        (f"RCPT {A}", "550 5.1.1 unknown", RecipientsRefused),
        ("DATA", "554 5.7.1 no", MessageRejected),
        ("DOT", "554 5.7.1 spam", MessageRejected),
    ],
)
def test_the_message_or_its_recipients(step: str, words: str, kind: type[DeliveryFailed]) -> None:
    with receiving() as receiver, sending(receiver.destination(A)) as sender:
        receiver.on(step, Say(words))
        with pytest.raises(kind, match=words) as caught:
            sender.send()
    assert type(caught.value) is kind
    assert caught.value.refused_for_good


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("550 unknown", "551 unknown", RecipientsRefused),
        ("550 unknown", "450 greylisted", SmtpTemporaryFailure),
        ("550 unknown", "554 relay access denied", SmtpServerRefused),
        ("530 Authentication required", "550 unknown", SmtpLoginFailed),
    ],
)
def test_two_recipients_are_refused_for_good_only_if_each_is(
    first: str, second: str, kind: type[DeliveryFailed]
) -> None:
    with receiving() as receiver, sending(receiver.destination(A, B)) as sender:
        receiver.on(f"RCPT {A}", Say(first))
        receiver.on(f"RCPT {B}", Say(second))
        with pytest.raises(kind) as caught:
            sender.send()
    assert type(caught.value) is kind
    assert caught.value.refused_for_good == (kind is RecipientsRefused)


@pytest.mark.parametrize("step", ["DATA", "BODY", "DOT"])
@pytest.mark.parametrize(
    ("other", "kind"),
    [
        ("550 5.1.1 unknown", MessageRejected),
        ("452 4.5.3 too many recipients", MessageRejected),
        ("450 4.2.0 greylisted", SmtpTemporaryFailure),
        ("554 5.7.1 Relay access denied", SmtpServerRefused),
    ],
)
def test_a_refused_message_with_a_refused_recipient(step: str, other: str, kind: type[DeliveryFailed]) -> None:
    message = b"x" * 998 + b"\r\n"
    with receiving() as receiver, sending(receiver.destination(A, B)) as sender:
        receiver.on(f"RCPT {B}", Say(other))
        receiver.on(step, *[Say("554 5.7.1 spam")] * 2)
        with pytest.raises(DeliveryFailed, match=r"554 5\.7\.1 spam") as caught:
            sender.send(message * 16_000 if step == "BODY" else message)
    assert type(caught.value) is kind
    assert caught.value.refused_for_good == (kind is MessageRejected)


def test_advice_after_a_login() -> None:
    with receiving(login=True) as receiver:
        destination = receiver.destination(A, username="me")
        receiver.on("MAIL", Say("535 5.7.8 not this account"))
        with (
            sending(destination, password=lambda: Secret("geheim ü")) as sender,
            pytest.raises(SmtpLoginFailed) as caught,
        ):
            sender.send()
    assert caught.value.advice.startswith("the server does not allow this account to send this mail")


@pytest.mark.parametrize("code", [421, 450, 454, 499])
def test_starttls_that_is_refused_for_now(code: int) -> None:
    answers = [b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"%d 4.7.0 TLS not available\r\n" % code]
    with talking(answers) as port:
        destination = SmtpDestination("s@x.test", (A,), host="127.0.0.1", port=port, starttls=True)
        with sending(destination) as sender, pytest.raises(SmtpTemporaryFailure, match=f"{code} 4.7.0 TLS") as caught:
            sender.send()
    assert caught.value.exit_code is ExitCode.TEMPORARY
