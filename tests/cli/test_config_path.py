"""Which configuration is meant, and where its var folder is."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

from tests.program.process import client, run_program, write_configuration
from tui_popretr.cli import config_path
from tui_popretr.cli.config_path import ConfigurationFile, locate
from tui_popretr.errors import ConfigurationError, ExitCode


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose folders are known, and a system folder, both without a configuration."""
    (tmp_path / "config").mkdir()
    (tmp_path / "etc").mkdir()

    def config(name: str, *, appauthor: bool) -> str:
        assert (name, appauthor) == ("tui-popretr", False)
        return str(tmp_path / "config")

    def state(name: str, *, appauthor: bool) -> str:
        assert (name, appauthor) == ("tui-popretr", False)
        return str(tmp_path / "state")

    monkeypatch.setattr(platformdirs, "user_config_dir", config)
    monkeypatch.setattr(platformdirs, "user_state_dir", state)
    monkeypatch.setattr(config_path, "_SYSTEM_FILE", str(tmp_path / "etc/tui-popretr.xml"))
    return tmp_path


def test_the_user_s_comes_before_the_system_s(home: Path) -> None:
    system, own = home / "etc/tui-popretr.xml", home / "config/tui-popretr.xml"
    system.touch()
    assert locate(None) == ConfigurationFile(str(system), "/var/lib/tui-popretr")
    own.touch()
    assert locate(None) == ConfigurationFile(str(own), str(home / "state"))


def test_with_neither_both_are_named(home: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        locate(None)
    assert str(home / "config/tui-popretr.xml") in str(raised.value)
    assert str(home / "etc/tui-popretr.xml") in str(raised.value)
    assert raised.value.exit_code is ExitCode.CONFIGURATION


def test_a_file_that_is_named_has_its_own_var(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mail.xml", "tui-popretr.xml"):
        (home / name).touch()
    monkeypatch.chdir(home)
    assert locate("mail.xml") == ConfigurationFile("mail.xml")
    assert locate(str(home / "tui-popretr.xml")) == ConfigurationFile(str(home / "tui-popretr.xml"))


def test_a_file_that_is_named_must_be_there(home: Path) -> None:
    (home / "lost.xml").symlink_to("nowhere")
    for name in ("none.xml", "lost.xml"):
        with pytest.raises(ConfigurationError, match=f"{name} cannot be read: no such file"):
            locate(str(home / name))


def test_a_usual_place_has_the_same_var_however_it_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, system = home / "config/tui-popretr.xml", home / "etc/tui-popretr.xml"
    own.touch()
    system.touch()
    (home / "link.xml").symlink_to(own)
    assert locate(str(own)).var == locate(str(home / "link.xml")).var == str(home / "state")
    assert locate(str(system)).var == "/var/lib/tui-popretr"
    monkeypatch.chdir(home / "config")
    assert locate("tui-popretr.xml") == ConfigurationFile("tui-popretr.xml", str(home / "state"))


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="the folders of another system")
def test_the_real_program_finds_it(tmp_path: Path) -> None:
    (tmp_path / ".config/tui-popretr").mkdir(parents=True)
    path = write_configuration(tmp_path / ".config/tui-popretr/tui-popretr.xml", client("isp", "127.0.0.1:1"))
    done = run_program("info", environ={"HOME": str(tmp_path)})
    assert f"configuration:  {path}\n" in done.out
    assert f"var:            {tmp_path}/.local/state/tui-popretr\n" in done.out
    assert f"journal:        {tmp_path}/.local/state/tui-popretr/popretr.sqlite\n" in done.out

    assert run_program("--headless", "--once", environ={"HOME": str(tmp_path)}).code == 69
    assert (tmp_path / ".local/state/tui-popretr/popretr.sqlite").exists()


@pytest.mark.skipif(os.path.exists("/etc/tui-popretr.xml"), reason="this machine has a configuration")
def test_the_real_program_without_any() -> None:
    for command in ("run --headless", "check"):
        done = run_program(*command.split())
        assert done.code == 78
        assert "/etc/tui-popretr.xml" in done.err
        assert "/nonexistent/" in done.err
    done = run_program("info")
    assert done.code == 0
    assert "/etc/tui-popretr.xml" in done.out
