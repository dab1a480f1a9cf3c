"""docs/migration.md: its configurations load, its commands are understood, and what it names here is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.helpers import load_text, messages, settings_of
from tui_popretr.cli.parser import PROGRAM, build_parser, normalise
from tui_popretr.config.choices import AuthType
from tui_popretr.config.grammar import ROOTS, Shape
from tui_popretr.config.problems import Severity
from tui_popretr.migration.tools import TOOLS

TEXT = (Path(__file__).parents[2] / "docs/migration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```xml\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [line.strip() for line in TEXT.splitlines() if re.match(f" {{4,}}(sudo .* )?{PROGRAM} ", line)]
#: What the right column of the tables says.
HERE = [row.strip("|").split("|", 1)[1] for row in re.findall(r"^\|.*\|$", TEXT, re.MULTILINE)]


def test_there_is_an_example_for_each_program() -> None:
    assert len(EXAMPLES) == len(TOOLS)
    assert {word for line in COMMANDS for word in line.split() if word in TOOLS} == set(TOOLS)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_loads_without_a_warning(number: int, tmp_path: Path) -> None:
    loaded = load_text(tmp_path, EXAMPLES[number], environ={"HOME": str(tmp_path)})
    assert messages(loaded, Severity.WARNING) == []
    # with it the memory of another program can be taken over
    assert all(client.retention.new_only for client in settings_of(loaded).clients)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_command_behind_an_example_names_its_clients(number: int, tmp_path: Path) -> None:
    behind = TEXT.split("```xml\n")[number + 1]
    line = next(line for line in behind.splitlines() if f"{PROGRAM} import-seen" in line)
    wanted = build_parser().parse_args(normalise(shlex.split(line)[1:])).clients
    loaded = load_text(tmp_path, EXAMPLES[number], environ={"HOME": str(tmp_path)})
    assert wanted == [client.id for client in settings_of(loaded).clients]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_understood(line: str) -> None:
    words = shlex.split(f" {line}".rpartition(f" {PROGRAM} ")[2])
    assert build_parser().parse_args(normalise(words)).config is not None


def names(shape: Shape) -> Iterator[str]:
    yield from shape.attributes
    for name, inner in shape.elements.items():
        yield name
        yield from names(inner)


def test_what_is_named_here_is_there() -> None:
    known = {name for shape in ROOTS.values() for name in names(shape)}
    code = " ".join(re.findall("`([^`]+)`", " ".join(HERE)))
    named = set(re.findall("<([a-z]+)", code)) | set(re.findall('([a-z]+)="', code))
    assert len(named) > 15
    assert named <= known
    methods = set(re.findall("[A-Z_0-9]{4,}", " ".join(re.findall("<authtypes>.*", "\n".join(HERE)))))
    assert methods
    assert methods <= {each.value for each in AuthType} | {"USER", "PASS", "PLAIN"}
