"""The draft of a message that becomes a file, and the contract of Maildir and folder. remote.py has the other contract.

Terminology:

- *sink*: a Maildir or a folder, for one session of a client (filesink.py).
- *draft*: one message that is being delivered to a sink: octets in memory, then a file under its tmp name, then final.
- *tmp*: the path of a draft's unfinished file. *final*: the path that it gets.
- *spill*: move the octets in memory to the tmp file.
- *publish*: make the message visible to its reader: rename or link tmp to final.
- *orphan*: a tmp file of an earlier process without a record in the journal.

The order of the calls:

    open → write* (spill when pending ≥ SPILL) → flush → fsync → fsync folders_before → [journal: delivering]
    → publish → fsync folder → [audit line] → [journal: delivered]

abort() may be called at any point before publish() has returned, but only if the journal certainly has no record:
recovery assumes that a mail reader has moved a missing file. That leaves two cases:

- publish() raised: nothing has the final name. Withdraw the record, then abort.
- The journal's commit raised: the journal may have the record. Reopen it, let recovery decide, then abort.

Threads: calls without I/O (open, write) are made by the event loop, blocking calls in worker threads
(commit/blocking.py). A draft is used by one thread at a time; drafts of one sink may be used in several threads.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final

from tui_popretr import faultpoints
from tui_popretr.delivery.errors import delivery_failed
from tui_popretr.delivery.folders import Folders
from tui_popretr.delivery.modes import set_mode
from tui_popretr.delivery.owner import Owner
from tui_popretr.errors import DeliveryFailed
from tui_popretr.faultpoints import Step
from tui_popretr.fs.publishing import publish_by_link, publish_by_rename

#: Octets that a draft may keep in memory before it must be spilled.
SPILL: Final = 128 * 1024
#: Octets of a large message after which the writeback is started, so that the fsync at its end is short and the page
#: cache is free for others.
_WRITEBACK = 4 * 1024 * 1024
#: The permissions of a new file. Usual umasks do not change them.
_PRIVATE = 0o600


class FileDraft:
    """One message that is being delivered."""

    def __init__(
        self,
        record_id: int,
        tmp: str,
        final: str,
        *,
        tmp_folder: str,
        folder: str,
        description: str,
        folders: Folders,
        owner: Owner | None,
        mode: int,
        link: bool,
    ) -> None:
        """`tmp` and `final`: paths in `tmp_folder` and `folder`.

        `description`: the destination for the audit line: Mailbox=user1, Maildir=/path, File=/path/name.eml. `mode`:
        permissions of the file, whatever the umask. `link`: publish by link and unlink, where others may make
        files of any name; else by rename.
        """
        self.record_id = record_id
        self.tmp = tmp
        self.final = final
        #: The folder of `final`, to be fsynced before the journal records the message as delivered.
        self.folder = folder
        #: Octets that are only in memory.
        self.pending = 0
        self.description = description
        self._tmp_folder = tmp_folder
        self._created = False
        self._folders = folders
        self._owner = owner
        self._mode = mode
        self._link = link
        self._chunks: list[bytes] = []
        self._descriptor = -1
        self._inode = (0, 0)
        self._written = 0
        self._started = 0
        self._reported: tuple[str, ...] = ()
        self._failed = False
        self._synced = False
        self._published = False

    def write(self, data: bytes) -> None:
        """Add octets, in memory only. The caller has converted the line ends (FileSink.eol)."""
        self._chunks.append(data)
        self.pending += len(data)

    def spill(self) -> None:
        """Write the pending octets to the file, which is made on first use. Blocking. Raises DeliveryFailed."""
        self._check()
        try:
            if not self._created:
                self._create()
            chunks, self._chunks, self.pending = self._chunks, [], 0
            data = memoryview(chunks[0] if len(chunks) == 1 else b"".join(chunks))
            while data:
                count = os.write(self._descriptor, data)
                self._written += count
                data = data[count:]
            faultpoints.reached(Step.SPILLED)
            if self._written - self._started >= _WRITEBACK:
                self._start_writeback()
        except OSError as error:
            self._failed = True
            raise delivery_failed(error, "write", self.tmp) from error

    def flush(self) -> None:
        """Write the rest and start the writeback. Blocking. Raises DeliveryFailed.

        All drafts of a group are flushed before the first is fsynced, so that the disk can order the writes.
        """
        self.spill()
        self._start_writeback()
        faultpoints.reached(Step.WRITTEN)

    def fsync(self) -> None:
        """fsync the unfinished file. Blocking. Raises DeliveryFailed; the draft is then unusable."""
        self._check()
        descriptor, self._descriptor = self._descriptor, -1
        try:
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            # The system may have dropped the pages: a second fsync could report success for lost data.
            self._failed = True
            raise delivery_failed(error, "make durable", self.tmp) from error
        self._synced = True
        faultpoints.reached(Step.SYNCED)

    def folders_before(self) -> tuple[str, ...]:
        """Return the folders to be fsynced before the journal records the message as delivering."""
        self._reported = (self._tmp_folder, *self._folders.unsynced)
        return self._reported

    def publish(self) -> None:
        """Give the file its final name, without replacing a file. Blocking. Raises DeliveryFailed."""
        self._check()
        if not self._synced:
            raise RuntimeError("a draft is published only when it is durable")
        # Only now: folders_before() has been synced, or the caller broke the contract.
        self._folders.mark_synced(self._reported)
        try:
            (publish_by_link if self._link else publish_by_rename)(self.tmp, self.final)
        except OSError as error:
            if not self._is_published():
                self._failed = True
                # Most renames that find nothing miss what they are to rename.
                gone = isinstance(error, FileNotFoundError) and os.path.isdir(self.folder)
                doing, path = ("deliver", self.tmp) if gone else ("create", self.final)
                raise delivery_failed(error, doing, path) from error
            # A network file system has renamed it, and lost the reply.
        self._published = True
        faultpoints.reached(Step.PUBLISHED)

    def abort(self) -> None:
        """Remove everything. May be called again; does nothing after publish(). Blocking. Never raises."""
        if self._published:
            return
        self._failed = True
        self._chunks, self.pending = [], 0
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1
        if self._created:
            with contextlib.suppress(OSError):
                os.unlink(self.tmp)

    def _check(self) -> None:
        if self._failed:
            raise DeliveryFailed(f"cannot store {self.final}: an earlier step failed")

    def _create(self) -> None:
        self._folders.make()
        try:
            self._descriptor = self._open()
        except FileNotFoundError:
            self._folders.make(again=True)
            self._descriptor = self._open()
        self._created = True
        if self._owner is not None:
            self._owner.give(self._descriptor)
        if self._link or self._mode != _PRIVATE:  # else the mode is right, and the inode is not needed
            # The file is still empty, so the message never has other permissions.
            status = set_mode(self._descriptor, self._mode)
            self._inode = (status.st_dev, status.st_ino)

    def _open(self) -> int:
        return os.open(self.tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE)

    def _start_writeback(self) -> None:
        # Linux then starts to write the dirty pages, and does not wait.
        if hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        self._started = self._written

    def _is_published(self) -> bool:
        """Whether the file with the final name is this message."""
        try:
            final = os.lstat(self.final)
        except OSError:
            return False
        if self._link:
            # On file systems that invent inode numbers a placeholder may have the same number.
            return (final.st_dev, final.st_ino, final.st_size) == (*self._inode, self._written)
        return not os.path.lexists(self.tmp)  # no other program makes such a name
