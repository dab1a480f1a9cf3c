"""From the unfinished name to the final one, and what of it has happened when everything stopped in between."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from enum import Enum
from typing import Final

from tui_popretr import faultpoints
from tui_popretr.errors import CannotCreate
from tui_popretr.faultpoints import Step

# Where hard links are not to be had.
_NO_LINKS: Final = frozenset((errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK))
# Our part of a name in cur; readers append flags (`:2,S`, on some systems `;2,` or `!2,`) and sizes (`,S=123`).
_OUR_PART: Final = re.compile(r"[A-Za-z0-9._-]+")


def publish_by_rename(tmp: str, final: str) -> None:
    """Rename, where names are unique by themselves. Raises OSError, FileExistsError rather than replace anything."""
    if os.path.lexists(final):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(tmp, final)


def publish_by_link(tmp: str, final: str) -> None:
    """Link and unlink, where others may make files of any name at any time. Raises OSError, FileExistsError."""
    try:
        os.link(tmp, final, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        publish_by_rename(tmp, final)
    else:
        faultpoints.reached(Step.LINKED)
        with contextlib.suppress(OSError):  # it is published; the other name is cleaned as an orphan
            os.unlink(tmp)


class Whereabouts(Enum):
    """Where a message is whose delivery was interrupted."""

    PUBLISHED = "published"  # it had its final name
    RESUMED = "resumed"  # it has it now
    GONE = "gone"  # neither name exists: a reader took it, or it was lost
    DISPLACED = "displaced"  # something else has its final name: it was never published


class Resumption:
    """Looks for interrupted deliveries and publishes those that are still unfinished. Each cur is listed once."""

    def __init__(self) -> None:
        self._cur: dict[str, frozenset[str]] = {}

    def resume(self, tmp: str, final: str) -> tuple[Whereabouts, str]:
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
            return self._resume_in_folder(tmp, final), folder
        return self._resume_in_maildir(tmp, final)

    def _resume_in_maildir(self, tmp: str, final: str) -> tuple[Whereabouts, str]:
        new = os.path.dirname(final)
        if os.path.lexists(final):
            return Whereabouts.PUBLISHED, new
        cur = os.path.join(os.path.dirname(new), "cur")
        if os.path.basename(final) in self._names_in(cur):
            return Whereabouts.PUBLISHED, cur
        try:
            publish_by_rename(tmp, final)
        except FileNotFoundError:
            return Whereabouts.GONE, new
        return Whereabouts.RESUMED, new

    def _resume_in_folder(self, tmp: str, final: str) -> Whereabouts:
        if not os.path.lexists(final):
            try:
                publish_by_link(tmp, final)
            except FileNotFoundError:
                return Whereabouts.GONE
            except FileExistsError:
                return Whereabouts.DISPLACED
            return Whereabouts.RESUMED
        # Linked and not yet unlinked, or a stranger: as long as the unfinished name is there, the inodes tell.
        if not os.path.lexists(tmp):
            return Whereabouts.PUBLISHED
        if not os.path.samestat(os.lstat(tmp), os.lstat(final)):
            return Whereabouts.DISPLACED
        os.unlink(tmp)
        return Whereabouts.PUBLISHED

    def _names_in(self, cur: str) -> frozenset[str]:
        if cur not in self._cur:
            try:
                found = (_OUR_PART.match(name) for name in os.listdir(cur))
                self._cur[cur] = frozenset(match.group() for match in found if match is not None)
            except FileNotFoundError:
                self._cur[cur] = frozenset()
        return self._cur[cur]
