"""Reading STAT, LIST and UIDL."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_popretr.pop3 import RemoteProtocolError, parse_list, parse_stat, parse_uidl


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"2 320", (2, 320)),
        (b"0 0", (0, 0)),
        (b"2 320 and more", (2, 320)),
        (b" 2\t 320 ", (2, 320)),
        (b"2147483648 4611686018427387904", (2**31, 2**62)),
    ],
)
def test_stat(text: bytes, value: tuple[int, int]) -> None:
    assert parse_stat(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"2",
        b"-1 320",
        b"2 -320",
        b"+2 320",
        b"2,320",
        b"2 320x",
        b"0x2 320",
        b"2147483649 1",
        b"1 9223372036854775809",
        b"1 " + b"9" * 500,
        b"two 320",
        b"\x1b[2J 1",
    ],
)
def test_stat_that_makes_no_sense(text: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_stat(text)
    assert "\x1b" not in str(caught.value)


def test_list() -> None:
    assert parse_list(b"1 120\r\n2 200\r\n", 2) == {1: 120, 2: 200}
    assert parse_list(b"", 0) == {}
    assert parse_list(b"2 200 extra words\r\n 1  120 \r\n", 2) == {1: 120, 2: 200}


def test_list_rows_that_make_no_sense() -> None:
    data = b"0 5\r\n4 5\r\n1\r\nx 5\r\n2 -5\r\n-3 5\r\n3 5x\r\n1 99999999999999999999\r\n\r\n2 7\r\n2 8\r\n3 4 \r\n"
    assert parse_list(data, 3) == {1: None, 2: 7, 3: 4}


@pytest.mark.parametrize(
    "row",
    [
        b"1 %!d(float64=461)",
        b"1 -1",
        b"1",
        b" 1 ",
        b"1\t",
        b"1 +7",
        b"1 7x",
        b"1 0x7",
        b"1 7.5",
        b"1 4611686018427387905",
        b"1 " + b"9" * 21,
        b"1 \xe9",
        b"1 octets 7",
    ],
)
def test_a_list_row_without_a_usable_size(row: bytes) -> None:
    assert parse_list(row + b"\r\n2 7\r\n", 2) == {1: None, 2: 7}
    assert parse_list(b"2 7\n" + row + b"\n", 2) == {1: None, 2: 7}
    assert parse_list(row + b"\r\n1 8\r\n", 1) == {1: 8}
    assert parse_list(b"1 8\r\n" + row + b"\r\n", 1) == {1: 8}


@pytest.mark.parametrize("row", [b"", b" ", b"x", b"1x 7", b"1x", b"-1 7", b"12345678901 7", b"1\0", b"1. 7"])
def test_a_list_row_without_a_message_number_is_left_out(row: bytes) -> None:
    assert parse_list(row + b"\r\n2 7\r\n", 2) == {2: 7}


def test_list_rows_are_not_read_across_their_ends() -> None:
    assert parse_list(b"1\r\n2\r\n3 4\r\n", 3) == {1: None, 2: None, 3: 4}
    assert parse_list(b"1 \r\n5\r\n", 5) == {1: None, 5: None}


def test_uidl() -> None:
    longest = b"x" * 1000
    data = b"1 whqtswO00WBw418f9t5JxYwZ\r\n2 " + longest + b"\r\n3 !~<>/\\.\r\n"
    assert parse_uidl(data) == {1: "whqtswO00WBw418f9t5JxYwZ", 2: "x" * 1000, 3: r"!~<>/\."}
    assert parse_uidl(data, 2) == {1: "whqtswO00WBw418f9t5JxYwZ", 2: "x" * 1000}


@pytest.mark.parametrize(
    ("row", "uid"),
    [
        (b"1 " + b"x" * 90, "x" * 90),
        (b"1 " + b"x" * 130, "x" * 130),
        (b"1 " + b"x" * 300, "x" * 300),
        (b"1 two words", "two words"),
        (b"1  two  words \t", "two  words"),
        (b"1\ta", "a"),
        (b" 01 a ", "a"),
        (b"1 caf\xe9", "caf\xe9"),
        (b"1 \x80\x9f\xff", "\x80\x9f\xff"),
        ("1 größe".encode(), "größe".encode().decode("latin-1")),
        (b"1 size 7", "size 7"),
        (b"1 \xa0", "\xa0"),
    ],
)
def test_a_uid_is_opaque(row: bytes, uid: str) -> None:
    for end in (b"\r\n", b"\n"):
        assert parse_uidl(row + end + b"2 good" + end) == {1: uid, 2: "good"}
        assert parse_uidl(b"2 good" + end + row + end) == {1: uid, 2: "good"}


@pytest.mark.parametrize(
    "bad", [b"", b" ", b"\t ", b"x" * 1001, b"x" * 3000, b"a\tb", b"a\x7f", b"a\x1b", b"a\rb", b"a\r", b"\0", b"a\x1fb"]
)
def test_uids_that_count_as_none(bad: bytes) -> None:
    assert parse_uidl(b"1 " + bad + b"\r\n2 good\r\n") == {2: "good"}
    assert parse_uidl(b"2 good\r\n1 " + bad + b"\r\n") == {2: "good"}


def test_uids_that_are_not_unique_count_as_none() -> None:
    assert parse_uidl(b"1 a\r\n2 b\r\n3 a\r\n4 A\r\n") == {2: "b", 4: "A"}
    # the other one being out of range makes it no more trustworthy
    assert parse_uidl(b"1 a\r\n9 a\r\n2 b\r\n", 2) == {2: "b"}


def test_repeated_and_impossible_numbers_have_no_uid() -> None:
    assert parse_uidl(b"1 a\r\n1 b\r\n0 c\r\n3 d\r\n-4 e\r\n99999999999 f\r\n") == {3: "d"}
    assert parse_uidl(b"1 a\r\n1 " + b"x" * 1001 + b"\r\n") == {}
    assert parse_uidl(b"1 a\r\n1\r\n2 b\r\n") == {2: "b"}


@settings(max_examples=100)
@given(st.lists(st.sampled_from([b"1", b"2", b"70", b" ", b"\r\n", b"\n", b"\r", b"abc", b"\t", b"-", b"\xff", b"0"])))
def test_any_rows(words: list[bytes]) -> None:
    data = b"".join(words)
    for message, uid in parse_uidl(data, 100).items():
        assert 1 <= message <= 100
        assert uid.encode("latin-1") in data
        assert uid == uid.strip(" \t")
        assert not re.search("[\x00-\x1f\x7f]", uid)
    for message, size in parse_list(data, 100).items():
        assert 1 <= message <= 100
        assert size is None or size >= 0


OTHERS = {2: "b", 3: "two words", 4: "\xe9"}


@settings(max_examples=200)
@given(
    st.binary(max_size=30) | st.binary(min_size=100, max_size=1100),
    st.integers(0, 3),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_a_uidl_row_of_any_octets_concerns_no_other_message(octets: bytes, place: int, end: bytes) -> None:
    row = b"1 " + octets.replace(b"\n", b" ")
    rows = [b"%d %b" % (number, uid.encode("latin-1")) for number, uid in OTHERS.items()]
    rows.insert(place, row)
    uids = parse_uidl(b"".join(each + end for each in rows), 4)
    uid = uids.pop(1, None)
    assert uid is None or uid.encode("latin-1") == octets.replace(b"\n", b" ").removesuffix(b"\r").strip(b" \t")
    assert uids == OTHERS or octets.strip() in (b"b", b"two words", b"\xe9")


def test_a_hundred_thousand_rows() -> None:
    count = 100_000
    uids = b"".join(b"%d %070d\r\n" % (i, i) for i in range(1, count + 1))
    sizes = b"".join(b"%d %d\r\n" % (i, i * 3) for i in range(1, count + 1))
    assert parse_uidl(uids, count)[count] == f"{count:070}"
    assert parse_list(sizes, count) == {i: i * 3 for i in range(1, count + 1)}
