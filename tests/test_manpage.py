"""The manual pages are current and complete, and groff and mandoc report nothing."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import manpage_xml
from scripts.configuration_tables import rows
from scripts.manpage import PAGE, page
from tui_popretr.cli.argparse_private import all_actions
from tui_popretr.cli.parser import build_parser
from tui_popretr.config.grammar import ROOTS, Shape

PAGES = (PAGE, manpage_xml.PAGE)


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in all_actions(parser):
        yield from action.option_strings


def test_they_are_current() -> None:
    assert PAGE.read_text(encoding="ascii") == page(), "run: make manpage"
    assert manpage_xml.PAGE.read_text(encoding="ascii") == manpage_xml.page(), "run: make manpage"


def test_every_option_is_in_it() -> None:
    text = page().replace("\\-", "-")
    assert [option for option in options(build_parser()) if option not in text and option not in ("-h", "--help")] == []


def shapes(shape: Shape) -> Iterator[tuple[str, Shape]]:
    for name, each in shape.elements.items():
        yield name, each
        yield from shapes(each)


def test_every_attribute_and_element_has_a_sentence() -> None:
    table = list(rows())
    silent = [
        f"{owner}.{name}"
        for owner, shape in shapes(ROOTS["pop3download"])
        for name in (*shape.attributes, *shape.elements)
        if len(manpage_xml.sentence(owner, name, table)) < 3
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("owner", "name", "expected"),
    [
        ("client", "freq", "time"),
        ("client", "preserve", "Y or N"),
        ("client", "runs", "number"),
        ("client", "id", "text"),
        ("ssl", "tspath", "path"),
        ("ssl", "tspass", "secret"),
        ("ssl", "proto", "TLSv1 | TLSv1.1 | TLSv1.2 | TLSv1.3"),
        ("mda", "command", "command"),
    ],
)
def test_types_in_words(owner: str, name: str, expected: str) -> None:
    shape = next(shape for each, shape in shapes(ROOTS["pop3download"]) if each == owner)
    (setting,) = [setting for setting in shape.settings if setting.name == name]
    assert manpage_xml.type_name(setting) == expected


def test_they_are_installed() -> None:
    project = tomllib.loads((PAGE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    data = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert data["docs/tui-popretr.1"] == "share/man/man1/tui-popretr.1"
    assert data["docs/tui-popretr.xml.5"] == "share/man/man5/tui-popretr.xml.5"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_finds_nothing_wrong(path: Path) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", str(path)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_finds_nothing_wrong(path: Path) -> None:
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", str(path)], capture_output=True, text=True, check=False)
    # With a date, each build would make another page.
    assert [line for line in (done.stdout + done.stderr).splitlines() if "missing date" not in line] == []
