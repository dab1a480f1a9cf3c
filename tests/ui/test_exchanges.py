"""Which reply answers which command."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.exchanging import Session, without_numbers
from tests.ui.lines import line
from tui_popretr.facts import DialogueLine, Direction
from tui_popretr.ui.model import exchanges as module
from tui_popretr.ui.model.exchanges import Exchange, Outcome, Pairing

COMMANDS = ("NOOP", "RETR 1", "TOP 2 0", "LIST", "LIST 3", "UIDL", "DELE 4", "CAPA", "STAT")


def paired(lines: list[DialogueLine]) -> list[Exchange]:
    """All exchanges of these lines, in order."""
    return Pairing().add(lines)


def shown(exchange: Exchange) -> tuple[object, ...]:
    texts = [each.text for each in exchange.data]
    return exchange.number, exchange.command, exchange.outcome, exchange.reply, exchange.milliseconds, texts


def test_pipelined_replies_answer_their_commands() -> None:
    session = Session().open().send("STAT", "UIDL", "RETR 7").reply("+OK 1 1007", "-ERR no UIDL", "+OK")
    greeting, stat, uidl, retr = paired(session.lines)
    assert shown(greeting) == (0, "Connection from a to b", Outcome.OK, "+OK ready", 1.0, [])
    assert shown(stat) == (1, "STAT", Outcome.OK, "+OK 1 1007", 1.0, [])
    assert shown(uidl) == (2, "UIDL", Outcome.ERROR, "-ERR no UIDL", 2.0, [])
    assert shown(retr) == (3, "RETR 7", Outcome.OK, "+OK", 3.0, ["Received MessageBody octets=1007"])
    assert (stat.octets, retr.octets, retr.message) == (None, 1007, 7)
    assert uidl.error
    assert not retr.error


def test_the_end_of_a_connection_leaves_commands_unanswered() -> None:
    session = Session().open().send("RETR 1", "RETR 2").reply("+OK").close()
    assert [each.outcome for each in paired(session.lines)] == [Outcome.OK, Outcome.OK, Outcome.UNANSWERED]
    cut = Session().open().send("RETR 1")
    again = Session(run=2).open()
    assert [each.outcome for each in paired(cut.lines + again.lines)] == [Outcome.OK, Outcome.UNANSWERED, Outcome.OK]


@pytest.mark.parametrize("as_read", [list, without_numbers])
def test_the_wait_is_the_part_after_the_replies_before(
    as_read: Callable[[list[DialogueLine]], list[DialogueLine]],
) -> None:
    session = Session().open().send("UIDL", "RETR 1", "NOOP").reply("+OK", "+OK", "+OK").send("QUIT").reply("+OK")
    waits = [(each.command, each.milliseconds, each.wait) for each in paired(as_read(session.lines))]
    assert waits[1:] == [("UIDL", 1.0, 1.0), ("RETR 1", 2.0, 1.0), ("NOOP", 3.0, 1.0), ("QUIT", 1.0, 1.0)]


def test_a_reply_that_was_not_kept_is_missing() -> None:
    lines = Session().open().send("RETR 1", "RETR 2").reply("+OK", "-ERR no").lines
    without_first_reply = [each for each in lines if each.exchange != 1 or each.direction is Direction.OUT]
    assert [each.outcome for each in paired(without_first_reply)] == [Outcome.OK, Outcome.LOST, Outcome.ERROR]


def test_a_reply_without_its_command_is_left_out() -> None:
    lines = Session().open().send("RETR 1", "RETR 2").reply("+OK", "+OK").lines
    assert [each.command for each in paired(lines[3:])] == ["RETR 2"]


def test_the_answers_of_a_login_belong_to_its_auth() -> None:
    lines = [
        line("Connection", direction=Direction.OPENED),
        line("+OK"),
        line("AUTH CRAM-MD5", direction=Direction.OUT),
        line("+ ****"),
        line("****", direction=Direction.OUT),
        line("+OK welcome"),
        line("STAT", direction=Direction.OUT),
        line("+OK 0 0"),
    ]
    _, auth, stat = paired(lines)
    assert auth.whole == [">> AUTH CRAM-MD5", "<< +OK welcome", "<< + ****", ">> ****"]
    assert stat.reply == "+OK 0 0"


def test_a_dialogue_by_smtp_is_left_out() -> None:
    lines = [line("SMTP MAIL FROM:<a@b>", direction=Direction.OUT), line("SMTP 250 ok"), line("LMTP 250 ok")]
    assert paired(lines) == []


def test_long_data_are_counted() -> None:
    rows = [line(f"{number} 120") for number in range(module.MOST_DATA + 5)]
    lines = [
        line("LIST", direction=Direction.OUT),
        line("+OK"),
        *rows,
        line("."),
        line("QUIT", direction=Direction.OUT),
    ]
    listing, _ = paired(lines)
    assert (len(listing.data), listing.more) == (module.MOST_DATA, 6)
    assert listing.whole[-1] == "… 6 more lines …"


def test_commands_without_replies_are_bounded() -> None:
    pairing = Pairing()
    sent = [line(f"RETR {number}", direction=Direction.OUT) for number in range(module._MOST_WAITING + 3)]
    outcomes = [each.outcome for each in pairing.add(sent)]
    assert outcomes == [Outcome.LOST] * 3 + [Outcome.WAITING] * module._MOST_WAITING


def test_midnight_between_the_lines_of_a_log() -> None:
    sent = line("NOOP", direction=Direction.OUT)
    sent.at = sent.at.replace(hour=23, minute=59, second=59, microsecond=0)
    reply = line("+OK")
    reply.at = reply.at.replace(hour=0, minute=0, second=1, microsecond=0)
    (noop,) = paired([sent, reply])
    assert noop.milliseconds == 2000


REPLIES = st.sampled_from(["+OK", "-ERR no", "-ERR [SYS/TEMP] later"])


@given(st.lists(st.tuples(st.lists(st.sampled_from(COMMANDS), max_size=5), st.lists(REPLIES, max_size=5)), max_size=6))
def test_lines_of_a_log_pair_like_those_with_numbers(rounds: list[tuple[list[str], list[str]]]) -> None:
    session = Session().open()
    for commands, replies in rounds:
        session.send(*commands)
        session.reply(*replies[: session.waiting])
    numbered, plain = paired(session.lines), paired(without_numbers(session.lines))
    assert [shown(each) for each in plain] == [shown(each) for each in numbered]


@given(st.lists(st.sampled_from(["+OK", "-ERR", ".", "+ x", "text", "Disconnect"]), max_size=30), st.data())
def test_any_lines(texts: list[str], data: st.DataObject) -> None:
    lines = []
    for text in texts:
        each = line(text, direction=data.draw(st.sampled_from(list(Direction))))
        each.exchange = data.draw(st.none() | st.integers(0, 5))
        each.milliseconds = data.draw(st.none() | st.floats(0, 9))
        lines.append(each)
    found = paired(lines)
    assert [each.order for each in found] == list(range(len(found)))
