"""The folders of a destination: made on first use, durable, with mode and owner."""

from __future__ import annotations

import contextlib
import os
import threading

from tui_popretr.delivery.errors import delivery_failed
from tui_popretr.delivery.modes import set_mode
from tui_popretr.delivery.owner import Owner
from tui_popretr.fs.folders import check_room, fsync_folder


def sync_folder(path: str) -> None:
    """Make changes of names in a folder durable, as fsync_folder() does.

    Blocking. Raises DeliveryFailed.
    """
    try:
        fsync_folder(path)
    except OSError as error:
        raise delivery_failed(error, "make durable the folder", path) from error


class Folders:
    """The folder of a sink with its subfolders, made on first use. For several threads.

    A folder is durable before a folder is made in it, so existing folders are durable, except perhaps the innermost: a
    process may have been killed after it had made them. So the first messages of each process also fsync the parent
    folder (`unsynced`).

    With an owner, the folders from the one with the owner's name on belong to the owner. The folders above remain ours,
    with mode 0711.
    """

    def __init__(self, top: str, subfolders: tuple[str, ...], owner: Owner | None, mode: int = 0o700) -> None:
        """`mode`: permissions of new folders, whatever the umask. Existing folders are not changed."""
        self._top = top
        self._wanted = tuple(os.path.join(top, name) for name in subfolders) or (top,)
        self._owner = owner
        self._mode = mode
        self._owned_from = top
        while owner is not None and top != os.path.dirname(top):
            if os.path.basename(top) == owner.name:
                self._owned_from = top
            top = os.path.dirname(top)
        self._lock = threading.Lock()
        self._made = False
        #: Folders to be fsynced before the next message is recorded as delivering.
        self.unsynced: tuple[str, ...] = ()

    def make(self, *, again: bool = False) -> None:
        """Make missing folders. `again`: check also if they existed before. Raises DeliveryFailed."""
        with self._lock:
            if self._made and not again:
                return
            for path in self._wanted:
                self._make(path)
            self.unsynced = (os.path.dirname(self._wanted[0]),)
            self._made = True

    def make_ready(self, octets: int) -> None:
        """Make missing folders and check that there is room for `octets`. Blocking. Raises DeliveryFailed."""
        self.make(again=True)
        try:
            check_room(self._wanted[0], octets)
        except OSError as error:
            raise delivery_failed(error, "store mail in", self._top) from error

    def mark_synced(self, folders: tuple[str, ...]) -> None:
        """Note that these have been fsynced since make()."""
        if self.unsynced and set(folders).issuperset(self.unsynced):
            self.unsynced = ()

    def _make(self, path: str) -> None:
        try:
            if os.path.isdir(path):
                return
            above = os.path.dirname(path)
            self._make(above)
            # Also if it existed: the process that made it may have been killed before it was durable.
            sync_folder(os.path.dirname(above))
            owner = self._owner if f"{path}/".startswith(f"{self._owned_from}/") else None
            self._make_one(path, owner, 0o711 if self._owner is not None and owner is None else self._mode)
        except OSError as error:
            raise delivery_failed(error, "make the folder", path) from error

    def _make_one(self, path: str, owner: Owner | None, mode: int) -> None:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:  # another process was faster
            if owner is not None:
                self._settle(path, owner, None)
            return
        try:
            self._settle(path, owner, mode)
        except BaseException:
            with contextlib.suppress(OSError):  # the next run would not change its mode
                os.rmdir(path)
            raise

    def _settle(self, path: str, owner: Owner | None, mode: int | None) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if owner is not None:
                owner.give(descriptor)
            if mode is not None:
                set_mode(descriptor, mode)
        finally:
            os.close(descriptor)
