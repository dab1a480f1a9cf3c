"""What the system's errors become in the words of a delivery."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tui_popretr.delivery.errors import delivery_failed
from tui_popretr.errors import CannotCreate, ExitCode


@pytest.mark.parametrize(
    ("number", "words", "advice", "code"),
    [
        (errno.ENOSPC, "the disk is full", "make room on the disk", ExitCode.IO_ERROR),
        (errno.EDQUOT, "the disk quota is used up", "make room or raise the quota", ExitCode.IO_ERROR),
        (errno.EIO, "the disk reports an input/output error", "look into the system's log", ExitCode.IO_ERROR),
        (errno.EROFS, "the file system is read-only", "mount it writable", ExitCode.CANT_CREATE),
        (errno.EACCES, "permission denied", "give the program's user the right", ExitCode.CANT_CREATE),
        (errno.ENOTDIR, "a part of the path is not a folder", "move the file away", ExitCode.CANT_CREATE),
        (errno.ESTALE, "stale file handle", "", ExitCode.IO_ERROR),
    ],
)
def test_words(tmp_path: Path, number: int, words: str, advice: str, code: ExitCode) -> None:
    told = delivery_failed(OSError(number, os.strerror(number)), "write", f"{tmp_path}/file")
    assert str(told) == f"cannot write {tmp_path}/file: {words}"
    assert told.advice.startswith(advice)
    assert told.exit_code is code


def test_what_is_not_there(tmp_path: Path) -> None:
    """The file that was named, or the folder that it was to be in."""
    error = FileNotFoundError(errno.ENOENT, "No such file or directory")
    file, folder = (delivery_failed(error, "deliver", f"{tmp_path}/{name}") for name in ("file", "folder/file"))
    assert isinstance(file, CannotCreate)
    assert str(file) == f"cannot deliver {tmp_path}/file: it is not there"
    assert str(folder) == f"cannot deliver {tmp_path}/folder/file: the folder {tmp_path}/folder is gone"
    assert "is its disk mounted" in file.advice
    assert folder.advice == file.advice
