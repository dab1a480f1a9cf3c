"""Servers that take a message in several transactions or over several connections only."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

import pytest

from tests.delivery.smtp.receiver import SENDER, Drop, Hang, Limits, Receiver, Say, receiving
from tests.delivery.smtp.sending import MESSAGE, in_a_thread, sending
from tests.delivery.smtp.test_sessions import contents, mail, retrieving
from tests.support.waiting import wait_for
from tui_popretr.delivery.smtp import pipelining
from tui_popretr.errors import MessageRejected, PartlyAccepted, RecipientsRefused, SmtpTemporaryFailure

MEMBERS = tuple(f"m{number}@receiver.test" for number in range(25))
DEAD = tuple(f"dead{number}@receiver.test" for number in range(5))
A, B, C = "a@receiver.test", "b@receiver.test", "c@receiver.test"


def recipients(receiver: Receiver) -> list[str]:
    return [each for mail in receiver.mails for each in mail.recipients]


# --- more recipients than the server takes ----------------------------------------------------------------------------


@pytest.mark.parametrize("lmtp", [False, True])
@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("words", ["452 4.5.3 too many recipients", "452 too many", "552 too many", "550 5.5.3 many"])
def test_ten_recipients_at_once(words: str, pipelining: bool, lmtp: bool) -> None:
    with receiving(lmtp=lmtp, pipelining=pipelining) as receiver, sending(receiver.destination(*MEMBERS)) as sender:
        receiver.limits = Limits(recipients=10, too_many=words)
        receipt = sender.send().receipt()
        assert [each.recipients for each in receiver.mails] == [MEMBERS[:10], MEMBERS[10:20], MEMBERS[20:]]
        assert [each.content for each in receiver.mails] == [MESSAGE] * 3
        assert lmtp or all(f"queued as M{number}" in receipt for number in (1, 2, 3))
        sender.send()
        assert len(receiver.mails) == 6
    assert receiver.connections == 1


def test_a_large_message_is_read_again_for_each_transaction(tmp_path: Path) -> None:
    message = (b"." + b"x" * 997 + b"\r\n") * 400
    with receiving() as receiver, sending(receiver.destination(A, B), tmp_path) as sender:
        receiver.limits = Limits(recipients=1)
        draft = sender.draft(message)
        draft.spill()
        draft.offer()
        draft.publish()
    assert [each.content for each in receiver.mails] == [message] * 2


def test_an_offer_is_the_first_transaction_only() -> None:
    with receiving() as receiver, sending(receiver.destination(A, B)) as sender:
        receiver.limits = Limits(recipients=1)
        draft = sender.draft()
        draft.offer()
        assert (len(receiver.commands("MAIL")), receiver.mails) == (1, [])
        draft.publish()
        assert recipients(receiver) == [A, B]


def test_dead_members_among_many() -> None:
    with receiving() as receiver, sending(receiver.destination(*MEMBERS[:12], DEAD[0], *MEMBERS[12:])) as sender:
        receiver.limits = Limits(recipients=10, unknown=frozenset(DEAD))
        with pytest.raises(PartlyAccepted, match=re.escape(f"{DEAD[0]}: 550 5.1.1")) as caught:
            sender.send()
    assert recipients(receiver) == list(MEMBERS) == list(caught.value.accepted)


def test_spam_for_many_is_refused_for_good() -> None:
    with receiving() as receiver, sending(receiver.destination(A, B)) as sender:
        receiver.limits = Limits(recipients=1)
        receiver.on("DOT", Say("554 5.7.1 spam"), Say("554 5.7.1 spam"))
        with pytest.raises(MessageRejected, match=r"554 5\.7\.1 spam") as caught:
            sender.send()
    assert caught.value.refused_for_good
    assert len(receiver.commands("DATA")) == 2


def test_a_message_that_is_deferred_is_sent_once() -> None:
    with receiving() as receiver, sending(receiver.destination(*MEMBERS)) as sender:
        receiver.limits = Limits(recipients=10)
        receiver.on("DOT", Say("451 4.3.0 later"))
        with pytest.raises(SmtpTemporaryFailure, match=r"451 4\.3\.0 later"):
            sender.send()
    assert len(receiver.commands("DATA")) == 1


@pytest.mark.parametrize("step", ["MAIL", "DATA", "DOT"])
@pytest.mark.parametrize("words", ["451 4.3.0 later", "554 5.7.1 no", "530 5.7.0 Authentication required"])
def test_a_failed_later_transaction_keeps_the_acceptances(step: str, words: str) -> None:
    with receiving(pipelining=False) as receiver, sending(receiver.destination(A, B, C)) as sender:
        receiver.limits = Limits(recipients=1)
        draft = sender.draft()
        draft.offer()
        receiver.on(step, *[Say("250 2.0.0 ok")] * (step == "DOT"), Say(words), Say(words))
        with pytest.raises(PartlyAccepted) as caught:
            draft.publish()
        assert caught.value.accepted == (A,)
        assert words in str(caught.value)


@pytest.mark.parametrize("how", [Drop(), Say("421 4.3.2 shutting down", then_drop=True)])
def test_a_later_transaction_that_is_cut_at_its_end(how: Drop | Say) -> None:
    """Only those of that transaction may have it twice."""
    with receiving() as receiver, sending(receiver.destination(A, B, C)) as sender:
        receiver.limits = Limits(recipients=1)
        receiver.on("DOT", Say("250 ok"), how)
        with pytest.raises(PartlyAccepted) as caught:
            sender.send()
    assert caught.value.accepted == (A,)
    if isinstance(how, Drop):
        assert f"so {B} may have it nevertheless" in str(caught.value)
    assert C in str(caught.value)


@pytest.mark.parametrize("step", ["MAIL", f"RCPT {B}", "DATA", "DOT"])
def test_a_later_transaction_that_is_cancelled(step: str) -> None:
    """Those that have accepted it are reported."""
    with receiving(pipelining=False) as receiver, sending(receiver.destination(A, B, C)) as sender:
        receiver.limits = Limits(recipients=1)
        receiver.on(f"RCPT {B}", Say("452 4.5.3 too many recipients"))
        draft = sender.draft()
        draft.offer()
        receiver.on(step, *[Say("250 2.0.0 ok")] * (step == "DOT"), Hang())
        with in_a_thread(draft.publish) as ends:
            wait_for(lambda: not receiver.script[step], step)
            sender.cancel()
            wait_for(lambda: ends, "the end of the call")
        (problem,) = ends
        assert isinstance(problem, PartlyAccepted)
        assert problem.accepted == (A,)
        assert "because the session is ending" in str(problem)
        assert (f"so {B} may have it" in str(problem)) == (step == "DOT")


def test_the_members_of_an_alias_in_one_run(tmp_path: Path) -> None:
    with receiving() as receiver, retrieving(tmp_path, receiver, 2) as (site, box):
        (tmp_path / "aliases").write_text(f"info : {' : '.join(MEMBERS)}\n")
        receiver.limits = Limits(recipients=10)
        result = site.run().results["id1"]
        assert result.ok, result.error
        assert (result.messages, box.messages) == (2, [])
        assert recipients(receiver) == list(MEMBERS) * 2
        assert contents(receiver) == [mail(0)] * 3 + [mail(1)] * 3
        assert receiver.connections == 1
        assert len(site.audit()) == 2


def test_a_run_that_fails_half_way_is_continued_by_the_next(tmp_path: Path) -> None:
    with receiving(pipelining=False) as receiver, retrieving(tmp_path, receiver, 1) as (site, box):
        (tmp_path / "aliases").write_text(f"info : {' : '.join(MEMBERS)}\n")
        receiver.limits = Limits(recipients=10)
        receiver.on("DOT", Say("250 2.0.0 ok"), Say("451 4.3.0 later"))
        result = site.run().results["id1"]
        assert (result.messages, int(result.code)) == (0, 75)
        assert len(box.messages) == 1
        assert receiver.mails == []
        assert site.run().results["id1"].ok
        assert recipients(receiver) == list(MEMBERS[10:])
        assert box.messages == []


# --- a server that hangs up after too many errors ---------------------------------------------------------------------


@pytest.mark.parametrize("last_word", ["421 4.7.0 too many errors", ""])
@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("order", ["dead first", "dead last", "mixed"])
def test_the_living_get_it(order: str, pipelining: bool, last_word: str) -> None:
    living = (A, B, C)
    everyone = {
        "dead first": DEAD + living,
        "dead last": living + DEAD,
        "mixed": (A, *DEAD[:2], B, *DEAD[2:], C),
    }[order]
    with receiving(pipelining=pipelining) as receiver, sending(receiver.destination(*everyone)) as sender:
        receiver.limits = Limits(errors=2, last_word=last_word, unknown=frozenset(DEAD))
        with pytest.raises(PartlyAccepted) as caught:
            sender.send()
    assert recipients(receiver) == list(living)
    assert caught.value.accepted == living
    assert all(f"{each}: 550 5.1.1" in str(caught.value) for each in DEAD)
    assert receiver.connections <= 3
    asked = [line for line in receiver.commands("RCPT") if DEAD[0] in line]
    assert len(asked) == 1, "an answer for good is final"


def test_a_server_that_accepts_no_recipient_ends_the_attempts() -> None:
    many = tuple(f"dead{number}@receiver.test" for number in range(30))
    with receiving() as receiver, sending(receiver.destination(*many)) as sender:
        receiver.limits = Limits(errors=1, unknown=frozenset(many))
        with pytest.raises(RecipientsRefused, match=r"550 5\.1\.1"):
            sender.send()
        assert receiver.connections == 30
        assert len(receiver.commands("DATA")) <= 30


def test_a_server_that_hangs_up_before_any_answer_is_asked_once() -> None:
    with receiving(pipelining=False) as receiver, sending(receiver.destination(*MEMBERS)) as sender:
        receiver.on(f"RCPT {MEMBERS[0]}", *[Say("421 4.7.0 no", then_drop=True)] * 5)
        with pytest.raises(SmtpTemporaryFailure, match=r"421 4\.7\.0 no"):
            sender.send()
    assert receiver.connections == 1


@pytest.mark.parametrize("last_word", ["421 4.7.0 too many errors", ""])
def test_errors_that_add_up_over_messages(last_word: str) -> None:
    with receiving() as receiver, sending(receiver.destination(A, DEAD[0])) as sender:
        receiver.limits = Limits(errors=3, last_word=last_word, unknown=frozenset(DEAD))
        for _ in range(8):
            with pytest.raises(PartlyAccepted) as caught:
                sender.send()
            assert caught.value.accepted == (A,)
    assert recipients(receiver) == [A] * 8
    assert receiver.connections == 3


def test_too_many_recipients_count_as_errors() -> None:
    """The server takes 2 of 6 and hangs up after the second refusal: fewer are asked then."""
    with receiving() as receiver, sending(receiver.destination(*MEMBERS[:6])) as sender:
        receiver.limits = Limits(recipients=2)
        receiver.on(f"RCPT {MEMBERS[4]}", Say("421 4.7.0 too many errors", then_drop=True))
        sender.send()
    assert recipients(receiver) == list(MEMBERS[:6])
    assert [each.recipients for each in receiver.mails] == [MEMBERS[:2], MEMBERS[2:4], MEMBERS[4:6]]
    assert receiver.connections == 2


# --- a limit of messages per connection -------------------------------------------------------------------------------


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("words", ["452 4.3.2 enough", "451 4.7.1 enough", "421 4.7.0 enough"])
def test_three_messages_in_a_connection(words: str, at: str, pipelining: bool) -> None:
    with receiving(pipelining=pipelining) as receiver, sending(receiver.destination(A)) as sender:
        receiver.limits = Limits(messages=3, at=at, no_more=words)
        for _ in range(10):
            sender.send()
    assert (receiver.connections, len(receiver.mails)) == (4, 10)


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("words", ["452 4.3.1 no room", "451 4.3.0 later"])
def test_what_is_refused_on_a_new_connection_is_refused(words: str, at: str) -> None:
    """And the connection is kept: nothing speaks for another one."""
    with receiving() as receiver, sending(receiver.destination(A)) as sender:
        sender.send()
        receiver.limits = Limits(messages=0, at=at, no_more=words)
        for _ in range(5):
            with pytest.raises(SmtpTemporaryFailure, match=words):
                sender.send()
    assert (receiver.connections, len(receiver.mails)) == (2, 1)


@pytest.mark.parametrize("at", ["MAIL", "DATA"])
@pytest.mark.parametrize("words", ["552 5.3.4 too large", "554 5.7.1 no"])
def test_a_refusal_for_good_needs_no_new_connection(words: str, at: str) -> None:
    with receiving() as receiver, sending(receiver.destination(A)) as sender:
        receiver.limits = Limits(messages=1, at=at, no_more=words)
        sender.send()
        with pytest.raises(Exception, match=words):
            sender.send()
    assert receiver.connections == 1


def test_all_messages_of_a_run(tmp_path: Path) -> None:
    with receiving() as receiver, retrieving(tmp_path, receiver, 8) as (site, box):
        receiver.limits = Limits(messages=3)
        result = site.run().results["id1"]
        assert result.ok, result.error
        assert contents(receiver) == [mail(number) for number in range(8)]
        assert (receiver.connections, box.messages) == (3, [])


def test_a_server_that_takes_nothing_for_now_ends_the_fetching(tmp_path: Path) -> None:
    """And the server sees one connection, not one for each message."""
    with receiving() as receiver, retrieving(tmp_path, receiver, 30) as (site, box):
        receiver.limits = Limits(messages=0, no_more="452 4.3.1 no room")
        result = site.run().results["id1"]
        assert (result.messages, int(result.code)) == (0, 75)
        assert len(box.messages) == 30
        assert receiver.connections == 1


# --- PIPELINING that does not work ------------------------------------------------------------------------------------

IMPATIENT = 0.3


@pytest.mark.parametrize("lmtp", [False, True])
def test_a_server_that_drops_what_follows_mail(lmtp: bool) -> None:
    with receiving(lmtp=lmtp) as receiver:
        receiver.limits = Limits(deaf=True)
        with sending(receiver.destination(A), timeout=IMPATIENT) as sender:
            sender.send()
            sender.send()
            assert (receiver.connections, len(receiver.mails)) == (2, 2)
            assert sum("PIPELINING does not work" in line for line in sender.said) == 1
        with sending(receiver.destination(A), timeout=IMPATIENT) as later:
            later.send()
        assert (receiver.connections, len(receiver.mails)) == (3, 3), "this process remembers the server"
    with receiving() as other, sending(other.destination(A)) as sender:
        sender.send()
        assert not any("PIPELINING" in line and "not work" in line for line in sender.said)


def test_each_message_of_a_run_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_popretr.delivery.smtp.connection.ANSWER_TIMEOUT", IMPATIENT)
    with receiving() as receiver, retrieving(tmp_path, receiver, 4) as (site, box):
        receiver.limits = Limits(deaf=True)
        result = site.run().results["id1"]
        assert result.ok, result.error
        assert (receiver.connections, len(receiver.mails), box.messages) == (2, 4, [])


def test_a_server_that_never_answers_is_not_remembered() -> None:
    with receiving() as receiver:
        receiver.limits = Limits(deaf=True)
        with sending(receiver.destination(A), timeout=IMPATIENT) as sender:
            receiver.on(f"RCPT {A}", Hang())
            with pytest.raises(SmtpTemporaryFailure, match="did not answer in time"):
                sender.send()
        assert receiver.connections == 2
        assert pipelining._one_by_one == set()


# --- SMTPUTF8 for a header in UTF-8 -----------------------------------------------------------------------------------

UTF8 = "Subject: Prüfung\r\n\r\n.x\r\n".encode()


@pytest.mark.parametrize(
    "words",
    ["554 5.6.7 SMTPUTF8 required", "550 5.6.9 UTF-8 header message", "554 header is not ASCII, use SMTPUTF8"],
)
def test_once_more_with_smtputf8(words: str) -> None:
    with receiving(utf8=True) as receiver, sending(receiver.destination(A)) as sender:
        receiver.on("DOT", Say(words))
        sender.send(UTF8)
    assert [each.content for each in receiver.mails] == [UTF8]
    first, second = receiver.commands("MAIL")
    assert "SMTPUTF8" not in first
    assert second.endswith(" SMTPUTF8")
    assert receiver.connections == 1


def test_refused_with_smtputf8_too() -> None:
    with receiving(utf8=True) as receiver, sending(receiver.destination(A)) as sender:
        receiver.on("DOT", *[Say("554 5.6.7 no UTF-8 here")] * 3)
        with pytest.raises(MessageRejected, match=r"554 5\.6\.7"):
            sender.send(UTF8)
        assert len(receiver.commands("MAIL")) == 2


@pytest.mark.parametrize(("offered", "message"), [(False, UTF8), (True, MESSAGE)])
def test_no_second_attempt_where_smtputf8_changes_nothing(offered: bool, message: bytes) -> None:
    with receiving(utf8=offered) as receiver, sending(receiver.destination(A)) as sender:
        receiver.on("DOT", *[Say("554 5.6.7 no")] * 3)
        with pytest.raises(MessageRejected, match=r"554 5\.6\.7"):
            sender.send(message)
        assert len(receiver.commands("MAIL")) == 1


def test_smtputf8_for_those_who_want_it_in_lmtp() -> None:
    with receiving(utf8=True, lmtp=True) as receiver, sending(receiver.destination(A, B)) as sender:
        receiver.verdicts[B] = deque(["554 5.6.9 UTF-8 header"])
        sender.send(UTF8)
    assert [(each.recipients, "SMTPUTF8" in each.options) for each in receiver.mails] == [((A,), False), ((B,), True)]
    assert receiver.mails[0].sender == SENDER
