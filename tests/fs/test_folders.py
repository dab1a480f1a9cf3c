"""Private folders, and the order in which they become durable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui_popretr.fs import folders
from tui_popretr.fs.folders import make_private_folders


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that were fsynced, in order."""
    paths: list[str] = []
    monkeypatch.setattr(folders, "fsync_folder", paths.append)
    return paths


def test_missing_folders_are_private(tmp_path: Path, synced: list[str]) -> None:
    make_private_folders(str(tmp_path / "a" / "b"), durable=False)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")] == [0o700, 0o700]
    assert synced == []


def test_existing_folders_keep_their_mode(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    make_private_folders(str(tmp_path / "a"), durable=True)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755


def test_a_folder_is_durable_before_another_is_made_in_it(tmp_path: Path, synced: list[str]) -> None:
    make_private_folders(str(tmp_path / "a" / "b" / "c"), durable=True)
    assert synced == [str(tmp_path.parent), str(tmp_path), str(tmp_path / "a")]


def test_a_relative_path_without_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    make_private_folders("", durable=False)
    make_private_folders("a/b", durable=False)
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_private_folders(str(tmp_path / "file" / "a"), durable=False)
