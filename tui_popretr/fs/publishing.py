"""Give a finished file its final name without ever replacing another file."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from tui_popretr import faultpoints
from tui_popretr.faultpoints import Step


def publish_by_rename(tmp: str, final: str) -> None:
    """Rename, for names that are unique. Raises OSError, and FileExistsError if the final name exists."""
    if os.path.lexists(final):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(tmp, final)


def publish_by_link(tmp: str, final: str) -> None:
    """Link and unlink, for names that other programs may create at any time. Raises OSError, FileExistsError.

    Without hard links, an empty file takes the name first and is then replaced.
    """
    try:
        _link(tmp, final)
    except OSError as error:
        if not os.path.lexists(tmp):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
        # On a network file system the call may have succeeded although its answer was lost.
        if not is_linked(tmp, final):
            if isinstance(error, FileExistsError):
                raise
            _publish_by_placeholder(tmp, final)
            return
    faultpoints.reached(Step.LINKED)
    with contextlib.suppress(OSError):  # it is published; the other name is removed later as an orphan
        os.unlink(tmp)


def _link(tmp: str, final: str) -> None:
    try:
        os.link(tmp, final, follow_symlinks=False)
    except (AttributeError, NotImplementedError) as error:  # not on this platform
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error


def is_linked(tmp: str, final: str) -> bool:
    """Return whether both are names of one file. Some file systems invent inode numbers, so sizes are compared, too."""
    try:
        one, other = os.lstat(tmp), os.lstat(final)
    except OSError:
        return False
    return os.path.samestat(one, other) and one.st_size == other.st_size


def _publish_by_placeholder(tmp: str, final: str) -> None:
    os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    faultpoints.reached(Step.NAME_TAKEN)
    try:
        replace_placeholder(tmp, final)
    except OSError:
        # If only the answer was lost, the unfinished name is gone.
        with contextlib.suppress(OSError):
            if os.path.lexists(tmp) and is_placeholder(os.lstat(final)):
                os.unlink(final)
        raise


def replace_placeholder(tmp: str, final: str) -> None:
    """Rename `tmp` over an empty file. Raises OSError, and FileExistsError if `final` is not empty."""
    if not is_placeholder(os.lstat(final)):  # another program has written into it
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(tmp, final)


def is_placeholder(status: os.stat_result) -> bool:
    """Return whether a file is an empty regular file, as publish_by_link() creates it without hard links."""
    return stat.S_ISREG(status.st_mode) and status.st_size == 0
