"""docs/troubleshooting.md quotes sentences that the program prints, and settings that it knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tui_popretr.config.grammar import ROOTS, Shape

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "troubleshooting.md"
#: What stands for a value in a quoted sentence; each matches one field of an f-string.
PLACEHOLDER = re.compile(
    r"\b(?:CLIENT|COMMAND|DATE|DOING|FILE|FOLDER|HOST|N|NAME|PORT|REASON|SERVER|VERSION|WHAT)\b|\.\.\."
)
FIELD = "\0"


def rows() -> Iterator[tuple[str, ...]]:
    """The cells of all rows that have a symptom."""
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        if len(cells) == 3 and cells[0] != "symptom" and set(cells[0]) != {"-"}:
            yield cells


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def sentences() -> list[str]:
    """What the program is said to print: code of several words in the first column that is no setting."""
    return [span for symptom, *_ in rows() for span in spans(symptom) if " " in span and not span.startswith("<")]


@cache
def texts() -> tuple[str, ...]:
    """All texts in the source, with FIELD in the place of what is filled in; without docstrings."""
    found: set[str] = set()
    for path in (ROOT / "tui_popretr").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found.update(_text(node) for node in ast.walk(tree) if id(node) not in documented)
    return tuple(found - {""})


def _text(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(FIELD if isinstance(part, ast.FormattedValue) else _text(part) for part in parts)
    return ""


def is_printed(sentence: str) -> bool:
    """Whether a quoted sentence is in a text of the source, as a whole or as a part."""
    quoted = sentence.removesuffix("...").rstrip()
    pieces: list[str] = []
    end = 0
    for placeholder in PLACEHOLDER.finditer(quoted):
        pieces += re.escape(quoted[end : placeholder.start()]), _hole(placeholder[0])
        end = placeholder.end()
    sought = re.compile("".join(pieces) + re.escape(quoted[end:]), re.DOTALL)
    return any(sought.search(text) for text in texts())


def _hole(placeholder: str) -> str:
    return ".*?" if placeholder == "..." else rf"(?:{FIELD}+|{placeholder})"


def names(shape: Shape) -> tuple[set[str], set[str]]:
    """The elements and the attributes below a shape."""
    elements, attributes = set(shape.elements), set(shape.attributes)
    for each in shape.elements.values():
        inner, own = names(each)
        elements |= inner
        attributes |= own
    return elements, attributes


@pytest.mark.parametrize("sentence", dict.fromkeys(sentences()))
def test_the_program_prints_this_sentence(sentence: str) -> None:
    assert is_printed(sentence)


def test_many_sentences_are_quoted() -> None:
    assert len(sentences()) > 150


@pytest.mark.parametrize(
    "sentence",
    [
        "the server has made some progress for N s",
        "cannot connect to HOST port PORT of NAME: REASON",
        "no address for localhost",
        "the server gives no usable UIDs (UIDL) today",
    ],
)
def test_a_sentence_that_is_not_printed_is_found_out(sentence: str) -> None:
    assert not is_printed(sentence)


def test_settings_are_those_of_the_configuration() -> None:
    elements, attributes = names(Shape(elements=ROOTS))
    code = [span for row in rows() for cell in row for span in spans(cell)]
    named_elements = {name for span in code for name in re.findall(r"</?([a-z]\w*)", span)}
    named_attributes = {name for span in code for name in re.findall(r"(?<![\w-])([a-z][\w:]*)=\"", span)}
    assert named_elements <= elements
    assert named_attributes <= attributes
    assert len(named_elements) > 20


def test_each_row_says_what_it_is_about() -> None:
    assert [row for row in rows() if not all(row)] == []
