"""The programs from which seen messages can be imported, and their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tui_popretr.fs.reading import read_whole
from tui_popretr.migration import fetchmail, getmail, mpop
from tui_popretr.migration.seen_file import SeenAccountName, SeenFile

# 100,000 messages of an account are 10 MB at most.
_LARGEST = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Tool:
    """One of these programs."""

    name: str
    #: The default place of its files, for error texts.
    usual: str
    #: Returns the default paths; the files may be missing. Raises OSError if a folder cannot be read.
    places: Callable[[Mapping[str, str]], list[str]]
    _parse: Callable[[str, bytes], SeenFile]
    #: Returns the account as the program writes it.
    spelled: Callable[[SeenAccountName], SeenAccountName] = lambda account: account

    def read(self, path: str) -> SeenFile:
        """Read a file of the program. Raises OSError, and ValueError if `path` cannot be a path."""
        return self._parse(path, read_whole(path, _LARGEST).data)


TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool("fetchmail", fetchmail.USUAL, fetchmail.places, fetchmail.read),
        Tool("getmail", getmail.USUAL, getmail.places, getmail.read, getmail.spelled),
        Tool("mpop", mpop.USUAL, mpop.places, mpop.read),
    )
}
