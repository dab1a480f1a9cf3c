"""Requests and answers of the Gmail API, without a network."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.config.choices import GmailDate
from tui_popretr.config.model import GmailDestination
from tui_popretr.delivery.gmail.api import (
    NotUnderstood,
    fields_of,
    found_ids,
    identifier_of,
    import_path,
    is_message,
    is_same_size,
    is_searchable,
    labels_of,
    message_path,
    multipart,
    search_path,
)
from tui_popretr.delivery.gmail.marks import SEARCH_DELAY, Mark


def test_the_import() -> None:
    path = import_path(GmailDestination("me@gmail.test"))
    assert path == (
        "/upload/gmail/v1/users/me/messages/import?uploadType=multipart&internalDateSource=dateHeader"
        "&neverMarkSpam=false&processForCalendar=false&fields=id%2ClabelIds"
    )
    other = GmailDestination("me@gmail.test", never_spam=True, calendar=True, date=GmailDate.RECEIVED)
    query = parse_qs(urlsplit(import_path(other)).query)
    assert query["internalDateSource"] == ["receivedTime"]
    assert query["neverMarkSpam"] == query["processForCalendar"] == ["true"]


def test_a_multipart_body() -> None:
    form = multipart(("INBOX", "Label_1"), "limit")
    assert form.content_type == "multipart/related; boundary=limit"
    assert form.before == (
        b'--limit\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{"labelIds": ["INBOX", "Label_1"]}\r\n'
        b"--limit\r\nContent-Type: message/rfc822\r\n\r\n"
    )
    assert form.after == b"\r\n--limit--\r\n"


@pytest.mark.parametrize(
    "message_id", ["a@b", "A.1-2_3+x=y@host.example", "CAF%d&b?c#e@b.test", "a/b!c@[192.0.2.1]", "x" * 250]
)
def test_message_ids_that_are_searched(message_id: str) -> None:
    assert is_searchable(message_id)
    query = parse_qs(urlsplit(search_path(message_id)).query)
    assert query["q"] == [f"rfc822msgid:{message_id}"]
    assert query["includeSpamTrash"] == ["true"]


@pytest.mark.parametrize(
    "message_id",
    [None, "", "a b@c", "a OR in:inbox", '"a"@b', "a)b", "{a}", "ä@b", "a\\b", "a<b", "x" * 251, "a@b\n", "a,b"],
)
def test_message_ids_that_are_not_searched(message_id: str | None) -> None:
    assert not is_searchable(message_id)


def test_the_path_of_a_message() -> None:
    assert message_path("19e/..").startswith("/gmail/v1/users/me/messages/19e%2F..?format=metadata&")


@pytest.mark.parametrize(
    ("estimate", "octets", "same"),
    [
        (1000, 1000, True),
        (1512, 1000, True),
        (1513, 1000, False),
        (0, 600, False),
        (105_000, 100_000, True),
        (105_001, 100_000, False),
        (95_000, 100_000, True),
        (94_999, 100_000, False),
    ],
)
def test_sizes(estimate: int, octets: int, same: bool) -> None:
    assert is_same_size(estimate, octets) is same


def found(**fields: Any) -> dict[str, Any]:
    headers = [{"name": "Message-Id", "value": " <a@b> "}]
    return {"sizeEstimate": 100, "payload": {"headers": headers}, **fields}


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        (found(), True),
        (found(sizeEstimate=2000), False),
        (found(sizeEstimate="100"), False),
        (found(payload={"headers": [{"name": "Message-ID", "value": "<other@b>"}]}), False),
        (found(payload={"headers": [None, {"name": 1}]}), False),
        (found(payload=None), False),
        ({}, False),
    ],
)
def test_whether_a_message_is_the_one(fields: dict[str, Any], same: bool) -> None:
    assert is_message(fields, "a@b", 100) is same


def test_answers() -> None:
    assert identifier_of({"id": "19e0"}) == "19e0"
    assert labels_of({"labels": [{"id": "L1", "name": "A/B"}, {"id": "L2"}, None]}) == {"A/B": "L1"}
    assert labels_of({}) == {}
    assert found_ids({"messages": [{"id": "1"}, {"id": "2"}]}) == ["1", "2"]
    assert found_ids({"resultSizeEstimate": 0}) == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b"\xff", b"[" * 100_000, b'{"id": "19e', b"NaN"])
def test_answers_that_are_no_objects(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        fields_of(body)


@pytest.mark.parametrize("value", [None, 1, "", "a b", "a\n", "x" * 201, ["a"], {}])
def test_answers_without_an_id(value: object) -> None:
    with pytest.raises(NotUnderstood):
        identifier_of({"id": value})


@pytest.mark.parametrize("fields", [{"messages": 1}, {"messages": [1]}, {"messages": [{}]}])
def test_searches_that_cannot_be_understood(fields: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood):
        found_ids(fields)


# --- marks ----------------------------------------------------------------------------------------------------------


@given(st.text(), st.integers(0, 2**40), st.integers(0, 2**40), st.lists(st.text(), max_size=3).map(tuple))
def test_a_mark_as_text(message_id: str, octets: int, at: int, others: tuple[str, ...]) -> None:
    mark = Mark(message_id, octets, at, others)
    assert Mark.read(str(mark)) == mark


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"id": "a", "size": null, "at": 1, "not": []}', "\x00"])
def test_an_invalid_mark(text: str) -> None:
    assert Mark.read(text) is None


@given(st.dictionaries(st.sampled_from(("id", "size", "at", "not")), st.none() | st.integers() | st.text(max_size=3)))
def test_any_mark(fields: dict[str, Any]) -> None:
    Mark.read(json.dumps(fields))


@pytest.mark.parametrize(
    ("now", "cut", "wait"),
    [(100, 0, 60), (159, 0, 1), (160, 0, 0), (150, 140, 50), (200, 140, 0), (200, 141, 1), (99, 0, 0)],
)
def test_when_to_ask(now: float, cut: float, wait: float) -> None:
    assert SEARCH_DELAY == 60
    assert Mark("a", 1, 100).wait(now, cut) == wait


@pytest.mark.parametrize(("now", "cut", "wait"), [(100, 0, 560), (659, 0, 1), (660, 0, 0), (200, 140, 0), (99, 0, 0)])
def test_a_large_message_was_under_way_for_long(now: float, cut: float, wait: float) -> None:
    assert Mark("a", 25_000_000, 100).wait(now, cut) == wait
