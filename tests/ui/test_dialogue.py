"""The store of dialogue: its bound, its index by client, its gaps; and the search."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ui.lines import line, lines
from tui_popretr.facts import DialogueLine, Direction
from tui_popretr.logs.items import Gap, Item, Remark, SearchPattern, body, logged
from tui_popretr.ui.model.dialogue import DialogueStore, of_client


def texts(items: list[Item]) -> list[str]:
    return [f"gap {item.count}" if isinstance(item, Gap) else item.text for item in items]


def test_the_oldest_lines_are_forgotten_and_counted() -> None:
    dialogue = DialogueStore(limit=3)
    dialogue.add([line("a", "one"), line("b", "two"), line("c", "one")])
    assert dialogue.forgotten() == 0
    dialogue.add([line("d", "two"), line("e", "two")])
    assert texts(dialogue.items()) == ["c", "d", "e"]
    assert texts(dialogue.items("one")) == ["c"]
    assert texts(dialogue.items("two")) == ["d", "e"]
    assert (dialogue.forgotten(), dialogue.forgotten("one"), dialogue.forgotten("two")) == (2, 1, 1)
    assert dialogue.items("three") == []


def test_a_batch_larger_than_the_limit_leaves_its_end() -> None:
    dialogue = DialogueStore(limit=3)
    dialogue.add(lines(10))
    assert texts(dialogue.items()) == ["line 7", "line 8", "line 9"]
    assert dialogue.forgotten() == 7


def test_dropped_lines_leave_a_gap_in_their_place() -> None:
    dialogue = DialogueStore()
    dialogue.add([line("a", "one"), line("b", "two")])
    dialogue.add([line("c", "one")], dropped=5)
    dialogue.add([], dropped=1)
    dialogue.add([], dropped=2)
    assert texts(dialogue.items()) == ["a", "b", "gap 5", "c", "gap 3"]
    assert texts(dialogue.items("one")) == ["a", "gap 5", "c", "gap 3"]
    # their clients are not known
    assert texts(dialogue.items("two")) == ["b", "gap 8"]


def test_a_gap_is_forgotten_with_the_lines_around_it() -> None:
    dialogue = DialogueStore(limit=2)
    dialogue.add([line("a")], dropped=7)
    dialogue.add([line("b"), line("c")])
    assert texts(dialogue.items()) == ["b", "c"]
    assert dialogue.forgotten() == 8


def test_a_gap_right_before_the_first_line_stays() -> None:
    dialogue = DialogueStore(limit=2)
    dialogue.add([line("a")])
    dialogue.add([line("b"), line("c")], dropped=7)
    assert texts(dialogue.items()) == ["gap 7", "b", "c"]


def test_remarks_are_of_no_client() -> None:
    dialogue = DialogueStore(limit=2)
    dialogue.add([Remark("# opened"), line("a")])
    assert texts(dialogue.items()) == ["# opened", "a"]
    assert texts(dialogue.items("id1")) == ["a"]
    dialogue.add([line("b")])
    assert (dialogue.forgotten(), dialogue.forgotten("id1")) == (1, 0)


batches = st.lists(
    st.tuples(st.lists(st.sampled_from("abc"), max_size=5), st.sampled_from((0, 0, 0, 1, 3))), max_size=12
)


@settings(max_examples=60)
@given(batches, st.integers(1, 8))
def test_the_index_agrees_with_the_lines(given_batches: list[tuple[list[str], int]], limit: int) -> None:
    dialogue = DialogueStore(limit)
    everything: list[DialogueLine] = []
    dropped = 0
    for clients, lost in given_batches:
        new = [line(f"{len(everything) + number}", client) for number, client in enumerate(clients)]
        dialogue.add(new, lost)
        everything += new
        dropped += lost
    kept = everything[-limit:]
    items = dialogue.items()
    assert [item for item in items if not isinstance(item, Gap)] == kept
    for client in "abc":
        own = [item for item in dialogue.items(client) if not isinstance(item, Gap)]
        assert own == [each for each in kept if each.session.client == client]
        assert dialogue.forgotten(client) == sum(each.session.client == client for each in everything) - len(own)
    # Nothing is missing uncounted.
    gaps = sum(item.count for item in items if isinstance(item, Gap))
    assert dialogue.forgotten() + gaps + len(kept) == len(everything) + dropped


def test_of_client_gives_what_a_batch_adds() -> None:
    batch = [line("a", "one"), line("b", "two")]
    assert of_client(batch, 0, "two") == [batch[1]]
    assert of_client(batch, 3, None) == [Gap(3), *batch]
    assert of_client([], 0, None) == []


def test_what_is_shown_and_what_is_saved() -> None:
    opened = line("Connection from a to b", direction=Direction.OPENED)
    assert body(opened) == "id1-1 2026-11-23 07:27:59.107 Connection from a to b"
    assert body(line("+OK")) == "+OK"
    assert body(Gap(1)) == "… 1 line not shown …"
    assert body(Gap(1234)) == "… 1,234 lines not shown …"
    assert logged(line("+OK")) == "id1-1 07:27:59.107 << +OK"
    assert logged(Gap(2)) == "# … 2 lines not shown …"
    assert logged(Remark("# x")) == "# x"


@pytest.mark.parametrize(
    ("pattern", "text", "spans"),
    [
        ("ok", "+OK ok", [(1, 3), (4, 6)]),
        ("OK", "+OK ok", [(1, 3)]),
        ("a.c", "abc a.c", [(4, 7)]),
        ("ä", "Ä", [(0, 1)]),
        ("i", "İi", [(0, 1), (1, 2)]),
        ("x", "abc", []),
    ],
)
def test_search_is_plain_text_and_minds_only_capitals(pattern: str, text: str, spans: list[tuple[int, int]]) -> None:
    assert SearchPattern(pattern).spans(text) == spans
    assert SearchPattern(pattern).is_in(text) == bool(spans)


@pytest.mark.parametrize(("pattern", "raw", "found"), [("ok", b"+OK", True), ("OK", b"+ok", False), ("ä", b"x", True)])
def test_the_quick_look_misses_nothing(pattern: str, raw: bytes, found: bool) -> None:
    assert (SearchPattern(pattern).octets().search(raw) is not None) == found
