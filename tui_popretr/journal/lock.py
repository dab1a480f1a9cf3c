"""One process at a time: a lock on a file of its own, which the kernel releases when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from tui_popretr.errors import JournalLocked
from tui_popretr.fs.locks import lock
from tui_popretr.fs.reading import NotRegularError


def acquire(path: str) -> int:
    """Lock PATH.lock and return its descriptor, to be closed with the journal. The file itself is never removed.

    (A removed lock file could be locked by two: one through the old inode, one through the new.)
    Raises JournalLocked, NotRegularError, OSError.
    """
    descriptor = _open(path + ".lock")
    try:
        lock(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    except BlockingIOError:
        holder = ""
        with contextlib.closing(os.fdopen(descriptor, "rb")) as file, contextlib.suppress(OSError):  # CIFS: no reading
            holder = file.read(20).decode("ascii", "replace").strip()
        by = f" (process {holder})" if holder.isdecimal() else ""
        raise JournalLocked(f"the journal {path} is in use by another tui-popretr{by}") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open(path: str) -> int:
    """Open a lock file, which is written to: never what a link leads to."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK, errno.EISDIR, errno.ENXIO):
            raise
    raise NotRegularError(errno.EINVAL, f"its lock file {path} is not a regular file", path)
