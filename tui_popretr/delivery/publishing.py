"""From the unfinished name to the final one, and what of it has happened when everything stopped in between."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from enum import Enum
from typing import Final

from tui_popretr import faultpoints
from tui_popretr.errors import CannotCreate
from tui_popretr.faultpoints import Step

# Our part of a name in cur; readers append flags (`:2,S`, on some systems `;2,` or `!2,`) and sizes (`,S=123`).
_OUR_PART: Final = re.compile(r"[A-Za-z0-9._-]+")


def publish_by_rename(tmp: str, final: str) -> None:
    """Rename, where names are unique by themselves. Raises OSError, FileExistsError rather than replace anything."""
    if os.path.lexists(final):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(tmp, final)


def publish_by_link(tmp: str, final: str) -> None:
    """Link and unlink, because other programs may create files of any name. Raises OSError, FileExistsError.

    Without hard links, an empty file gets the name first, and is then replaced.
    """
    try:
        _link(tmp, final)
    except OSError as error:
        if not os.path.lexists(tmp):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
        # On a network file system the call may have succeeded, and only its answer was lost.
        if not _is_linked(tmp, final):
            if isinstance(error, FileExistsError):
                raise
            _publish_by_placeholder(tmp, final)
            return
    faultpoints.reached(Step.LINKED)
    with contextlib.suppress(OSError):  # it is published; the other name is cleaned as an orphan
        os.unlink(tmp)


def _link(tmp: str, final: str) -> None:
    try:
        os.link(tmp, final, follow_symlinks=False)
    except (AttributeError, NotImplementedError) as error:  # this Python has none
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error


def _is_linked(tmp: str, final: str) -> bool:
    """Whether both are names of one file. Some file systems invent inode numbers, so the sizes must agree, too."""
    try:
        one, other = os.lstat(tmp), os.lstat(final)
    except OSError:
        return False
    return os.path.samestat(one, other) and one.st_size == other.st_size


def _publish_by_placeholder(tmp: str, final: str) -> None:
    os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    faultpoints.reached(Step.NAME_TAKEN)
    try:
        _replace_placeholder(tmp, final)
    except OSError:
        # If only the answer was lost, there is no file with the unfinished name.
        with contextlib.suppress(OSError):
            if os.path.lexists(tmp) and _is_placeholder(os.lstat(final)):
                os.unlink(final)
        raise


def _replace_placeholder(tmp: str, final: str) -> None:
    if not _is_placeholder(os.lstat(final)):  # another program has written into it
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(tmp, final)


def _is_placeholder(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


class FileState(Enum):
    """Where a message is whose delivery was interrupted."""

    PUBLISHED = "published"  # it had its final name
    FINISHED = "finished"  # it has its final name now
    GONE = "gone"  # neither name exists: a reader took it, or it was lost
    DISPLACED = "displaced"  # something else has its final name: it was never published
    EMPTY = "empty"  # the file with the final name is empty, and the unfinished file is gone


class InterruptedPublish:
    """Looks for interrupted deliveries and publishes those that are still unfinished. Each cur is listed once."""

    def __init__(self) -> None:
        self._cur: dict[str, frozenset[str]] = {}

    def finish_publish(self, tmp: str, final: str) -> tuple[FileState, str]:
        """Return where the message is, and the folder that must be fsynced before it counts as delivered.

        Blocking. Raises OSError; CannotCreate where the destination itself is not there, which tells nothing about the
        message: its disk may not be mounted.
        """
        folder = os.path.dirname(final)
        for needed in (folder, os.path.dirname(tmp)):
            if not os.path.isdir(needed):
                raise CannotCreate(
                    f"the folder {needed} is not there, so it cannot be told whether a message was delivered",
                    advice="is its disk mounted?",
                )
        if os.path.dirname(tmp) == folder:
            return self._finish_in_folder(tmp, final), folder
        return self._finish_in_maildir(tmp, final)

    def _finish_in_maildir(self, tmp: str, final: str) -> tuple[FileState, str]:
        new = os.path.dirname(final)
        if os.path.lexists(final):
            return FileState.PUBLISHED, new
        cur = os.path.join(os.path.dirname(new), "cur")
        if os.path.basename(final) in self._names_in(cur):
            return FileState.PUBLISHED, cur
        try:
            publish_by_rename(tmp, final)
        except FileNotFoundError:
            return FileState.GONE, new
        return FileState.FINISHED, new

    def _finish_in_folder(self, tmp: str, final: str) -> FileState:
        if not os.path.lexists(final):
            try:
                publish_by_link(tmp, final)
            except FileNotFoundError:
                return FileState.GONE
            except FileExistsError:
                return FileState.DISPLACED
            return FileState.FINISHED
        there = os.lstat(final)
        if not os.path.lexists(tmp):
            return FileState.EMPTY if _is_placeholder(there) else FileState.PUBLISHED
        # Linked and not yet unlinked, or a placeholder, or a file of another program: compare the inodes.
        if _is_linked(tmp, final):
            os.unlink(tmp)
            return FileState.PUBLISHED
        if not _is_placeholder(there):
            return FileState.DISPLACED
        _replace_placeholder(tmp, final)
        return FileState.FINISHED

    def _names_in(self, cur: str) -> frozenset[str]:
        if cur not in self._cur:
            try:
                found = (_OUR_PART.match(name) for name in os.listdir(cur))
                self._cur[cur] = frozenset(match.group() for match in found if match is not None)
            except FileNotFoundError:
                self._cur[cur] = frozenset()
        return self._cur[cur]
