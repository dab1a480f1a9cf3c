"""Completion in shells: a real bash completes commands, options, files and folders."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.program.process import run_program
from tui_popretr.cli.completion import script
from tui_popretr.cli.parser import COMMANDS, SHELLS

_ASK = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_shtab_tui_popretr 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "script"
    path.write_text(script("bash"), encoding="utf-8")
    return path


def completed(bash_script: Path, folder: Path, line: str) -> set[str]:
    """What bash offers for the last word of a line; nothing means what it offers for any program: files."""
    words = line.split(" ")
    done = subprocess.run(
        ["bash", "-c", _ASK, "ask", str(bash_script), *words], capture_output=True, text=True, cwd=folder, check=True
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash(bash_script: Path, tmp_path: Path) -> None:
    (tmp_path / "mail.xml").touch()
    (tmp_path / "folder").mkdir()
    assert completed(bash_script, tmp_path, "tui-popretr ") == set(COMMANDS)
    assert completed(bash_script, tmp_path, "tui-popretr c") == {"check"}
    assert completed(bash_script, tmp_path, "tui-popretr mail") == set()
    assert completed(bash_script, tmp_path, "tui-popretr check ma") == {"mail.xml"}
    assert completed(bash_script, tmp_path, "tui-popretr check mail.xml --con") == {"--connect"}
    assert completed(bash_script, tmp_path, "tui-popretr mail.xml --headl") == {"--headless"}
    assert completed(bash_script, tmp_path, "tui-popretr --headless --on") == {"--once"}
    assert completed(bash_script, tmp_path, "tui-popretr demo --folder ") == {"folder"}
    assert completed(bash_script, tmp_path, "tui-popretr init --password-") == {
        "--password-file",
        "--password-command",
        "--password-env",
    }
    assert completed(bash_script, tmp_path, "tui-popretr --print-completion ") == set(SHELLS)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script_that_knows_the_commands(shell: str, tmp_path: Path) -> None:
    text = script(shell)
    for word in (*COMMANDS, "headless", "connect", "print-completion"):
        assert word in text
    if (found := shutil.which(shell)) and shell != "tcsh":
        (tmp_path / "script").write_text(text, encoding="utf-8")
        subprocess.run([found, "-n", str(tmp_path / "script")], check=True)


def test_the_program_prints_it() -> None:
    done = run_program("--print-completion", "zsh")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("#compdef tui-popretr\n")
    assert run_program("--print-completion=bash").out.endswith("tui-popretr\n")
    refused = run_program("--print-completion", "cmd")
    assert refused.code == 64
    assert "invalid choice: 'cmd'" in refused.err
