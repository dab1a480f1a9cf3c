"""Rows of the transcript."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.ui.lines import line
from tui_popretr.facts import DialogueLine, Direction
from tui_popretr.logs.items import Gap, Item, Remark, SearchPattern
from tui_popretr.text import visible
from tui_popretr.ui.model.cells import MARK
from tui_popretr.ui.widgets.transcript_rows import Columns, draw, fitted, reversed_between


def row(item: Item, part: int = 0, columns: Columns | None = None, pattern: str = "", *, cursor: bool = False) -> str:
    drawn = draw(
        item, part, columns or Columns(60), SearchPattern(pattern) if pattern else None, cursor=cursor, selected=False
    )
    return drawn.strip.text.rstrip()


@pytest.mark.parametrize(
    ("item", "columns", "drawn"),
    [
        (line("+OK"), Columns(60), " 07:27:59.107 ← +OK"),
        (line("+OK"), Columns(59), " 07:27:59 ← +OK"),
        (line("+OK"), Columns(60, stamps=False), " ← +OK"),
        (line("+OK"), Columns(60, label=8), " 07:27:59.107 id1-1    ← +OK"),
        (line("+OK", "a-long-id"), Columns(60, label=8), " 07:27:59.107 a-long-… ← +OK"),
        (line("RETR 1", direction=Direction.OUT), Columns(60), " 07:27:59.107 → RETR 1"),
        (line("Disconnect", direction=Direction.EVENT), Columns(60), " 07:27:59.107 · Disconnect"),
        (line("to b", direction=Direction.OPENED), Columns(60), f" ── id1-1 2026-11-23 07:27:59.107 to b {'─' * 21}"),
        (Gap(3), Columns(60), " … 3 lines not shown …"),
        (Remark("# opened"), Columns(60), " # opened"),
    ],
)
def test_each_kind_has_its_glyph(item: Item, columns: Columns, drawn: str) -> None:
    assert row(item, columns=columns) == drawn


def test_a_wrapped_line_goes_on_below_its_text() -> None:
    columns = Columns(30, stamps=False)
    long = line("abcdefghij" * 6)
    assert columns.measure()(long) == 3
    assert [row(long, part, columns) for part in range(3)] == [
        " ← " + ("abcdefghij" * 3)[:27],
        "   " + ("abcdefghij" * 6)[27:54],
        "   efghij",
    ]
    assert Columns(30, wrap=False).measure()(long) == 1


@settings(max_examples=150)
@given(
    st.one_of(st.text(max_size=80), st.binary(max_size=80)),
    st.sampled_from(list(Direction)),
    st.integers(4, 90),
    st.booleans(),
    st.sampled_from((0, 8)),
)
def test_no_text_breaks_the_layout(raw: str | bytes, direction: Direction, width: int, wrap: bool, label: int) -> None:
    item = line(visible(raw), direction=direction)
    columns = Columns(width, wrap, label=label)
    for part in range(columns.measure()(item)):
        for x in (0, 3):
            strip = fitted(draw(item, part, columns, SearchPattern("a"), cursor=True, selected=False), x, width)
            assert strip.cell_length == width == cell_len(strip.text)
            assert all(character >= " " for character in strip.text)


@pytest.mark.parametrize("width", [20, 80])
def test_right_to_left_letters_do_not_reach_beyond_their_text(width: int) -> None:
    item = line("+OK שלום 123 שלום " * 3)
    columns = Columns(width, wrap=False)
    strip = fitted(draw(item, 0, columns, None, cursor=False, selected=False), 0, width)
    assert MARK in strip.text
    assert strip.text[strip.text.rindex(MARK) + 1 :].strip() == ""
    assert strip.cell_length == width


def test_what_terminals_measure_differently_is_not_drawn() -> None:
    assert (
        row(line("\u2764\ufe0f \U0001f44d\U0001f3fd"), columns=Columns(60, stamps=False))
        == " ← \u2764 \U0001f44d\ufffd"
    )


def test_a_huge_line_is_bounded() -> None:
    item = line(visible(b"x" * 1_000_000))
    assert Columns(80).measure()(item) == 17
    assert fitted(draw(item, 16, Columns(80), None, cursor=False, selected=False), 0, 80).cell_length == 80


def test_what_is_found_is_shown_reversed_also_across_rows() -> None:
    columns = Columns(30, stamps=False)
    item = line("x" * 25 + "needle" + "y")
    found = []
    for part in (0, 1):
        strip = draw(item, part, columns, SearchPattern("needle"), cursor=False, selected=False).strip
        found.append([text for text, style, _ in strip if style is not None and style.reverse])
    assert found == [["ne"], ["edle"]]


def test_selected_characters() -> None:
    strip = draw(line("+OK yes"), 0, Columns(30, stamps=False), None, cursor=False, selected=False).strip
    assert [text for text, style, _ in reversed_between(strip, 3, 6) if style and style.reverse] == ["+OK"]
    marked = reversed_between(strip, 7, -1)
    assert "".join(text for text, style, _ in marked if style and style.reverse).rstrip() == "yes"
    assert marked.text == strip.text


def test_the_cursor_and_an_error_can_be_told_without_colour() -> None:
    assert row(line("+OK"), cursor=True).startswith("▌")
    bad: DialogueLine = line("-ERR no")
    styles = [style for _, style, _ in draw(bad, 0, Columns(60), None, cursor=False, selected=False).strip if style]
    assert any(style.color is not None and style.color.name == "red" for style in styles)
