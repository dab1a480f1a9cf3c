"""One process at a time: a lock on a file of its own, which the kernel releases when its holder dies."""

from __future__ import annotations

import contextlib
import os

from tui_popretr import fs
from tui_popretr.errors import JournalLocked


def acquire(path: str) -> int:
    """Lock PATH.lock and return its descriptor, to be closed with the journal. The file itself is never removed.

    (A removed lock file could be locked by two: one through the old inode, one through the new.)
    Raises JournalLocked, OSError.
    """
    descriptor = os.open(path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fs.lock(descriptor)
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
