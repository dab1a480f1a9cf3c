"""The file of the control socket: where there can be one, what is replaced, and what is removed."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tui_popretr.config.paths import LONGEST_SOCKET_PATH
from tui_popretr.control import socket_file
from tui_popretr.control.socket_file import ControlSocket, SocketUnusableError


@pytest.fixture
def path(tmp_path: Path) -> str:
    folder = tmp_path / "var"
    folder.mkdir(mode=0o700)
    return str(folder / "control.sock")


@contextmanager
def listening_at(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        yield listener


def refused(path: str) -> str:
    with pytest.raises(SocketUnusableError) as raised:
        ControlSocket(path).close()
    return str(raised.value)


def test_only_the_owner_may_use_it(path: str) -> None:
    with closing(ControlSocket(path)):
        mode = os.lstat(path).st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert not os.path.lexists(path)


def test_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "control.sock"
    with closing(ControlSocket(str(path))):
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_a_folder_that_others_can_write(mode: int, path: str) -> None:
    os.chmod(os.path.dirname(path), mode)
    assert "others can write to the folder" in refused(path)
    assert "chmod go-w" in refused(path)
    assert not os.path.lexists(path)


def test_a_folder_of_another_user(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert "belongs to another user" in refused(path)


def test_a_path_that_is_too_long(path: str) -> None:
    folder = os.path.dirname(path)
    longest = os.path.join(folder, "x" * (LONGEST_SOCKET_PATH - len(os.fsencode(folder)) - 1))
    if len(os.fsencode(longest)) == LONGEST_SOCKET_PATH and len(os.path.basename(longest)) > 0:
        ControlSocket(longest).close()
    assert refused(longest + "x") == "its path is longer than 107 octets; choose a shorter one in <control>"


def test_a_file_of_another_program_stays(path: str) -> None:
    Path(path).write_text("mine")
    assert "another file is there" in refused(path)
    assert Path(path).read_text() == "mine"


def test_a_link_is_not_followed(path: str) -> None:
    Path(path).symlink_to("/nonexistent")
    assert "another file is there" in refused(path)
    assert os.path.islink(path)


def test_a_stale_socket_is_replaced(path: str) -> None:
    with listening_at(path):
        before = os.lstat(path).st_ino
    assert os.lstat(path).st_ino == before
    with closing(ControlSocket(path)), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)


def test_a_socket_in_use_stays(path: str) -> None:
    with listening_at(path):
        assert "another program listens on it" in refused(path)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)


def test_a_socket_in_use_that_accepts_nothing_stays(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as first:
        full.bind(path)
        full.listen(0)
        first.connect(path)
        assert "another program uses it" in refused(path)
    assert os.path.lexists(path)


def test_a_full_disk(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk(socket.socket):
        def bind(self, _: object) -> None:
            raise OSError(28, os.strerror(28))

    monkeypatch.setattr(socket, "socket", FullDisk)
    assert "no space left" in refused(path).lower()


def test_a_file_that_took_its_place_stays(path: str) -> None:
    ours = ControlSocket(path)
    os.unlink(path)
    with listening_at(path):
        ours.close()
        assert os.path.lexists(path)


def test_a_socket_that_is_gone_already(path: str) -> None:
    ours = ControlSocket(path)
    os.unlink(path)
    ours.close()


def test_no_file_is_left_if_listening_fails(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "chmod", lambda *_: (_ for _ in ()).throw(PermissionError(1, "not permitted")))
    assert "not permitted" in refused(path).lower()
    assert not os.path.lexists(path)


def test_the_uid_of_the_peer() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert socket_file.peer_uid(one) == os.geteuid()
