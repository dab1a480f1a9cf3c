"""Queries: requests whose answers are objects, and take as long as a session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from trio.testing import MockClock, trio_test

from tests.control.serving import Connection, check_request, serving
from tests.support.clock import FakeClock
from tui_popretr.answers import (
    Answer,
    Done,
    Preview,
    Statistics,
    Tally,
    WaitingMail,
    WaitingMessage,
    WaitingReason,
)
from tui_popretr.commands import (
    DeleteMessages,
    FetchMessages,
    ListWaiting,
    MessageKey,
    PreviewMessage,
    Query,
    ReadStatistics,
    SkipMessages,
)
from tui_popretr.control import messages
from tui_popretr.control.codec import from_json, to_json
from tui_popretr.control.messages import MAX_LINE, Request
from tui_popretr.control.requests import MOST_MESSAGES, query_of, request_of_query
from tui_popretr.control.server import MAX_QUERIES

KEY = MessageKey(3, "u3", 120, "ab")
NOW = FakeClock().now()
SNOW = "\N{SNOWMAN}" * 320
MESSAGE = WaitingMessage(3, "u3", 120, WaitingReason.NEW, "new", "a@b", "Ann", "hello", "today", "ab")
QUERIES: dict[Query, Answer] = {
    ReadStatistics(): Statistics(None, (Tally(NOW, 2, 1, 3, 400),), ()),
    ReadStatistics("a"): Statistics("a", (), (Tally(NOW, 2, 1, 3, 400),), 1.5, 1000.0),
    ListWaiting("a"): WaitingMail("a", NOW, 1, 120, (MESSAGE,), "no headers"),
    PreviewMessage("a", KEY): Preview("a", 3, "Subject: hello\r\n", cut=True),
    FetchMessages("a", (KEY,)): Done(("message 3 is retrieved now",)),
    DeleteMessages("a", (KEY, MessageKey(4, None, 5))): Done(("gone", "left"), 1),
    SkipMessages("a", (KEY,)): Done(("skipped",)),
}


def test_every_query_is_here() -> None:
    assert {type(each) for each in QUERIES} == set(get_args(Query))


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: type(query).__name__)
@trio_test
async def test_a_query_and_its_answer(query: Query, tmp_path: Path, autojump_clock: MockClock) -> None:
    name, fields, kind = request_of_query(query)
    check_request(json.loads(messages.text({"id": 1, "request": name, **fields})))
    async with serving(tmp_path, "a") as served:
        served.daemon.answer = QUERIES[query]
        served.daemon.answering.set()
        answer = await (await served.connect()).ask(name, **fields)
        assert served.daemon.queries == [query]
    assert from_json(kind, answer) == QUERIES[query]


@trio_test
async def test_a_preview_in_another_charset(tmp_path: Path, autojump_clock: MockClock) -> None:
    preview = Preview("a", 3, b"Subject: gr\xfc\xdfe\r\n".decode("utf-8", "surrogateescape"), cut=False)
    async with serving(tmp_path, "a") as served:
        served.daemon.answer = preview
        served.daemon.answering.set()
        answer = await (await served.connect()).ask("preview", client="a", messages=[to_json(KEY)])
    assert from_json(Preview, answer) == preview


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"request": "waiting"}, 'waiting needs "client": ID'),
        ({"request": "delete", "client": "a"}, f'delete needs 1 to {MOST_MESSAGES} messages in "messages"'),
        ({"request": "preview", "client": "a"}, 'preview needs one message in "messages"'),
        ({"request": "preview", "client": "a", "messages": (KEY, MessageKey(1, "u", 1))}, "preview needs one message"),
        ({"request": "delete", "client": "a", "messages": (MessageKey(0, "u", 1),)}, "a message has a number from 1"),
        ({"request": "delete", "client": "a", "messages": (MessageKey(1, "u", -1),)}, "a message has a number from 1"),
        ({"request": "skip", "client": "a", "messages": (MessageKey(1, "u", 10**400),)}, "a message has a number"),
        (
            {"request": "skip", "client": "a", "messages": tuple(MessageKey(n, None, 1) for n in range(1, 1002))},
            "skip needs",
        ),
    ],
)
def test_a_query_that_is_refused(fields: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        query_of(Request(1, **fields))


def test_a_message_that_is_named_twice_counts_once() -> None:
    assert query_of(Request(1, "skip", "a", messages=(KEY, KEY))) == SkipMessages("a", (KEY,))


@trio_test
async def test_a_query_delays_no_other_request(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        connection = await served.connect()
        asked = await connection.send("waiting", client="a")
        assert await connection.ask("reload") == "done"
        served.daemon.answer = ValueError("the server is unreachable")
        served.daemon.answering.set()
        assert await connection.receive() == {"id": asked, "error": "the server is unreachable"}


@trio_test
async def test_queries_of_a_connection_are_bounded(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        connection = await served.connect()
        for _ in range(MAX_QUERIES):
            await connection.send("waiting", client="a")
        assert "wait for mail servers already" in await connection.ask("waiting", client="a")
        served.daemon.answering.set()
        for _ in range(MAX_QUERIES):
            await connection.receive()
        assert await connection.ask("waiting", client="a") == {"texts": ["done"], "failed": 0}


@trio_test
async def test_a_list_that_is_too_long_for_a_line(tmp_path: Path, autojump_clock: MockClock) -> None:
    huge = WaitingMessage(1, "u" * 500, 1, WaitingReason.FAILED, "failed " * 100, SNOW, SNOW, SNOW, "d", "ab")
    async with serving(tmp_path, "a") as served:
        served.daemon.answer = WaitingMail("a", NOW, 500, 500, (huge,) * 500)
        served.daemon.answering.set()
        connection = await served.connect()
        answer = await connection.ask("waiting", client="a")
    assert 100 < len(answer["messages"]) < 500
    assert answer["remark"] == f"only the latest {len(answer['messages'])} fit into the answer"
    assert len(messages.encode({"ok": answer})) <= MAX_LINE


@trio_test
async def test_a_client_that_leaves_ends_its_queries(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        connection = Connection(await served.open())
        await connection.receive()
        await connection.send("waiting", client="a")
        await connection.stream.aclose()
        assert await (await served.connect()).ask("reload") == "done"
