"""Numbered items and their rows."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ui.lines import line
from tui_popretr.logs.items import Gap, Item, Remark, SearchPattern
from tui_popretr.ui.model.line_index import LineIndex

operations = st.lists(
    st.tuples(st.sampled_from(("append", "prepend", "drop_first", "drop_last")), st.integers(0, 4)), max_size=15
)


def tall(item: Item) -> int:
    return len(item.text) if isinstance(item, Remark) else 1


@settings(max_examples=100)
@given(operations, st.randoms(use_true_random=False))
def test_rows_and_matches_agree_with_the_items(steps: list[tuple[str, int]], random: object) -> None:
    shown = LineIndex(measure=tall)
    shown.search(SearchPattern("xxx"))
    model: dict[int, Item] = {}
    first = end = 0
    for step, count in steps:
        new = [Remark("x" * (1 + (first + end + number) % 4)) for number in range(count)]
        rows = sum(map(tall, new))
        match step:
            case "append":
                shown.append(new)
                model |= dict(enumerate(new, end))
                end += count
            case "prepend":
                assert shown.prepend(new) == rows
                first -= count
                model |= dict(enumerate(new, first))
            case "drop_first":
                count = min(count, len(shown))
                gone = sum(tall(model.pop(number)) for number in range(first, first + count))
                assert shown.drop_first(count) == gone
                first += count
            case _:
                count = min(count, len(shown))
                shown.drop_last(count)
                for number in range(end - count, end):
                    del model[number]
                end -= count
        assert (shown.first, shown.end) == (first, end)
        assert shown.rows == sum(map(tall, model.values()))
        row = 0
        for number in range(first, end):
            assert shown.item(number) is model[number]
            assert shown.row_of(number) == row
            for part in range(tall(model[number])):
                assert shown.at_row(row) == (number, part)
                row += 1
        assert shown.row_of(end) == row
        assert list(shown.matches) == [number for number in range(first, end) if tall(model[number]) >= 3]


def test_gaps_that_meet_are_one() -> None:
    shown = LineIndex([line("a"), Gap(2)], measure=tall)
    shown.append([Gap(3), line("b")])
    assert shown.items == [line("a"), Gap(5), line("b")]
    assert shown.rows == 3


def test_matches_stay_right_while_lines_are_added_and_removed() -> None:
    shown = LineIndex([line(text) for text in ("ok", "no", "ok", "no", "ok")])
    shown.search(SearchPattern("ok"))
    assert shown.next_match(0) == 2
    assert shown.previous_match(2) == 0
    shown.drop_first(1)
    assert shown.previous_match(2) is None
    assert shown.next_match(2) == 4
    assert shown.next_match(4) is None
    shown.append([line("OK")])
    assert shown.next_match(4) == 5
    shown.prepend([line("ok"), line("no")])
    assert shown.previous_match(2) == -1
    shown.search(None)
    assert (shown.pattern, list(shown.matches)) == (None, [])


def test_a_change_of_measure_keeps_the_numbers() -> None:
    shown = LineIndex([Remark("xx"), Remark("xxx")])
    shown.drop_first(1)
    shown.set_measure(tall)
    assert (shown.rows, shown.at_row(2)) == (3, (1, 2))
