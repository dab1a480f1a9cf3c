"""Completion in real shells: commands, options, files, folders and clients."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.program.process import client, environment, run_program, write_configuration
from tests.support.shells import interactive
from tui_popretr.cli.completion import script
from tui_popretr.cli.parser import COMMANDS, SHELLS

_BASH = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_shtab_tui_popretr 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""
_FISH = """
source $argv[1]
complete -C $argv[2]
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("completion")
    paths = {shell: folder / shell for shell in SHELLS}
    for shell, path in paths.items():
        path.write_text(script(shell), encoding="utf-8")
    return paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration and a folder, which is also the home folder."""
    write_configuration(tmp_path / "mail.xml", client("isp", "127.0.0.1"), client("work", "127.0.0.1"))
    own = tmp_path / ".config/tui-popretr"
    own.mkdir(parents=True)
    write_configuration(own / "tui-popretr.xml", client("home", "127.0.0.1"))
    (tmp_path / "folder").mkdir()
    return tmp_path


def words(shell: str, path: Path, folder: Path, line: str) -> set[str]:
    """Return what a shell offers for the last word of a line."""
    command = (
        ["bash", "-c", _BASH, "ask", str(path), *line.split(" ")]
        if shell == "bash"
        else ["fish", "--no-config", "-c", _FISH, str(path), line]
    )
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, check=True, env=environment({"HOME": str(folder)})
    )
    assert done.stderr == ""
    return {offered.partition("\t")[0].rstrip("/") for offered in done.stdout.splitlines() if offered}


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("", set(COMMANDS)),
        ("chec", {"check"}),
        ("check ma", {"mail.xml"}),
        ("check mail.xml --con", {"--connect"}),
        ("mail.xml --headl", {"--headless"}),
        ("--headless --on", {"--once"}),
        ("demo --folder fol", {"folder"}),
        ("init --password-", {"--password-file", "--password-command", "--password-env"}),
        ("--print-completion ", set(SHELLS)),
        ("check mail.xml --client ", {"isp", "work"}),
        ("check mail.xml --client w", {"work"}),
        ("check --client ", {"home"}),
        ("mail.xml --client i", {"isp"}),
        ("poll mail.xml --client w", {"work"}),
        ("attach ma", {"mail.xml"}),
        ("hook mail.xml --on sta", {"stale"}),
    ],
)
def test_a_shell_offers(shell: str, line: str, offered: set[str], scripts: Mapping[str, Path], folder: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    found = words(shell, scripts[shell], folder, f"tui-popretr {line}")
    if shell == "fish":
        # From fish 4 on, words that contain what is typed follow.
        found = {word for word in found if word.startswith(line.rpartition(" ")[2])}
    if shell == "fish" and line == "":
        assert found >= offered
    else:
        assert found == offered


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("chec\t", "check"),
        ("check ma\t", "check mail.xml"),
        ("check mail.xml --con\t", "check mail.xml --connect"),
        ("check mail.xml --client w\t", "check mail.xml --client work"),
        ("check --client h\t", "check --client home"),
        ("--headl\t", "--headless"),
        ("--print-completion fi\t", "--print-completion fish"),
    ],
)
def test_zsh_completes_what_is_typed(typed: str, completed: str, scripts: Mapping[str, Path], folder: Path) -> None:
    (folder / "zfunc").mkdir()
    shutil.copy(scripts["zsh"], folder / "zfunc" / "_tui-popretr")
    environ = environment({"HOME": str(folder), "TERM": "vt100", "ZDOTDIR": str(folder)})
    with interactive(["zsh", "-f", "-i"], folder, environ) as shell:
        shell.enter("autoload -Uz compinit; fpath=(~/zfunc $fpath); compinit -u -D; echo REA''DY1\n", "READY1")
        shell.enter("tui-popretr() { print -r got:$*: }; echo REA''DY2\n", "READY2")
        shell.enter(f"tui-popretr {typed}\n", f"got:{completed}:")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script_that_knows_the_commands(shell: str, scripts: Mapping[str, Path]) -> None:
    text = scripts[shell].read_text(encoding="utf-8")
    for word in (*COMMANDS, "headless", "connect", "print-completion"):
        assert word in text
    if (found := shutil.which(shell)) and shell != "tcsh":
        subprocess.run([found, "-n", str(scripts[shell])], check=True)


def test_the_program_prints_it() -> None:
    done = run_program("--print-completion", "zsh")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("#compdef tui-popretr\n")
    assert re.search("tui-popretr\n$", run_program("--print-completion=bash").out)
    refused = run_program("--print-completion", "cmd")
    assert refused.code == 64
    assert "invalid choice: 'cmd'" in refused.err
