"""Headers by TOP, from servers that do it well and badly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.session.test_connection import Connection
from tui_popretr.commands import MessageKey
from tui_popretr.errors import ProtocolViolation
from tui_popretr.session import headers as module
from tui_popretr.session.headers import Header, find, read_headers
from tui_popretr.session.plan import Listed


async def ask(connection: Connection, *numbers: int, pipelining: bool = True) -> dict[int, Header]:
    listed = [Listed(number, None, 100) for number in numbers]
    return await read_headers(connection.pop3, listed, pipelining=pipelining)


async def answer(connection: Connection, *replies: tuple[str, ...]) -> list[str]:
    """Answer each command, in order; return what was asked."""
    heard = []
    for reply in replies:
        heard.append(await connection.peer.heard())
        await connection.peer.say(*reply)
    return heard


async def both(connection: Connection, *numbers: int, replies: list[tuple[str, ...]]) -> dict[int, Header]:
    found: dict[int, Header] = {}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, connection, *replies)
        found |= await ask(connection, *numbers)
    return found


@trio_test
async def test_one_that_is_refused_is_missing(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    replies = [("+OK", "Subject: 9", "", "."), ("-ERR gone",), ("+OK", "Subject: 7", "", ".")]
    found = await both(connection, 9, 8, 7, replies=replies)
    assert {number: header.hasher.headline.subject for number, header in found.items()} == {9: "9", 7: "7"}
    assert found[9].digest != found[7].digest


@trio_test
async def test_the_first_may_be_refused(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    replies = [("-ERR locked",), ("+OK", "Subject: 8", "", "."), ("+OK", "Subject: 7", "", ".")]
    assert set(await both(connection, 9, 8, 7, replies=replies)) == {8, 7}


@trio_test
async def test_a_server_without_top_is_not_asked_for_all(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    refused: list[tuple[str, ...]] = [("-ERR unknown command",)] * module.REFUSALS
    assert await both(connection, *range(20, 0, -1), replies=refused) == {}
    asked = [line.text for line in connection.lines if line.text.startswith("TOP")]
    assert asked == [f"TOP {number} 0" for number in range(20, 20 - module.REFUSALS, -1)]


@trio_test
async def test_a_header_without_an_end(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OCTETS", 1000)
    connection = Connection()
    await connection.log_in()
    with pytest.RaisesGroup(pytest.RaisesExc(ProtocolViolation, match="the answer to TOP 1 does not end")):
        await both(connection, 1, replies=[("+OK", *["X: endless"] * 200)])


def test_messages_are_found_by_their_uids() -> None:
    listing = [Listed(1, "a", 10), Listed(2, "b", 20), Listed(3, None, 30)]
    by_uid, by_number = MessageKey(7, "b", 99), MessageKey(3, None, 30)
    gone = [
        MessageKey(1, "c", 10),
        MessageKey(3, None, 31),
        MessageKey(1, None, 10),  # it had no UID when it was listed
        MessageKey(3, "", 30),
    ]
    assert find(listing, [by_uid, *gone, by_number]) == {by_uid: listing[1], by_number: listing[2]}


def test_a_thousand_messages_of_many_are_found_in_one_pass() -> None:
    passes = 0

    def listing() -> Iterator[Listed]:
        nonlocal passes
        passes += 1
        yield from (Listed(number, f"u{number}", 1) for number in range(2000))

    assert len(find(listing(), [MessageKey(1, f"u{number}", 1) for number in range(1000, 3000)])) == 1000
    assert passes == 1
