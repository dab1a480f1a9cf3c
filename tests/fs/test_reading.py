"""Files that are read whole: regular ones, and no larger than is sane."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tui_popretr.errors import describe_os_error
from tui_popretr.fs.reading import FileTooLargeError, NotRegularError, read_whole


def test_what_is_in_a_file_and_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\0two\r\n")
    path.chmod(0o640)
    data, mode = read_whole(str(path), 9)
    assert data == b"one\0two\r\n"
    assert mode & 0o777 == 0o640


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read_whole(str(tmp_path / "link"), 1).data == b"x"


def test_one_octet_more_is_too_much(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"four")
    with pytest.raises(FileTooLargeError) as raised:
        read_whole(str(tmp_path / "file"), 3)
    assert describe_os_error(raised.value) == "it is too large"
    assert raised.value.filename == str(tmp_path / "file")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotRegularError) as raised:
        read_whole(str(tmp_path / "pipe"), 10)
    assert describe_os_error(raised.value) == "it is a pipe, not a regular file"
    with pytest.raises(NotRegularError, match="device"):
        read_whole("/dev/zero", 10)


def test_what_cannot_be_read_leaves_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    os.mkfifo("pipe")
    before = sorted(os.listdir("/proc/self/fd"))
    for path in (".", "socket", "missing", "pipe"):
        with pytest.raises(OSError):
            read_whole(path, 10)
    with pytest.raises(ValueError):
        read_whole("a\0b", 10)
    assert sorted(os.listdir("/proc/self/fd")) == before
