"""Which recipients a message is sent to next: each gets it once, and it ends."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.delivery.smtp.rounds import Envelope, RecipientOutcome, Result, Rounds
from tui_popretr.delivery.spool import Spool
from tui_popretr.errors import SmtpTemporaryFailure
from tui_popretr.smtp.reply import Reply

OK = Reply(250, (b"ok",))
NO = Reply(550, (b"5.1.1 unknown",))
LATER = Reply(450, (b"4.2.0 later",))
TOO_MANY = Reply(452, (b"4.5.3 too many recipients",))


def envelope(recipients: list[str], *, eight_bit: bool = False) -> Envelope:
    return Envelope("s@x.test", tuple(recipients), Spool("/nonexistent"), eight_bit)


@dataclass
class Model:
    """A mail server: how many recipients it accepts at once, and how many refusals it allows in a connection."""

    most: int
    patience: int
    answers: dict[str, Reply]
    counts_excess: bool
    has: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    errors: int = 0

    def transact(self, sent: Envelope) -> Result:
        result, cut_short = self._transact(sent)
        if cut_short and all(reply.ok for _, reply in result.answers):  # the sink takes a new connection
            result, _ = self._transact(sent)
        return result

    def _transact(self, sent: Envelope) -> tuple[Result, bool]:
        """Return the result, and whether the connection was closed after refused recipients."""
        outcome = RecipientOutcome()
        answers: list[tuple[str, Reply]] = []
        willing: list[str] = []
        for each in sent.recipients:
            reply = self.answers.get(each, OK)
            if reply.ok and len(willing) >= self.most:
                reply = TOO_MANY
            self.errors += not reply.ok and (self.counts_excess or reply is not TOO_MANY)
            if self.errors > self.patience:
                self.errors = 0
                return Result(sent, outcome, tuple(answers)), True
            answers.append((each, reply))
            if reply.ok:
                willing.append(each)
            else:
                outcome.refused[each] = reply
        self.has += willing
        outcome.accepted = dict.fromkeys(willing, OK)
        return Result(sent, outcome, tuple(answers)), False


@given(
    st.integers(1, 40),
    st.integers(1, 12),
    st.integers(1, 12),
    st.booleans(),
    st.dictionaries(st.integers(0, 39), st.sampled_from((NO, LATER))),
)
def test_each_recipient_gets_it_once_and_has_an_answer(
    count: int, most: int, patience: int, counts_excess: bool, refusals: dict[int, Reply]
) -> None:
    recipients = [f"u{number}" for number in range(count)]
    server = Model(most, patience, {f"u{number}": reply for number, reply in refusals.items()}, counts_excess)
    rounds = Rounds(envelope(recipients))
    following: Envelope | None = envelope(recipients)
    transactions = 0
    while following is not None:
        transactions += 1
        assert transactions <= 2 * count + 2
        following = rounds.next(server.transact(following))
    whole = rounds.outcome
    assert len(server.has) == len(set(server.has)), "no recipient has it twice"
    assert set(server.has) == set(whole.accepted) == {each for each in recipients if each not in server.answers}
    assert {each: reply for each, reply in whole.refused.items() if each not in whole.accepted} == {
        each: server.answers[each] for each in recipients if each in server.answers
    }
    assert rounds.left == []


@pytest.mark.parametrize(
    ("reply", "again"),
    [
        ("452 4.5.3 too many recipients", True),
        ("452 too many recipients", True),
        ("552 too many recipients", True),
        ("550 5.5.3 too many recipients", True),
        ("451 4.5.3 too many recipients", True),
        ("452 4.3.1 no room", True),
        ("452 4.2.2 mailbox full", False),
        ("552 5.2.2 mailbox full", False),
        ("450 4.2.0 greylisted", False),
        ("550 5.1.1 unknown", False),
    ],
)
@pytest.mark.parametrize("position", ["behind accepted ones", "before an accepted one", "alone"])
def test_which_refusals_mean_another_transaction(reply: str, again: bool, position: str) -> None:
    refusal = Reply(int(reply[:3]), (reply[4:].encode(),))
    answers = {
        "behind accepted ones": (("a", OK), ("x", refusal)),
        "before an accepted one": (("x", refusal), ("a", OK)),
        "alone": (("x", refusal),),
    }[position]
    sent = envelope([each for each, _ in answers])
    outcome = RecipientOutcome({each: OK for each, each_reply in answers if each_reply.ok}, {"x": refusal})
    following = Rounds(sent).next(Result(sent, outcome, answers))
    assert (following is not None) == (again and position == "behind accepted ones")
    assert following is None or following.recipients == ("x",)


@pytest.mark.parametrize("code", [451, 452, 554])
def test_a_message_that_is_deferred_is_not_sent_again_at_once(code: int) -> None:
    sent = envelope(["a", "b"])
    refused = {"a": Reply(code, (b"no",)), "b": TOO_MANY}
    rounds = Rounds(sent)
    following = rounds.next(Result(sent, RecipientOutcome({}, refused, {"a"}), (("a", OK), ("b", TOO_MANY))))
    assert (following is None) == (code < 500)
    assert rounds.outcome.refused == refused


def test_after_a_broken_end_there_is_no_other_transaction() -> None:
    sent = envelope(["a", "b"])
    broken = RecipientOutcome({}, {"b": TOO_MANY}, doubtful=("a",), problem=SmtpTemporaryFailure("gone"))
    rounds = Rounds(sent)
    assert rounds.next(Result(sent, broken, (("a", OK), ("b", TOO_MANY)))) is None
    assert rounds.left == []


@pytest.mark.parametrize("eight_bit", [False, True])
@pytest.mark.parametrize("offered", [False, True])
@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ("554 5.6.7 UTF-8 header, but SMTPUTF8 was not given", True),
        ("550 5.6.9 UTF-8 header message cannot be transferred", True),
        ("554 SMTPUTF8 required", True),
        ("550 headers contain non-ASCII characters", True),
        ("554 5.7.1 spam", False),
        ("451 4.6.7 UTF-8 header", False),
    ],
)
def test_smtputf8_is_tried_once(reply: str, wanted: bool, offered: bool, eight_bit: bool) -> None:
    sent = envelope(["a"], eight_bit=eight_bit)
    refusal = Reply(int(reply[:3]), (reply[4:].encode(),))
    rounds = Rounds(sent)
    following = rounds.next(
        Result(sent, RecipientOutcome({}, {"a": refusal}, {"a"}), (("a", OK),), could_use_utf8=offered)
    )
    assert (following is not None) == (wanted and offered and eight_bit)
    if following is not None:
        assert following.utf8
        assert rounds.next(Result(following, RecipientOutcome({}, {"a": refusal}, {"a"}), (("a", OK),))) is None
