"""Delivery into a Maildir: written in tmp, renamed into new (https://cr.yp.to/proto/maildir.html)."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import datetime

from tui_popretr.config.model import MaildirDestination
from tui_popretr.delivery import names
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.delivery.folders import Folders
from tui_popretr.delivery.orphans import remove_left_behind
from tui_popretr.delivery.owner import Owner


class MaildirSink:
    """The Sink of a Maildir."""

    def __init__(self, destination: MaildirDestination, journal_id: str) -> None:
        path = os.path.normpath(destination.path)
        self.key = f"maildir:{path}"
        self.eol = destination.eol
        self._journal_id = journal_id
        self._tmp = os.path.join(path, "tmp")
        self._new = os.path.join(path, "new")
        self._description = f"Maildir={path}" if destination.mailbox is None else f"Mailbox={destination.mailbox}"
        self._owner = None if destination.owner is None else Owner(destination.owner)
        self._folders = Folders(path, ("tmp", "new", "cur"), self._owner)

    def open(self, record_id: int, when: datetime) -> FileDraft:
        name = names.maildir_name(self._journal_id, record_id, when)
        return FileDraft(
            record_id,
            f"{self._tmp}/{name}",
            f"{self._new}/{name}",
            description=self._description,
            folders=self._folders,
            owner=self._owner,
            link=False,
        )

    def make_ready(self, octets: int) -> None:
        self._folders.make_ready(octets)

    def clean_orphans(self, known: Collection[str]) -> list[str]:
        return remove_left_behind(self._tmp, names.maildir_tag, self._journal_id, known)
