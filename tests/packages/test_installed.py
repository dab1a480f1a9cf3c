"""Shells and man find what a wheel installs: nothing is sourced or named by its path."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.completions import FOLDER, NAMES
from tests.packages.building import install
from tests.program.process import environment
from tests.support.shells import interactive
from tui_popretr.cli.completion import script

_BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")


@pytest.fixture(scope="module")
def prefix(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel."""
    folder = tmp_path_factory.mktemp("installed") / "prefix"
    install(wheel, folder)
    return folder


@pytest.fixture
def environ(prefix: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a user with this installation."""
    path = f"{prefix}/bin:{os.environ['PATH']}"
    data = f"{prefix}/share:/usr/local/share:/usr/share"
    return environment({"HOME": str(tmp_path), "TERM": "vt100", "PATH": path, "XDG_DATA_DIRS": data})


@pytest.mark.parametrize("shell", NAMES)
def test_the_completions_are_current(shell: str) -> None:
    assert (FOLDER / NAMES[shell]).read_text(encoding="utf-8") == script(shell), "run: make manpage"


@pytest.mark.skipif(not _BASH_COMPLETION.exists(), reason="bash-completion is not installed")
def test_bash_completes(environ: dict[str, str], tmp_path: Path) -> None:
    with interactive(["bash", "--norc", "-i"], tmp_path, environ) as shell:
        shell.enter(f"source {_BASH_COMPLETION}; echo REA''DY\n", "READY")
        shell.enter("tui-popretr() { echo \"got:$*:\"; }; echo REA''DY2\n", "READY2")
        shell.enter("tui-popretr mark\t--cl\t x\n", "got:mark-seen --client x:")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes(environ: dict[str, str], prefix: Path, tmp_path: Path) -> None:
    with interactive(["zsh", "-f", "-i"], tmp_path, environ) as shell:
        shell.enter(f"fpath=({prefix}/share/zsh/site-functions $fpath); echo REA''DY\n", "READY")
        shell.enter("autoload -Uz compinit; compinit -u -D; echo REA''DY2\n", "READY2")
        shell.enter("tui-popretr() { print -r got:$*: }; echo REA''DY3\n", "READY3")
        shell.enter("tui-popretr mark\t--cl\t x\n", "got:mark-seen --client x:")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(environ: dict[str, str], tmp_path: Path) -> None:
    asked = ["fish", "-c", "complete -C 'tui-popretr mark'"]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=tmp_path, env=environ, check=True)
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == ["mark-seen"]


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
@pytest.mark.parametrize(("page", "heading"), [("tui-popretr", "(1)"), ("tui-popretr.xml", "(5)")])
def test_man_shows(page: str, heading: str, environ: dict[str, str]) -> None:
    # It searches the share/man beside each bin of PATH.
    done = subprocess.run(["man", page], capture_output=True, text=True, env=environ, check=True)
    assert done.stdout.startswith(f"{page.upper()}{heading}")
