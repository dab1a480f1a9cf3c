"""The manual page is that of this version's command line, and roff has nothing to say against it."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tomllib
from collections.abc import Iterator

import pytest

from scripts.manpage import PAGE, page
from tui_popretr.cli.argparse_private import all_actions
from tui_popretr.cli.parser import build_parser


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in all_actions(parser):
        yield from action.option_strings


def test_it_is_current() -> None:
    assert PAGE.read_text(encoding="ascii") == page(), "run: make manpage"


def test_every_option_is_in_it() -> None:
    text = page().replace("\\-", "-")
    assert [option for option in options(build_parser()) if option not in text and option not in ("-h", "--help")] == []


def test_it_is_installed() -> None:
    project = tomllib.loads((PAGE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    data = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert data == {"docs/tui-popretr.1": "share/man/man1/tui-popretr.1"}


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_roff_finds_nothing_wrong_with_it() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", str(PAGE)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
