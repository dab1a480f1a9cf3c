"""What the demo prints in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_popretr.demo import summary
from tui_popretr.demo.folder import make_folder


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program would be installed, in the only folder of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "tui-popretr"


def test_the_end_names_the_next_commands(program: Path, tmp_path: Path) -> None:
    program.touch(mode=0o755)
    lines = [*summary.ending(make_folder(str(tmp_path / "demo")), (), keep=False)]
    assert "For your own mail:" in lines
    assert "  tui-popretr init               create a configuration from a few answers" in lines


@pytest.mark.usefixtures("program")
def test_the_end_says_that_the_program_is_not_installed(tmp_path: Path) -> None:
    lines = [*summary.ending(make_folder(str(tmp_path / "demo")), (), keep=False)]
    assert "For your own mail, after installing it (README.md says how):" in lines
