"""A Maildir or a folder as the destination of a session. filedraft.py has the contract."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import datetime

from tui_popretr.config.choices import Eol
from tui_popretr.config.model import Modes
from tui_popretr.delivery.errors import delivery_failed
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.delivery.folders import Folders
from tui_popretr.delivery.owner import Owner


class FileSink(ABC):
    """A destination, for one session of a client. Maildir and folder differ in the names of files."""

    def __init__(
        self,
        kind: str,
        path: str,
        subfolders: tuple[str, ...],
        *,
        eol: Eol,
        owner: str | None,
        modes: Modes,
        journal_id: str,
    ) -> None:
        self.path = os.path.normpath(path)
        #: The destination part of the maildrop's key: the same in every run.
        self.key = f"{kind}:{self.path}"
        #: The line ends of the destination.
        self.eol = eol
        #: Drafts of one lane are made durable in common groups. It is the device, after the first make_ready().
        self.lane = self.key
        self._journal_id = journal_id
        self._owner = None if owner is None else Owner(owner)
        self._file_mode = modes.file
        self._folders = Folders(self.path, subfolders, self._owner, modes.folder)

    @abstractmethod
    def open(self, record_id: int, when: datetime) -> FileDraft:
        """Return a new draft; no I/O. `when` is local wall-clock time."""

    @abstractmethod
    def clean_orphans(self, known: Collection[str]) -> list[str]:
        """Remove orphans; return their paths. Blocking. Raises DeliveryFailed.

        `known`: the tmp paths of all records in DELIVERING.
        """

    def make_ready(self, octets: int) -> None:
        """Check that a message of this size can be stored, before it is retrieved. Blocking. Raises DeliveryFailed.

        Makes missing folders.
        """
        self._folders.make_ready(octets)
        try:
            self.lane = f"device:{os.stat(self.path).st_dev}"
        except OSError as error:
            raise delivery_failed(error, "store mail in", self.path) from error
