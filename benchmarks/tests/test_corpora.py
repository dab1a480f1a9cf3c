"""Messages are the same each time, differ from each other, and are known again whatever was put above them."""

from __future__ import annotations

import random

import pytest

from benchmarks.corpora import MARK, Corpus, corpora, identify
from tests.support.dovecot import as_retrieved


@pytest.mark.parametrize("name", sorted(corpora(quick=True)))
def test_every_message_has_a_name_and_a_content_of_its_own(name: str) -> None:
    corpus = corpora(quick=True)[name]
    found = [identify(message) for account in corpus.names for message in corpus.of(account)]
    assert len(found) == corpus.messages
    assert len(dict(found)) == len({content for _, content in found}) == corpus.messages
    assert {message.rpartition(".")[0] for message, _ in found} <= set(corpus.names)


def test_messages_are_the_same_each_time() -> None:
    corpus = corpora(quick=True)["mixed"]
    assert list(corpus.of("mixed0")) == list(corpus.of("mixed0"))


def test_sizes_are_those_that_are_told() -> None:
    small = list(corpora(quick=True)["small"].of("small0"))
    assert all(4000 < len(message) < 4150 for message in small)
    mixed = sorted(len(message) for message in corpora()["mixed"].of("mixed0"))
    assert 6000 < mixed[len(mixed) // 2] < 11_000
    assert sum(size > 1_000_000 for size in mixed) == 8
    (large,) = Corpus("large", 1, 1, corpora()["large"].make).of("large0")
    assert 24_000_000 < len(large) < 26_000_000


def test_the_full_sizes_are_those_of_the_documents() -> None:
    full = corpora()
    assert [full[name].messages for name in ("small", "mixed", "large", "growth-c")] == [2000, 500, 20, 100_000]
    assert (full["fleet"].accounts, full["fleet"].count) == (200, 25)


def test_added_fields_and_line_ends_do_not_matter() -> None:
    message = next(corpora(quick=True)["small"].of("small0"))
    arrived = b"Return-Path: <a@b.example>\nReceived: by c.example;\n\tnow\n" + message
    assert identify(arrived) == identify(message)
    assert identify(message.replace(b"\n", b"\r\n") + b"\r\n") == identify(message)
    assert identify(message)[0] == "small0.0"


def test_each_kind_of_message_is_recognised() -> None:
    for message in corpora()["mixed"].of("mixed0"):
        sent = as_retrieved(message)
        assert identify(sent) == identify(sent.replace(b"\r\n", b"\n")) == identify(message)


@pytest.mark.parametrize("position", [0, 5])
def test_an_octet_that_changed_is_seen(position: int) -> None:
    message = next(corpora(quick=True)["small"].of("small0"))
    at = message.index(b"\n\n") + 2 + position
    assert identify(message[:at] + b"#" + message[at + 1 :])[1] != identify(message)[1]


def test_what_is_no_message_of_ours_has_no_name() -> None:
    assert identify(b"Subject: hello\n\nX-Benchmark: in no header\n"[:16]) == ("", "")
    assert identify(b"") == ("", "")
    assert identify(b"Subject: " + MARK) == ("", "")


def test_an_account_of_another_name_has_other_messages() -> None:
    corpus = corpora(quick=True)["fleet"]
    first, second = (next(corpus.of(account)) for account in corpus.names[:2])
    assert identify(first) != identify(second)


def test_making_does_not_depend_on_what_was_made_before() -> None:
    make = corpora()["mixed"].make
    assert make(random.Random("x"), 4) == make(random.Random("x"), 4)
