"""Files written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tui_popretr.cli.init.write import PrivateFile
from tui_popretr.errors import CannotCreate, DeliveryFailed


def test_it_is_private_and_so_are_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a/b/file"
    with PrivateFile(str(path), b"text") as file:
        assert not path.exists()
        assert Path(file.unpublished).read_bytes() == b"text"
        file.publish(replace=False)
    assert path.read_bytes() == b"text"
    assert os.listdir(path.parent) == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (tmp_path / "a", tmp_path / "a/b")} == {0o700}


def test_without_publication_nothing_stays(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), PrivateFile(str(tmp_path / "file"), b"text"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_what_came_in_between_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with PrivateFile(str(path), b"new") as file:
        path.write_bytes(b"old")
        with pytest.raises(CannotCreate, match="exists already"):
            file.publish(replace=False)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_it_replaces_when_told_to_and_what_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "real").chmod(0o644)
    (tmp_path / "link").symlink_to("real")
    with PrivateFile(str(tmp_path / "link"), b"new") as file:
        file.publish(replace=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o600


def test_a_failure_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeliveryFailed, match="a part of the path is not a folder"):
        PrivateFile(str(tmp_path / "file/x"), b"text")
    (tmp_path / "folder").mkdir()
    with (
        PrivateFile(str(tmp_path / "folder"), b"text") as file,
        pytest.raises(DeliveryFailed, match="there is a folder"),
    ):
        file.publish(replace=True)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
