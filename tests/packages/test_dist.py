"""What `make dist` compares and requires of an installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.dist import SHARED, DistError, absent, differences, run


def write(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_differences_are_other_octets_and_missing_files(tmp_path: Path) -> None:
    first = write(tmp_path / "1", same="a", other="a", gone="a")
    second = write(tmp_path / "2", same="a", other="b", new="a")
    assert differences(first, second) == ["gone", "new", "other"]
    assert differences(first, first) == []


def test_what_an_installation_lacks(tmp_path: Path) -> None:
    for name in SHARED[1:]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert absent(tmp_path) == [SHARED[0]]


def test_a_command_that_fails_is_reported_with_its_output() -> None:
    with pytest.raises(DistError, match=r"^out\nerr\n\nThis command failed: sh -c"):
        run("sh", "-c", "echo out; echo err >&2; exit 3")
