"""Files written whole or not at all, for their owner only."""

from __future__ import annotations

import contextlib
import os
import secrets
from types import TracebackType
from typing import Self

from tui_popretr.delivery.errors import delivery_failed
from tui_popretr.delivery.folders import Folders, sync_folder
from tui_popretr.delivery.publishing import publish_by_link
from tui_popretr.errors import CannotCreate


class PrivateFile:
    """A file (0600) under an unfinished name in its folder, until it is published; otherwise nothing stays of it.

    Folders that are missing are made (0700). Raises DeliveryFailed and CannotCreate.
    """

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        folder, name = os.path.split(os.path.realpath(path))  # behind a link, so that it stays one
        self._final = os.path.join(folder, name)
        #: Where the data are until then.
        self.unfinished = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.part")
        Folders(folder, (), None).make()
        try:
            descriptor = os.open(self.unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
        except BaseException as error:
            self._discard()
            if isinstance(error, OSError):
                raise delivery_failed(error, "write", path) from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._discard()

    def publish(self, *, replace: bool) -> None:
        """Give the file its name, durably. Without `replace` nothing is replaced: CannotCreate."""
        try:
            if replace:
                os.replace(self.unfinished, self._final)
            else:
                publish_by_link(self.unfinished, self._final)
        except FileExistsError as error:
            raise already_there(self.path) from error
        except OSError as error:
            raise delivery_failed(error, "write", self.path) from error
        sync_folder(os.path.dirname(self._final))

    def _discard(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.unfinished)


def already_there(path: str) -> CannotCreate:
    """Return the error of a file that is not to be replaced."""
    return CannotCreate(f"there is {path} already", advice="--force replaces it; or name another file: init FILE")
