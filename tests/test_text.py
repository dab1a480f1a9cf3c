"""Text from outside made visible: which characters are neutralised, and how they are written."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.text import json_text, visible

NEUTRALISED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
#: Shown as nothing, without being of those categories.
IGNORABLE = set("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
VARIATION_SELECTORS = {
    "\u180b",
    "\u180c",
    "\u180d",
    "\u180f",
    *map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))),
}


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"),
        ("\x9b2J", "\\x9b2J"),
        ("so\xadft", "so\\xadft"),
        ("\u202elive\u202c", "\\u202elive\\u202c"),  # override
        ("\u202a\u202b\u202d", "\\u202a\\u202b\\u202d"),
        ("\u2066\u2067\u2068\u2069", "\\u2066\\u2067\\u2068\\u2069"),  # isolates
        ("\u200e\u200f\u061c", "\\u200e\\u200f\\u061c"),  # marks
        ("\u200b\u200c\u200d\u2060\ufeff\u180e", "\\u200b\\u200c\\u200d\\u2060\\ufeff\\u180e"),  # no width
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ud800\udcff", "\\ud800\\udcff"),
        ("\ufff9\ufffa\ufffb", "\\ufff9\\ufffa\\ufffb"),
        ("\U000e0041\U000e007f", "\\U000e0041\\U000e007f"),  # tags
        ("\u3164\uffa0\u115f\u034f", "\\u3164\\uffa0\\u115f\\u034f"),
        ("\ufdd0\uffff\U0010ffff", "\\ufdd0\\uffff\\U0010ffff"),
        ("Grüße 漢字 שלום مرحبا e\u0301 \u2764\ufe0f 👍", "Grüße 漢字 שלום مرحبا e\u0301 \u2764\ufe0f 👍"),
        ("a\\x1bb", "a\\x1bb"),
    ],
)
def test_what_is_neutralised(raw: str, shown: str) -> None:
    assert visible(raw) == shown


def test_bytes_that_are_not_utf_8_are_escaped() -> None:
    assert visible(b"\xff\xe2\x80\xae \xed\xa0\x80") == "\\xff\\u202e \\xed\\xa0\\x80"


def test_every_character_is_decided_by_its_category() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        category = unicodedata.category(character)
        changed = visible(character) != character
        if category in NEUTRALISED or character in IGNORABLE:
            assert changed, f"U+{code:04X}"
        elif character in VARIATION_SELECTORS or category != "Cn":
            assert not changed, f"U+{code:04X}"


@given(st.text() | st.binary())
def test_what_is_visible_stays(raw: str | bytes) -> None:
    once = visible(raw, 10_000)
    assert visible(once, 10_000) == once
    assert not any(unicodedata.category(each) in NEUTRALISED for each in once)


def test_what_is_too_long_is_cut() -> None:
    assert visible("a" * 11, 10) == "a" * 10 + "…"
    assert visible("\u202e" * 11, 2) == "\\u" + "…"


def test_json_is_safe_in_a_terminal_and_keeps_its_value() -> None:
    value = {"é": "\x1b\x9b\u202e\ud800\U000e0041\n\\", "n": [1, None]}
    text = json_text(value)
    assert json.loads(text) == value
    assert text == r'{"é": "\u001b\u009b\u202e\ud800\udb40\udc41\n\\", "n": [1, null]}'
