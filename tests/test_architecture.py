"""docs/architecture.md names the packages, modules and functions that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tui_popretr"
PACKAGES = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
MODULES = {path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("_")}
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


@cache
def section(title: str) -> str:
    """The text below a heading, up to the next heading of the same or a higher level."""
    heading = re.search(rf"^(#+) {re.escape(title)}$", TEXT, re.MULTILINE)
    assert heading
    rest = TEXT[heading.end() :]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def listed(title: str) -> list[str]:
    """The names at the beginning of the items of a list, in the section itself."""
    return re.findall(r"^- `([^`]+)`: ", section(title).partition("\n### ")[0], re.MULTILINE)


@cache
def names(module: str) -> frozenset[str]:
    """What a module defines: `function`, `Class`, `Class.method`, `Class.field`, `CONSTANT`."""
    return frozenset(_names(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))))


def _names(within: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    for node in within.body:
        match node:
            case ast.ClassDef(name=name):
                yield prefix + name
                yield from _names(node, f"{prefix}{name}.")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield prefix + name
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield prefix + name
            case _:
                pass


def references(text: str) -> Iterator[tuple[str, str]]:
    """The functions with their modules, from texts like "`a`, `B.c` in `module.py`"."""
    for functions, module in re.findall(r"((?:`(?!\w+\.py`)[\w.]+`,?\s+)+)in\s+`([\w/]+\.py)`", text):
        yield from ((name, module) for name in re.findall(r"`([\w.]+)`", functions))


@pytest.mark.parametrize("package", ["session", "commit", "control"])
def test_each_module_has_a_sentence(package: str) -> None:
    modules = {path.name for path in (PACKAGE / package).glob("*.py")} - {"__init__.py"}
    assert sorted(listed(f"The modules of {package}")) == sorted(modules)


def test_each_package_has_a_sentence() -> None:
    assert sorted(listed("The packages")) == sorted({f"{package}/" for package in PACKAGES} | MODULES)


def test_the_floors_name_each_package() -> None:
    floors = re.search(r"^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert floors
    assert PACKAGES | {module.removesuffix(".py") for module in MODULES} <= set(re.findall(r"\w+", floors[1]))


@pytest.mark.parametrize(("name", "module"), dict.fromkeys(references(TEXT)))
def test_each_function_is_in_its_module(name: str, module: str) -> None:
    assert name in names(module)


@pytest.mark.parametrize(
    "way",
    [
        "A message, from the socket to DELE",
        "An attribute, from XML to its effect",
        "A fact, from the engine to a row of the dashboard",
        "A fact, from the engine to an attached dashboard",
    ],
)
def test_each_step_of_a_way_names_a_function(way: str) -> None:
    steps = re.findall(r"^\d+\. (.*?):\s", section(way), re.MULTILINE | re.DOTALL)
    assert len(steps) > 5
    for step in steps:
        spans = re.findall(r"`[^`]+`", step)
        read = {each for name, module in references(step) for each in (f"`{name}`", f"`{module}`")}
        assert spans
        assert set(spans) == read


def test_the_glossary_explains_each_term_once() -> None:
    terms = re.findall(r"\*\*([^*]+)\*\*", section("Glossary"))
    assert len(terms) > 25
    assert len(terms) == len(set(terms))
