"""Exchanges as rows: runs, filter, errors."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ui.exchanging import Session
from tui_popretr.facts import DialogueLine
from tui_popretr.ui.model.exchange_rows import ExchangeRows, Row
from tui_popretr.ui.model.exchanges import Exchange, Outcome
from tui_popretr.ui.model.runs import Run


def rows_of(*sessions: Session, limit: int = 10_000) -> ExchangeRows:
    rows = ExchangeRows(limit)
    for session in sessions:
        rows.add(session.lines)
    return rows


def shown(rows: ExchangeRows) -> list[str]:
    return [f"{'  ' * is_member(row)}{row.command}: {row.result}" for row in rows.rows()]


def is_member(row: Row) -> bool:
    return isinstance(row, Exchange) and row.run is not None and row.run.count > 1


def run_at(rows: ExchangeRows, index: int) -> Run:
    row = rows.rows()[index]
    assert isinstance(row, Run)
    return row


def interleaved(count: int) -> Session:
    session = Session().open()
    session.send("RETR 1", "RETR 2")
    for each in range(1, count + 1):
        session.reply("+OK")
        session.send(f"DELE {each}", *([f"RETR {each + 2}"] if each + 2 <= count else []))
    while session.waiting:
        session.reply("+OK")
    return session


def test_interleaved_commands_are_two_rows() -> None:
    rows = rows_of(interleaved(120))
    assert shown(rows) == ["Connection from a to b: +OK ready", "RETR 1-120: 120 x +OK", "DELE 1-120: 120 x +OK"]
    retr = rows.rows()[1]
    assert retr.octets == 120 * 1000 + 120 * 121 // 2
    assert retr.milliseconds is not None
    assert retr.milliseconds > 100


def test_an_error_is_not_folded() -> None:
    session = Session().open().send("RETR 1", "RETR 2", "DELE 9", "RETR 3", "RETR 4", "RETR 5")
    session.reply("+OK", "+OK", "+OK", "-ERR gone", "+OK")
    assert shown(rows_of(session)) == [
        "Connection from a to b: +OK ready",
        "RETR 1-2: 2 x +OK",
        "DELE 9: +OK",
        "RETR 3: -ERR gone",
        "RETR 4-5: 1 x +OK, 1 waiting",
    ]


def test_a_run_names_the_messages_it_has() -> None:
    numbers = [1, 2, 3, 5, 7, 8]
    session = Session().open().send(*[f"DELE {each}" for each in numbers]).reply(*["+OK"] * 6)
    rows = rows_of(session)
    assert shown(rows)[1:] == ["DELE 1-3, 5, 7-8: 6 x +OK"]
    session.lines.clear()
    rows.add(session.send("DELE 9", "DELE 12", "DELE 14").reply("+OK", "+OK", "+OK").lines)
    assert shown(rows)[1:] == ["DELE 1-3, 5, 7-9, 12, …: 9 x +OK"]


def test_slowest_first_keeps_members_behind_their_run() -> None:
    slow, quick = interleaved(2), Session("work")
    slow.now += timedelta(seconds=9)
    slow.send("QUIT").reply("+OK")
    quick.now += timedelta(milliseconds=500)
    quick.send("STAT")
    quick.now += timedelta(milliseconds=500)
    rows = rows_of(slow, quick.reply("+OK"))
    rows.toggle(run_at(rows, 1))
    order = [each.command for each in rows.slowest_first()]
    assert order[0] == "STAT"
    at = order.index("RETR 1-2")
    assert order[at : at + 3] == ["RETR 1-2", "RETR 1", "RETR 2"]


def test_commands_without_a_reply_are_one_row() -> None:
    session = Session().open().send(*[f"RETR {each}" for each in range(1, 9)]).reply("+OK", "+OK").close()
    rows = rows_of(session)
    assert shown(rows)[1:] == ["RETR 1-2: 2 x +OK", "RETR 3-8: 6 no reply"]
    assert [row.error for row in rows.rows()] == [False, False, True]


def test_another_command_ends_a_run() -> None:
    session = Session().open().send("CAPA").reply("+OK").send("CAPA").reply("+OK").send("STLS").reply("+OK")
    session.send("CAPA").reply("+OK").send("LIST 1").reply("+OK").send("LIST").reply("+OK")
    assert shown(rows_of(session))[1:] == ["CAPA: 2 x +OK", "STLS: +OK", "CAPA: +OK", "LIST 1: +OK", "LIST: +OK"]


def test_sessions_are_apart() -> None:
    first, second = Session("a").open().send("RETR 1", "RETR 2"), Session("b").open().send("RETR 1")
    rows = rows_of(first, second)
    first.lines.clear()
    rows.add(first.reply("+OK", "+OK").lines)
    assert [(str(row.session), row.command) for row in rows.rows()] == [
        ("a-1", "Connection from a to b"),
        ("a-1", "RETR 1-2"),
        ("b-1", "Connection from a to b"),
        ("b-1", "RETR 1"),
    ]
    again = rows_of(Session().open().send("RETR 1"), Session().open().send("RETR 1"))
    assert all(isinstance(row, Exchange) and not is_member(row) for row in again.rows())


def test_a_run_unfolds() -> None:
    rows = rows_of(interleaved(3))
    folded = list(rows.rows())
    run = run_at(rows, 1)
    rows.toggle(run)
    assert run.unfolded
    assert shown(rows)[1:] == [
        "RETR 1-3: 3 x +OK",
        "  RETR 1: +OK",
        "  RETR 2: +OK",
        "  RETR 3: +OK",
        "DELE 1-3: 3 x +OK",
    ]
    member = rows.rows()[3]
    assert [rows.index(row) for row in rows.rows()] == list(range(6))
    rows.toggle(run)
    assert rows.rows() == folded
    assert rows.index(member) == 1, "a member that is not shown is in the row of its run"


def test_a_row_that_is_gone_has_a_place() -> None:
    session = Session().open().send("RETR 1", "RETR 2", "RETR 3")
    rows = rows_of(session)
    run = rows.rows()[1]
    session.lines.clear()
    rows.add(session.reply("-ERR no").lines)
    assert shown(rows)[1:] == ["RETR 1: -ERR no", "RETR 2-3: 2 waiting"]
    assert run not in rows.rows()
    assert rows.index(run) == 1


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["Connection", "RETR", "RETR", "DELE"]),
        ("retr", ["RETR", "RETR"]),
        ("!retr", ["Connection", "DELE"]),
        ("RETR gone", ["RETR"]),
        ("Retr", []),
        ("!retr !connection", ["DELE"]),
        ("isp-1", ["Connection", "RETR", "RETR", "DELE"]),
        ("!", ["Connection", "RETR", "RETR", "DELE"]),
    ],
)
def test_words_filter_rows(words: str, found: list[str]) -> None:
    session = Session().open().send("RETR 1", "RETR 2", "RETR 3", "DELE 1").reply("+OK", "+OK", "-ERR gone", "+OK")
    rows = rows_of(session)
    rows.set_filter(words)
    assert [row.command.split()[0] for row in rows.rows()] == found
    later = ExchangeRows()
    later.set_filter(words)
    later.add(session.lines)
    assert shown(later) == shown(rows)


def test_a_filter_finds_a_member_of_a_run() -> None:
    rows = rows_of(interleaved(12))
    rows.toggle(run_at(rows, 1))
    rows.set_filter("RETR 11")
    assert shown(rows) == ["RETR 1-12: 12 x +OK", "  RETR 11: +OK"]


@pytest.mark.parametrize(("limit", "kept"), [(100, 50), (2, 1)])
def test_a_run_counts_the_exchanges_that_it_has_forgotten(limit: int, kept: int) -> None:
    rows = ExchangeRows(limit)
    session = Session().open()
    for number in range(1, 301):
        session.send(f"RETR {number}").reply("+OK")
        rows.add(session.lines)
        session.lines.clear()
    run = run_at(rows, 0)
    assert run.result == "300 x +OK"
    assert run.command == "RETR 1-300"
    assert len(run.members) == kept, "each has two lines"


# --- any dialogue -----------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from(["RETR", "DELE", "NOOP", "STAT", "TOP"]), st.integers(1, 6)),
        st.tuples(st.just("reply"), st.sampled_from(["+OK", "+OK", "+OK", "-ERR"]), st.integers(1, 6)),
        st.tuples(st.just("close"), st.just(""), st.just(0)),
    ),
    max_size=25,
)


def dialogue(steps: list[tuple[str, str, int]]) -> list[DialogueLine]:
    session, lines, number = Session().open(), [], 0
    for kind, text, count in steps:
        if kind == "send":
            session.send(
                *[f"{text} {number + at} 0" if text in ("RETR", "DELE", "TOP") else text for at in range(count)]
            )
            number += count
        elif kind == "reply":
            session.reply(*[text] * min(count, session.waiting))
        else:
            lines += session.close().lines
            session = Session(run=session.session.run + 1).open()
    return lines + session.lines


def described(rows: ExchangeRows) -> list[tuple[object, ...]]:
    return [
        (row.key, is_member(row), row.command, row.result, row.outcome, row.error, row.octets, row.milliseconds)
        for row in rows.rows()
    ]


def unfold_all(rows: ExchangeRows) -> None:
    for row in rows.rows():
        if isinstance(row, Run) and not row.unfolded:
            rows.toggle(row)


@example([("send", "DELE", 1), ("send", "DELE", 2), ("reply", "-ERR", 1)], 2, "")
@given(STEPS, st.integers(1, 7), st.sampled_from(["", "+OK", "!+OK", "RETR"]))
def test_rows_do_not_depend_on_how_lines_arrive(steps: list[tuple[str, str, int]], size: int, words: str) -> None:
    lines = dialogue(steps)
    bit_by_bit, at_once = ExchangeRows(), ExchangeRows()
    bit_by_bit.set_filter(words)
    for start in range(0, len(lines), size):
        bit_by_bit.add(lines[start : start + size])
        unfold_all(bit_by_bit)
        assert [bit_by_bit.index(row) for row in bit_by_bit.rows()] == list(range(len(bit_by_bit.rows())))
    at_once.add(lines)
    at_once.set_filter(words)
    unfold_all(at_once)
    assert described(bit_by_bit) == described(at_once)


@given(STEPS, st.integers(1, 7), st.integers(1, 20))
def test_only_the_newest_lines_are_kept(steps: list[tuple[str, str, int]], size: int, limit: int) -> None:
    lines = dialogue(steps)
    rows, complete = ExchangeRows(limit), ExchangeRows()
    complete.add(lines)
    for start in range(0, len(lines), size):
        rows.add(lines[start : start + size])
        unfold_all(rows)
    unfold_all(complete)
    kept = [row for row in rows.rows() if isinstance(row, Exchange)]
    assert sum(each.lines for each in kept) <= limit
    every = sorted((row for row in complete.rows() if isinstance(row, Exchange)), key=lambda each: each.order)
    assert sorted(each.order for each in kept) == [each.order for each in every[len(every) - len(kept) :]]


@given(STEPS)
def test_every_exchange_is_in_one_run_of_its_kind(steps: list[tuple[str, str, int]]) -> None:
    rows = ExchangeRows()
    rows.add(dialogue(steps))
    runs = rows._folding.runs
    assert sorted(run.key for run in runs) == [run.key for run in runs]
    members = Counter(member.order for run in runs for member in run.members)
    assert members == Counter(range(len(members)))
    for run in runs:
        assert all(member.run is run for member in run.members)
        assert len({(member.session, member.verb) for member in run.members}) == 1
        outcomes = {member.outcome for member in run.members}
        assert outcomes <= {Outcome.OK, Outcome.WAITING} or len(outcomes) == 1
        assert Outcome.ERROR not in outcomes or run.count == 1
        good = [member for member in run.members if member.outcome is Outcome.OK]
        assert run.good == len(good)
        assert (run.octets or 0) == sum(member.octets or 0 for member in good)
