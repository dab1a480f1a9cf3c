"""The window: what is sent when, how much is in flight, and that nothing is sent that may not be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.session.test_plan import record
from tui_popretr.pop3 import Dele, Noop, Quit, Retr, Top
from tui_popretr.session import window as module
from tui_popretr.session.matching import KnownMessages
from tui_popretr.session.plan import Fetch, Listed, Plan, Verify
from tui_popretr.session.window import Delete, Probe, Sending, Window


def fetches(count: int, octets: int = 100) -> list[Fetch | Verify]:
    return [Fetch(Listed(number, f"u{number}", octets)) for number in range(1, count + 1)]


def window(work: list[Fetch | Verify], *, pipelining: bool = True, deletions_last: bool = False) -> Window:
    plan = Plan(work)
    return Window(plan, KnownMessages(plan), pipelining=pipelining, deletions_last=deletions_last)


def sent(
    the: Window, received: int = 0, undurable: int = 0, *, under_way: bool = False, held: bool = False
) -> list[str]:
    commands = the.next_commands(received=received, undurable=undurable, under_way=under_way or held, held=held)
    return [command.shown() for command in commands]


def test_all_that_fits_is_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW", 250)
    the = window(fetches(9))
    assert sent(the) == ["RETR 1", "RETR 2", "RETR 3"]
    assert sent(the) == []
    assert sent(the, received=60) == ["RETR 4"]
    the.answered()
    assert sent(the) == []
    the.answered()
    assert sent(the) == ["RETR 5"]


def test_not_more_than_is_durable_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNDURABLE", 300)
    the = window(fetches(2))
    assert sent(the, undurable=300) == []
    assert sent(the, undurable=299) == ["RETR 1", "RETR 2"]


def test_not_more_commands_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COMMANDS", 2)
    the = window(fetches(3))
    assert sent(the) == ["RETR 1", "RETR 2"]
    the.answered()
    the.delete(Listed(1, "u1", 100), 7)
    assert sent(the) == ["DELE 1"]


def test_one_by_one_without_pipelining() -> None:
    the = window(fetches(2), pipelining=False)
    for number in (1, 2):
        assert sent(the) == [f"RETR {number}"]
        assert sent(the) == []
        the.answered()
    assert sent(the) == []
    assert the.finished(under_way=False)


def test_top_where_the_header_suffices() -> None:
    the = window([Verify(Listed(1, "u1", 1000), record())])
    assert sent(the) == ["TOP 1 0"]


def test_quit_goes_with_the_last_deletions() -> None:
    the = window(fetches(1))
    sent(the)
    the.answered()
    the.delete(Listed(1, "u1", 100), 7)
    assert sent(the) == ["DELE 1", "QUIT"]
    assert the.sending is Sending.QUIT
    assert the.head == Delete(Listed(1, "u1", 100), 7)


@pytest.mark.parametrize(("under_way", "pipelining"), [(True, True), (False, False)])
def test_no_early_quit(under_way: bool, pipelining: bool) -> None:
    the = window([], pipelining=pipelining)
    the.delete(Listed(1, "u1", 100), 7)
    assert sent(the, under_way=under_way) == ["DELE 1"]


def test_deletions_last() -> None:
    the = window(fetches(2), deletions_last=True)
    the.delete(Listed(9, "u9", 100), 7)
    assert sent(the) == ["RETR 1", "RETR 2"]
    the.answered()
    assert sent(the) == []
    the.answered()
    assert sent(the, under_way=True) == []
    assert sent(the) == ["DELE 9", "QUIT"]


def test_a_probe_only_if_nothing_else_is_in_flight() -> None:
    the = window(fetches(2), pipelining=False)
    assert sent(the, held=True) == ["RETR 1"]
    assert sent(the, held=True) == []
    the.answered()
    the.send_no_more_than(Sending.DELETIONS)
    assert sent(the, held=True) == ["NOOP"]
    assert the.head == Probe()


def test_jobs_that_come_back() -> None:
    first, second, third = fetches(3)
    the = window([second])
    the.retrieve_last(third)
    the.retrieve_next(first)
    assert sent(the) == ["RETR 1", "RETR 2", "RETR 3"]


@pytest.mark.parametrize(
    ("sending", "commands"),
    [
        (Sending.ALL, ["DELE 9", "RETR 1", "RETR 2"]),
        (Sending.DELETIONS, ["DELE 9", "QUIT"]),
        (Sending.NOTHING, []),
        (Sending.QUIT, []),
    ],
)
def test_what_may_be_sent(sending: Sending, commands: list[str]) -> None:
    the = window(fetches(2))
    the.delete(Listed(9, "u9", 100), 7)
    the.send_no_more_than(sending)
    assert sent(the) == commands
    before = the.sending
    if before >= Sending.NOTHING:
        the.delete(Listed(8, "u8", 100), 6)
        assert sent(the) == []
    the.send_no_more_than(Sending.ALL)
    assert the.sending is before


OPERATIONS = st.sampled_from(["send", "answer", "delete", "stop", "fail"])


@given(st.lists(st.tuples(OPERATIONS, st.integers(0, 400), st.booleans()), max_size=60), st.booleans(), st.booleans())
def test_what_always_holds(operations: list[tuple[str, int, bool]], pipelining: bool, deletions_last: bool) -> None:
    the = window(fetches(20), pipelining=pipelining, deletions_last=deletions_last)
    in_flight: list[object] = []
    requested = quits = 0
    stopped = failed = False
    for operation, octets, under_way in operations:
        if operation == "send":
            under_way = under_way and not quits  # QUIT is sent when no message is to come
            commands = the.next_commands(received=0, undurable=octets, under_way=under_way, held=under_way)
            assert not (commands and quits)
            for command in commands:
                match command:
                    case Retr() | Top():
                        assert not stopped
                        requested += 1
                    case Dele():
                        assert not failed
                        assert not (deletions_last and under_way)
                    case Noop():
                        assert commands == [command]
                        assert not in_flight
                    case Quit():
                        quits += 1
                        assert command is commands[-1]
                        assert not under_way
                        continue
                in_flight.append(command)
            assert len(in_flight) <= (module.MAX_COMMANDS if pipelining else 1)
            if quits:
                assert all(isinstance(each, Dele) for each in in_flight)
                assert stopped or requested == 20
        elif operation == "answer" and in_flight:
            assert (the.head is not None) == bool(in_flight)
            in_flight.pop(0)
            the.answered()
        elif operation == "delete":
            the.delete(Listed(octets + 1, None, 1), octets)
        elif operation == "stop":
            the.send_no_more_than(Sending.DELETIONS)
            stopped = True
        elif operation == "fail":
            the.send_no_more_than(Sending.NOTHING)
            stopped = failed = True
        assert (the.head is None) == (not in_flight)
