"""Delivery into a folder: one file per message, linked to its name so that nothing is ever replaced."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import datetime

from tui_popretr.config.model import FolderDestination
from tui_popretr.delivery import names
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.delivery.folders import Folders
from tui_popretr.delivery.orphans import remove_left_behind
from tui_popretr.delivery.owner import Owner


class FolderSink:
    """The Sink of a downloads folder."""

    def __init__(self, destination: FolderDestination, client: str, journal_id: str) -> None:
        self._path = os.path.normpath(destination.path)
        self.key = f"folder:{self._path}"
        self.eol = destination.eol
        self._client = client
        self._journal_id = journal_id
        self._owner = None if destination.owner is None else Owner(destination.owner)
        self._folders = Folders(self._path, (), self._owner)

    def open(self, record_id: int, when: datetime) -> FileDraft:
        name = names.folder_name(self._client, record_id, when)
        final = os.path.join(self._path, name)
        return FileDraft(
            record_id,
            os.path.join(self._path, names.part_name(name, self._journal_id, record_id)),
            final,
            description=f"File={final}",
            folders=self._folders,
            owner=self._owner,
            link=True,
        )

    def make_ready(self, octets: int) -> None:
        self._folders.make_ready(octets)

    def clean_orphans(self, known: Collection[str]) -> list[str]:
        return remove_left_behind(self._path, names.part_tag, self._journal_id, known)
