"""The programs whose memory can be read, and their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tui_popretr.files import read_whole
from tui_popretr.migration import fetchmail, getmail, mpop
from tui_popretr.migration.seen_file import SeenAccountName, SeenFile

# 100,000 messages of an account are 10 MB at most.
_LARGEST = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Tool:
    """One of those programs."""

    name: str
    #: In words, where its memory is unless it was told otherwise.
    usual: str
    #: The paths to look at, of which some may not be there. Raises OSError where a folder cannot be read.
    places: Callable[[Mapping[str, str]], list[str]]
    _read: Callable[[str, bytes], SeenFile]
    #: The account as the program writes it.
    spelled: Callable[[SeenAccountName], SeenAccountName] = lambda account: account

    def remember(self, path: str) -> SeenFile:
        """Return what a file of the program's says. Raises OSError and, where it cannot be a path, ValueError."""
        return self._read(path, read_whole(path, _LARGEST).data)


TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool("fetchmail", fetchmail.USUAL, fetchmail.places, fetchmail.read),
        Tool("getmail", getmail.USUAL, getmail.places, getmail.read, getmail.spelled),
        Tool("mpop", mpop.USUAL, mpop.places, mpop.read),
    )
}
