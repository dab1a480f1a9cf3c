"""What a folder is searched for, and which of its messages counts."""

from __future__ import annotations

import pytest

from tui_popretr.delivery.imap.connection import FolderState
from tui_popretr.delivery.imap.marks import Mark, Position, fitting

MARK = Mark("Ελληνικά", 7, 20, 1234, 'a"b\\c@x')


def test_a_mark_is_read_as_it_was_written() -> None:
    assert Mark.read(MARK.text()) == MARK
    assert Mark.read(Mark("INBOX", None, 1, 1, "a").text()).validity is None
    assert MARK.text().isascii()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        '{"folder":"x"}',
        '{"folder":1,"validity":1,"first":1,"size":1,"message_id":"a"}',
        '{"folder":"x","validity":0,"first":1,"size":1,"message_id":"a"}',
        '{"folder":"x","validity":1,"first":0,"size":1,"message_id":"a"}',
        '{"folder":"x","validity":1,"first":4294967296,"size":1,"message_id":"a"}',
        '{"folder":"x","validity":1,"first":1,"size":1,"message_id":"\u03b1"}',
        '{"folder":"x","validity":1,"first":"1","size":1,"message_id":"a"}',
        '{"folder":"x","validity":1,"first":1,"size":true,"message_id":"a"}',
        '{"folder":"x","validity":1,"first":1,"size":1,"message_id":"a","more":1}',
    ],
)
def test_invalid_marks(text: str) -> None:
    with pytest.raises(ValueError, match="not a mark"):
        Mark.read(text)


def test_uidvalidity() -> None:
    assert MARK.fits(FolderState(7, 99, 3))
    assert not MARK.fits(FolderState(8, 99, 3))
    assert Mark("x", None, 1, 1, "a").fits(FolderState(8, 99, 3)), "the folder did not exist"


@pytest.mark.parametrize(
    ("uids", "sizes", "taken", "found"),
    [
        ([], {}, [], []),
        ([20], {20: 1234}, [], [20]),
        ([19], {19: 1234}, [], []),  # `UID n:*` has the last message, whatever its UID is
        ([20], {20: 1235}, [], []),
        ([20], {}, [], []),
        ([22, 21], {21: 1234, 22: 1234}, [], [21, 22]),
        ([21, 22], {21: 1234, 22: 1234}, [21], [22]),
    ],
)
def test_which_message_counts(uids: list[int], sizes: dict[int, int], taken: list[int], found: list[int]) -> None:
    assert fitting(MARK, uids, sizes, taken) == found


def test_the_position_follows_what_is_appended() -> None:
    position = Position()
    assert position.mark("x", 1, "a") is None
    position.set(FolderState(7, 20, 3))
    assert position.mark("x", 1, None) is None
    position.appended([(7, 20), (7, 25), (7, 22)])
    assert position.mark("x", 1, "a") == Mark("x", 7, 26, 1, "a")


@pytest.mark.parametrize("places", [[None], [(7, 20), None], [(8, 21)], [(7, 4294967295)]])
def test_without_a_place_the_position_is_unknown(places: list[tuple[int, int] | None]) -> None:
    position = Position()
    position.set(FolderState(7, 20, 3))
    position.appended(places)
    assert not position.known
    assert position.mark("x", 1, "a") is None


def test_a_server_without_uidnext() -> None:
    position = Position()
    position.set(FolderState(7, None, 3))
    assert not position.searchable
    assert position.mark("x", 1, "a") is None


def test_a_folder_that_does_not_exist() -> None:
    position = Position()
    position.set(None)
    assert position.missing
    assert position.mark("x", 1, "a") == Mark("x", None, 1, 1, "a")
