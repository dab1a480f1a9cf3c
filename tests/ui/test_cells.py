"""Text in cells."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tui_popretr.text import visible
from tui_popretr.ui.model.cells import cut, height, is_right_to_left, sanitize, width, wrapped


@pytest.mark.parametrize(
    ("text", "tamed"),
    [
        ("+OK", "+OK"),
        ("漢字", "漢字"),
        ("e\u0301", "e\u0301"),
        ("\u2764\ufe0f", "\u2764"),  # two cells or one, with the selector
        ("\U0001f44d\U0001f3fd", "\U0001f44d\ufffd"),
        ("\U0001f1e9\U0001f1ea", "\ufffd\ufffd"),
        ("\u0939\u093f", "\u0939\ufffd"),  # a spacing mark
        ("\ud800", "\\ud800"),
        ("\u202e\x1b", "\\u202e\\x1b"),
        ("\u0378", "\ufffd"),  # unassigned
        ("\U000e0041", "\\U000e0041"),
        ("\U000e0101", ""),
    ],
)
def test_what_terminals_do_not_agree_on_is_replaced(text: str, tamed: str) -> None:
    assert sanitize(text) == tamed


@settings(max_examples=200)
@given(st.text(max_size=60), st.integers(2, 20))
def test_pieces_fit_and_nothing_is_lost(text: str, cells: int) -> None:
    tamed = sanitize(visible(text))
    pieces = wrapped(tamed, cells)
    assert "".join(pieces) == tamed
    assert len(pieces) == height(tamed, cells) >= 1
    assert all(cell_len(piece) == width(piece) <= cells for piece in pieces)


@settings(max_examples=100)
@given(st.text(max_size=20), st.integers(0, 12))
def test_cut_is_exact(text: str, cells: int) -> None:
    assert cell_len(cut(sanitize(visible(text)), cells)) == cells


def test_a_cut_is_marked() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert cut("漢字", 3) == "漢…"
    assert cut("漢字", 2) == " …"
    assert cut("ab", 4) == "ab  "


def test_letters_from_right_to_left_are_known() -> None:
    assert is_right_to_left("x שלום")
    assert is_right_to_left("مرحبا")
    assert not is_right_to_left("漢字 é")
