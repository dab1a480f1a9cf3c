"""From the unfinished name to the final one, and what of it has happened when everything stopped in between."""

from __future__ import annotations

import os
import re
from enum import Enum
from typing import Final

from tui_popretr.errors import CannotCreate
from tui_popretr.fs.publishing import (
    is_linked,
    is_placeholder,
    publish_by_link,
    publish_by_rename,
    replace_placeholder,
)

# Our part of a name in cur; readers append flags (`:2,S`, on some systems `;2,` or `!2,`) and sizes (`,S=123`).
_OUR_PART: Final = re.compile(r"[A-Za-z0-9._-]+")


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
            return FileState.EMPTY if is_placeholder(there) else FileState.PUBLISHED
        # Linked and not yet unlinked, or a placeholder, or a file of another program: compare the inodes.
        if is_linked(tmp, final):
            os.unlink(tmp)
            return FileState.PUBLISHED
        if not is_placeholder(there):
            return FileState.DISPLACED
        replace_placeholder(tmp, final)
        return FileState.FINISHED

    def _names_in(self, cur: str) -> frozenset[str]:
        if cur not in self._cur:
            try:
                found = (_OUR_PART.match(name) for name in os.listdir(cur))
                self._cur[cur] = frozenset(match.group() for match in found if match is not None)
            except FileNotFoundError:
                self._cur[cur] = frozenset()
        return self._cur[cur]
