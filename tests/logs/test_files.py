"""The files of a log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui_popretr.config.model import LogSettings
from tui_popretr.logs.files import files_like, files_of


def make(folder: Path, *names: str) -> None:
    """Make files, each younger than the one before."""
    for age, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (1000 + age, 1000 + age))


def names(folder: Path, paths: list[str]) -> list[str]:
    return [os.path.relpath(path, folder) for path in paths]


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("Y%Y%/t-%DT%.log", ["Y2025/t-202512.log", "Y2026/t-202601.log", "Y2026/t-202602.log"]),
        ("t-%DT%.log", ["t-20260101_072759.log", "t-20260102_000000.log"]),
        # the day before the month: the text does not tell the order
        ("%D%.%M%.%Y%.log", ["31.01.2026.log", "01.02.2026.log"]),
        ("t-%DT%-%PID%.log", ["t-20260101-9.log", "t-20260101-8.log", "t-20260102-7.log"]),
        ("t.log", ["t.log", "t.log.1", "t.log.2", "t.log.10"]),
        # logrotate's way
        ("t.log", ["t.log.2", "t.log.1", "t.log"]),
        ("t-%h%%m%%s%.log", ["t-010203.log", "t-010204.log.1"]),
    ],
)
def test_files_by_the_settings(tmp_path: Path, pattern: str, files: list[str]) -> None:
    make(tmp_path, *files)
    make(tmp_path, "other.log", "t-x.log", "t.log.gz", "t.logs")
    (tmp_path / "t.log.5").mkdir()
    assert names(tmp_path, files_of(LogSettings(str(tmp_path / pattern)))) == files


def test_the_name_decides_before_the_age(tmp_path: Path) -> None:
    make(tmp_path, "t-202602.log", "t-202601.log")
    assert names(tmp_path, files_of(LogSettings(f"{tmp_path}/t-%DT%.log"))) == ["t-202601.log", "t-202602.log"]


def test_no_files(tmp_path: Path) -> None:
    assert files_of(LogSettings("%stdout%")) == []
    assert files_of(LogSettings(f"{tmp_path}/nowhere/t-%DT%.log")) == []


@pytest.mark.parametrize(
    ("given", "files"),
    [
        ("Y2026/t-202601.log", ["Y2025/t-202512.log", "Y2026/t-202601.log", "Y2026/t-202602.log"]),
        ("t-20260102_000000.log", ["t-20260101_072759.log", "t-20260102_000000.log"]),
        ("t-20260102_000000.log.1", ["t-20260102_000000.log", "t-20260102_000000.log.1"]),
        ("t.log.1", ["t.log", "t.log.1", "t.log.2"]),
        ("t.log", ["t.log"]),
        ("12345678.log", ["12345678.log"]),
    ],
)
def test_files_by_likeness(tmp_path: Path, given: str, files: list[str]) -> None:
    make(tmp_path, *files)
    make(tmp_path, "other.log", "u-20260101_072759.log", "t-2026.log", "99.log")
    assert names(tmp_path, files_like(str(tmp_path / given))) == files
