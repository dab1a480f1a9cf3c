"""The lock that keeps other processes out: on a separate file, released by the kernel when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from tui_popretr.errors import JournalLocked
from tui_popretr.fs.locks import lock
from tui_popretr.fs.reading import NotRegularError


def acquire(path: str) -> int:
    """Lock PATH.lock and return its descriptor, which is to be closed with the journal.

    The file is never removed: two processes could then hold locks, one on the old inode and one on the new.
    Raises JournalLocked, NotRegularError, OSError.
    """
    descriptor = _open(path + ".lock")
    try:
        lock(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    except BlockingIOError:
        holder = ""
        # On CIFS a locked file cannot be read.
        with contextlib.closing(os.fdopen(descriptor, "rb")) as file, contextlib.suppress(OSError):
            holder = file.read(20).decode("ascii", "replace").strip()
        by = f" (process {holder})" if holder.isdecimal() else ""
        raise JournalLocked(f"the journal {path} is in use by another tui-popretr{by}") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open(path: str) -> int:
    """Open a lock file. Links are not followed, because the file is written to."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK, errno.EISDIR, errno.ENXIO):
            raise
    raise NotRegularError(errno.EINVAL, f"its lock file {path} is not a regular file", path)
