"""The demo's folder: fresh or empty when it is made, and removed without harm to anybody's files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tui_popretr.demo.folder import make_folder
from tui_popretr.errors import CannotCreate, ExitCode


def _furnish(folder: Path) -> None:
    """Put there what a demo leaves."""
    for name in ("mail/alice/Maildir/new", "downloads/carol", "logs", "var"):
        (folder / name).mkdir(parents=True)
    for name in ("demo.xml", "demo-ca.pem", "logs/audit.log", "var/popretr.sqlite"):
        (folder / name).touch()


def test_a_fresh_folder_among_the_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first, second = make_folder(None), make_folder(None)
    assert first.path != second.path
    for folder in (first, second):
        path = Path(folder.path)
        assert path.parent == tmp_path
        assert path.name.startswith("tui-popretr-demo-")
        assert path.stat().st_mode & 0o777 == 0o700


def test_a_new_folder_with_its_parents(tmp_path: Path) -> None:
    folder = make_folder(str(tmp_path / "a" / "b"))
    assert Path(folder.path) == tmp_path / "a" / "b"
    assert folder.made
    assert Path(folder.path).stat().st_mode & 0o777 == 0o700


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert make_folder("here").path == str(tmp_path / "here")


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(CannotCreate, match="is not empty") as caught:
        make_folder(str(tmp_path))
    assert caught.value.exit_code is ExitCode.CANT_CREATE
    assert "--folder" in caught.value.advice
    assert list(tmp_path.iterdir()) == [tmp_path / "thesis.txt"]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotCreate, match="file exists"):
        make_folder(str(tmp_path / "file"))


def test_no_place_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(CannotCreate, match="no such file or directory"):
        make_folder(None)


def test_removed_whole_where_it_is_ours(tmp_path: Path) -> None:
    folder = make_folder(str(tmp_path / "demo"))
    _furnish(Path(folder.path))
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_before_stays(tmp_path: Path) -> None:
    folder = make_folder(str(tmp_path))
    _furnish(tmp_path)
    folder.remove()
    assert tmp_path.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_put_there_meanwhile_stays(tmp_path: Path) -> None:
    folder = make_folder(str(tmp_path / "demo"))
    _furnish(Path(folder.path))
    (tmp_path / "demo" / "notes.txt").write_text("mine")
    folder.remove()
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["notes.txt"]
