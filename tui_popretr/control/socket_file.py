"""The control socket in the file system: where it may be, how it replaces a stale one, and which user connects."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from typing import Final, Protocol

from tui_popretr.config.paths import LONGEST_SOCKET_PATH
from tui_popretr.errors import describe_os_error
from tui_popretr.fs.folders import make_private_folders

#: What is wrong with the path of a socket.
TOO_LONG: Final = f"its path is longer than {LONGEST_SOCKET_PATH} octets; choose a shorter one in <control>"
#: Connections that wait to be accepted.
BACKLOG: Final = 64

_UCRED: Final = struct.Struct("3i")  # pid, uid, gid (unix(7))


class SocketUnusableError(Exception):
    """There can be no control socket at this path; the text says why and what to do."""


class ControlSocket:
    """A listening Unix socket at `path`, mode 0600."""

    def __init__(self, path: str) -> None:
        """Listen at `path`. A stale socket is replaced, any other file is not. Blocking.

        The caller holds the journal's lock, so that no other process of this program listens there. Raises
        SocketUnusableError.
        """
        if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
            raise SocketUnusableError(TOO_LONG)
        self._path = path
        self._file: tuple[int, int] | None = None
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            make_private_folders(os.path.dirname(path), durable=False)
            _refuse_unsafe_folder(os.path.dirname(path))
            _remove_stale(path)
            self.listener.bind(path)
            self._file = _identity(path)
            os.chmod(path, 0o600)
            self.listener.listen(BACKLOG)
            self.listener.setblocking(False)
        except OSError as problem:
            self.close()
            raise SocketUnusableError(describe_os_error(problem)) from None
        except SocketUnusableError:
            self.close()
            raise

    def close(self) -> None:
        """Stop listening and remove the file, unless another one has taken its place."""
        with contextlib.suppress(OSError):
            if self._file is not None and _identity(self._path) == self._file:
                os.unlink(self._path)
        self.listener.close()


class _HasOptions(Protocol):
    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


def peer_uid(connection: _HasOptions) -> int:
    """Return the user id of the process at the other end (SO_PEERCRED, unix(7))."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    uid: int = _UCRED.unpack(data)[1]
    return uid


def _refuse_unsafe_folder(folder: str) -> None:
    """A user with write permission on the folder could replace our socket."""
    found = os.stat(folder)
    if found.st_uid != os.geteuid():
        raise SocketUnusableError(f"the folder {folder} belongs to another user; choose one of your own in <control>")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SocketUnusableError(f"others can write to the folder {folder}; remove that permission (chmod go-w)")


def _remove_stale(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise SocketUnusableError("another file is there; remove it, or choose another path in <control>")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        except OSError as problem:
            raise SocketUnusableError(
                f"another program uses it ({describe_os_error(problem)}); choose another path in <control>"
            ) from None
        else:
            raise SocketUnusableError("another program listens on it; choose another path in <control>")


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino
