"""Delivery into a folder: one file per message, published by link so that no file is replaced."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import datetime

from tui_popretr.config.model import FolderDestination
from tui_popretr.delivery import names
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.delivery.filesink import FileSink
from tui_popretr.delivery.orphans import remove_left_behind


class FolderSink(FileSink):
    """A downloads folder."""

    def __init__(self, destination: FolderDestination, client: str, journal_id: str) -> None:
        super().__init__(
            "folder",
            destination.path,
            (),
            eol=destination.eol,
            owner=destination.owner,
            modes=destination.modes,
            journal_id=journal_id,
        )
        self._client = client

    def open(self, record_id: int, when: datetime) -> FileDraft:
        name = names.folder_name(self._client, record_id, when)
        final = os.path.join(self.path, name)
        return FileDraft(
            record_id,
            os.path.join(self.path, names.part_name(name, self._journal_id, record_id)),
            final,
            tmp_folder=self.path,
            folder=self.path,
            description=f"File={final}",
            folders=self._folders,
            owner=self._owner,
            mode=self._file_mode,
            link=True,
        )

    def clean_orphans(self, known: Collection[str]) -> list[str]:
        return remove_left_behind(self.path, names.part_tag, self._journal_id, known)
