"""Whatever a server sends without end, little of it is kept."""

from __future__ import annotations

import itertools

import pytest

from tui_popretr.pop3 import (
    Auth,
    Capa,
    Command,
    List,
    Listing,
    Machine,
    Noop,
    RemoteProtocolError,
    Reply,
    Retr,
    Stat,
    Uidl,
    parse_uidl,
)
from tui_popretr.pop3.collector import MAX_ROW
from tui_popretr.pop3.message import HELD

from .dialogue import feed, greeted, logged_in


def flood(machine: Machine, opening: bytes, unit: bytes, bound: int) -> int:
    """Feed without end until the machine refuses; return the most octets it held. More than `bound` fails."""
    most = 0
    with pytest.raises(RemoteProtocolError) as caught:
        for piece in itertools.chain([opening], itertools.repeat(unit)):
            machine.receive(piece)
            most = max(most, machine.buffered)
            assert most <= bound
        raise AssertionError("unreachable")
    assert len(str(caught.value)) < 400
    assert machine.buffered == 0
    return most


def with_sent(command: Command) -> Machine:
    machine = greeted() if isinstance(command, Capa | Auth) else logged_in()
    machine.send(command)
    return machine


def counted(command: Command, count: int) -> Machine:
    """A machine that has sent a command behind STAT, whose answer has come."""
    machine = logged_in()
    machine.send_many([Stat(), command])
    machine.receive(b"+OK %d 1\r\n" % count)
    return machine


@pytest.mark.parametrize("unit", [b"x", b"x" * 700, b"\r", b" \0", b"-ERR"])
def test_endless_status_line(unit: bytes) -> None:
    assert flood(Machine(), b"+OK ", unit, 1024) > 300
    assert flood(with_sent(Stat()), b"-ERR ", unit, 1024) > 300
    # nobody asked
    assert flood(logged_in(), b"-ERR ", unit, 1024) > 300


def test_status_lines_may_be_twice_as_long_as_allowed() -> None:
    for length, fits in ((512, True), (1024, True), (1025, False)):
        line = b"+OK ".ljust(length - 2, b"x") + b"\r\n"
        for pieces in ([line], [line[:600], line[600:]]):
            assert (feed(with_sent(Noop()), pieces)[1] is None) is fits


def test_endless_challenge() -> None:
    assert flood(with_sent(Auth("CRAM-MD5")), b"+ ", b"PDE+" * 100, 12_288) > 11_000


def test_challenges_have_room() -> None:
    for length, fits in ((12_288, True), (12_289, False)):
        line = b"+ ".ljust(length - 2, b"A") + b"\r\n"
        assert (feed(with_sent(Auth("CRAM-MD5")), [line])[1] is None) is fits


def test_endless_capabilities() -> None:
    for unit in (b"x" * 999, b"X-Y z\r\n" * 99, b"\n" * 999):
        assert flood(with_sent(Capa()), b"+OK\r\n", unit, 66 * 1024) > 60_000


def test_endless_rows() -> None:
    for command in (List(), Uidl()):
        assert flood(counted(command, 84), b"+OK\r\n", b"1 a\r\n", 1000) >= 500
        assert flood(counted(command, 84), b"+OK\r\n", b"\n", 1000) >= 100


def test_endless_row() -> None:
    for command in (List(), Uidl()):
        for unit in (b"x", b"x\0", b"\r", b"x" * 700):
            assert flood(with_sent(command), b"+OK\r\n1 1\r\n", unit, 5 + MAX_ROW) >= MAX_ROW - 700


def test_listing_of_twelve_megabytes() -> None:
    row = b"1 " + b"x" * 120 + b"\r\n"
    assert flood(with_sent(Uidl()), b"+OK\r\n", row * 1000, 13 << 20) > 11 << 20


@pytest.mark.parametrize("command", [List(), Uidl()])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_rows_of_the_greatest_length(command: Command, end: bytes) -> None:
    for length, fits in ((MAX_ROW, True), (MAX_ROW + 1, False)):
        row = b"1 ".ljust(length - len(end), b"x") + end
        wire = b"+OK\r\n" + row + b"1 1" + end + row + b"." + end
        ends = [at for at in range(len(wire)) if wire[at : at + 1] == b"\n"]
        for cut in sorted({0, 100, *(at + near for at in ends for near in range(-3, 4))}):
            assert (feed(with_sent(command), [wire[:cut], wire[cut:]])[1] is None) is fits


