"""Delivery into a Maildir: written in tmp, renamed into new (https://cr.yp.to/proto/maildir.html)."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import datetime

from tui_popretr.config.model import MaildirDestination
from tui_popretr.delivery import names
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.delivery.filesink import FileSink
from tui_popretr.delivery.orphans import remove_left_behind


class MaildirSink(FileSink):
    """A Maildir."""

    def __init__(self, destination: MaildirDestination, journal_id: str) -> None:
        super().__init__(
            "maildir",
            destination.path,
            ("tmp", "new", "cur"),
            eol=destination.eol,
            owner=destination.owner,
            modes=destination.modes,
            journal_id=journal_id,
        )
        self._tmp = os.path.join(self.path, "tmp")
        self._new = os.path.join(self.path, "new")
        mailbox = destination.mailbox
        self._description = f"Maildir={self.path}" if mailbox is None else f"Mailbox={mailbox}"

    def open(self, record_id: int, when: datetime) -> FileDraft:
        name = names.maildir_name(self._journal_id, record_id, when)
        return FileDraft(
            record_id,
            f"{self._tmp}/{name}",
            f"{self._new}/{name}",
            tmp_folder=self._tmp,
            folder=self._new,
            description=self._description,
            folders=self._folders,
            owner=self._owner,
            mode=self._file_mode,
            link=False,
        )

    def clean_orphans(self, known: Collection[str]) -> list[str]:
        return remove_left_behind(self._tmp, names.maildir_tag, self._journal_id, known)
