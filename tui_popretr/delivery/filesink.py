"""The common part of Maildir and folder."""

from __future__ import annotations

import os

from tui_popretr.config.choices import Eol
from tui_popretr.config.model import Modes
from tui_popretr.delivery.errors import delivery_failed
from tui_popretr.delivery.folders import Folders
from tui_popretr.delivery.owner import Owner


class FileSink:
    """The part of the Sink contract that does not depend on file names."""

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
        self.key = f"{kind}:{self.path}"
        self.eol = eol
        self.lane = self.key
        self._journal_id = journal_id
        self._owner = None if owner is None else Owner(owner)
        self._file_mode = modes.file
        self._folders = Folders(self.path, subfolders, self._owner, modes.folder)

    def make_ready(self, octets: int) -> None:
        self._folders.make_ready(octets)
        try:
            self.lane = f"device:{os.stat(self.path).st_dev}"
        except OSError as error:
            raise delivery_failed(error, "store mail in", self.path) from error