def test_a_long_row_concerns_one_message() -> None:
    for length in (90, 130, 300, 1000, 3000, 8000):
        for octet in (b"x", b"\xe9", b" ", b"\0"):
            wire = b"+OK\r\n1 " + octet * length + b"\r\n2 b\r\n.\r\n"
            events, error = feed(with_sent(Uidl()), [wire[at : at + 61] for at in range(0, len(wire), 61)])
            assert error is None
            listing = events[-1]
            assert isinstance(listing, Listing)
            uids = parse_uidl(listing.data, 2)
            assert uids.pop(2) == "b"
            usable = length <= 1000 and octet not in (b" ", b"\0")
            assert uids == ({1: octet.decode("latin-1") * length} if usable else {})


def test_rows_of_the_greatest_number() -> None:
    """As many as STAT told, and 16."""
    for count, fits in ((19, True), (20, False)):
        for machine in (counted(List(), 3), counted(Uidl(), 3)):
            events, error = feed(machine, [b"+OK\r\n" + b"1 1\r\n" * count + b".\r\n"])
            assert (error is None) is fits
            assert isinstance(events[-1], Listing) is fits


@pytest.mark.parametrize("command", [List(), Uidl()])
def test_the_number_in_stat_is_believed_up_to_a_bound(command: Command) -> None:
    """Reading millions of rows would keep all clients waiting, and the octets have no room for that many messages."""
    _, error = feed(counted(command, 2**31), [b"+OK\r\n", b"1\n" * 1_000_016, b".\n"])
    assert error is None
    _, error = feed(counted(command, 2**31), [b"+OK\r\n", b"1\n" * 1_000_017, b".\n"])
    assert "more than 1000016 rows" in str(error)
    assert len(b"%d 300\r\n" % 1_000_016) * 1_000_016 > 12 << 20


@pytest.mark.parametrize("stat", [b"+OK 3 1\r\n", b"-ERR 3 1\r\n", b"+OK many\r\n"])
def test_the_number_may_come_when_all_was_asked_for(stat: bytes) -> None:
    """It bounds both listings, however the octets are cut; without a number other bounds have to do."""
    listing = b"+OK\r\n" + b"1 1\r\n" * 19 + b".\r\n"
    for excess in (0, 1):
        rows = listing.replace(b".\r\n", b"1 1\r\n" * excess + b".\r\n")
        wire = stat + listing + rows
        for pieces in ([wire], [wire[at : at + 1] for at in range(len(wire))], [stat, listing, rows]):
            machine = logged_in()
            machine.send_many([Stat(), Uidl(), List()])
            events, error = feed(machine, pieces)
            assert (error is None) is (not excess or stat != b"+OK 3 1\r\n")
            assert [type(event) for event in events[:3]] == [Reply, Reply, Listing]


def test_the_last_number_counts() -> None:
    machine = counted(Stat(), 3)
    assert feed(machine, [b"+OK 4 1\r\n"])[1] is None
    machine.send(List())
    assert feed(machine, [b"+OK\r\n" + b"1 1\r\n" * 20 + b".\r\n"])[1] is None


def test_messages_are_not_kept() -> None:
    for unit in (b"x", b"\r", b"\n", b".", b"\r\n", b"\r\n..", b"x" * 5000, b"\r\n.\r"):
        machine = with_sent(Retr(1))
        machine.receive(b"+OK\r\n")
        received = 0
        for _ in range(500):
            machine.receive(unit)
            received += len(unit)
            assert machine.buffered <= 4
        assert machine.answering
        assert received >= 500


@pytest.mark.parametrize("unit", [b"\n..", b"\n..x" * 100, b"..\n" * 1000, b"x\n..\n" * 20_000])
def test_little_of_a_message_with_bare_line_feeds_is_kept(unit: bytes) -> None:
    machine = with_sent(Retr(1))
    machine.receive(b"+OK\r\n")
    received = 0
    while received < 4 * HELD:
        machine.receive(unit)
        received += len(unit)
        assert machine.buffered <= HELD
    assert machine.buffered <= 4


def test_what_follows_the_end_is_not_kept() -> None:
    machine = Machine()
    machine.receive(b"-ERR go away\r\n")
    for _ in range(100):
        assert machine.receive(b"and stay there" * 100) == []
        assert machine.buffered == 0
