"""Find out how far an interrupted delivery got, and publish its message if it was not published yet."""

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

# Our part of a name in cur; mail readers append flags (`:2,S`, on some systems `;2,` or `!2,`) and sizes (`,S=123`).
_OUR_PART: Final = re.compile(r"[A-Za-z0-9._-]+")


class FileState(Enum):
    """Where the file of an interrupted delivery is."""

    PUBLISHED = "published"  # it had its final name
    FINISHED = "finished"  # it has its final name now
    GONE = "gone"  # neither name exists: a mail reader took it, or it was lost
    DISPLACED = "displaced"  # another file has its final name: it was never published
    EMPTY = "empty"  # the file with the final name is empty, and the unfinished file is gone


class InterruptedPublish:
    """Finds the files of interrupted deliveries, and publishes the unfinished ones. Lists each cur once."""

    def __init__(self) -> None:
        self._cur: dict[str, frozenset[str]] = {}

    def finish_publish(self, tmp: str, final: str) -> tuple[FileState, str]:
        """Publish the file if necessary. Return its state, and the folder to be fsynced before it counts as delivered.

        Blocking. Raises OSError, and CannotCreate if the destination is missing: its disk may not be mounted, so the
        state of the message is unknown.
        """
        folder = os.path.dirname(final)
        for needed in (folder, os.path.dirname(tmp)):
            if not os.path.isdir(needed):
                raise CannotCreate(
                    f"the folder {needed} is not there, so it is unknown whether a message was delivered",
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
