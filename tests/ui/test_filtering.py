"""The words of a filter."""

from __future__ import annotations

import pytest

from tui_popretr.ui.model.filtering import Words


@pytest.mark.parametrize(
    ("words", "text", "matches"),
    [
        ("", "anything", True),
        ("two one", "One and TWO", True),
        ("Two", "one and two", False),
        ("Two", "one and Two", True),
        ("!Two", "one and two", True),
        ("one three", "one and two", False),
        ("!two", "one and two", False),
        ("one !three", "one and two", True),
        ("!", "one", True),
        ("straße", "STRASSE", True),
    ],
)
def test_all_words_and_none_of_the_excluded(words: str, text: str, matches: bool) -> None:
    assert Words(words).match(text) == matches


@pytest.mark.parametrize(("words", "filters"), [("", False), (" ! ", False), ("a", True), ("!a", True)])
def test_a_filter_without_words_is_none(words: str, filters: bool) -> None:
    assert bool(Words(words)) == filters
