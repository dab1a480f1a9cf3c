"""A file of another retriever: the UIDs of each of its accounts, and the lines that are not understood."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tui_popretr.errors import ConfigurationError
from tui_popretr.home import UnknownHomeError, home_folder
from tui_popretr.hosts import host_key
from tui_popretr.pop3 import UID
from tui_popretr.text import visible

#: At most this many bad lines of a file are kept for the report. All are counted.
NAMED = 10


class SeenAccountName(NamedTuple):
    """An account, as the other program writes it. Bytes that are not UTF-8 become lone surrogates."""

    user: str
    host: str

    def __str__(self) -> str:
        """USER@HOST, safe to show."""
        return visible(f"{self.user}@{self.host}", 254)

    def same_as(self, other: SeenAccountName) -> bool:
        """Hosts are compared by host_key(); users may differ by case."""
        return self.user == other.user and host_key(self.host) == host_key(other.host)


class BadLine(NamedTuple):
    """A line that was skipped. `text` is safe to show."""

    number: int
    text: str


@dataclass(slots=True)
class SeenAccount:
    """The UIDs of one account.

    `names` has several entries if the name of the file is ambiguous, the most likely one first.
    """

    names: tuple[SeenAccountName, ...]
    uids: list[str] = field(default_factory=list)

    def belongs_to(self, account: SeenAccountName) -> bool:
        return any(account.same_as(each) for each in self.names)


@dataclass(slots=True)
class SeenFile:
    """The content of one file. `skipped` counts its bad lines; `bad` has the first of them."""

    path: str
    accounts: list[SeenAccount] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    skipped: int = 0

    def of(self, account: SeenAccountName) -> list[str]:
        """Return the UIDs of an account, each once, in the file's order."""
        found = (each.uids for each in self.accounts if each.belongs_to(account))
        return list(dict.fromkeys(uid for uids in found for uid in uids))

    def skip(self, number: int, line: bytes) -> None:
        """Count a line that is not understood."""
        self.skipped += 1
        if len(self.bad) < NAMED:
            self.bad.append(BadLine(number, visible(line, 60)))


def home_of(environ: Mapping[str, str]) -> str:
    """Return the home folder of the user that runs the program. Raises ConfigurationError if it is unknown."""
    try:
        return home_folder(environ)
    except UnknownHomeError as error:
        raise ConfigurationError(f"the usual place cannot be looked at: {error}", advice="name the file") from None


def lines_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the non-blank lines with their numbers, without line ends and without a byte order mark."""
    for number, line in enumerate(data.removeprefix(BOM_UTF8).split(b"\n"), start=1):
        if line.strip():
            yield number, line.removesuffix(b"\r")


def uid_of(raw: bytes) -> str | None:
    """Return a UID as parse_uidl() does; None if it is not usable."""
    return raw.decode("latin-1") if UID.fullmatch(raw) else None


def name_of(raw: bytes) -> str:
    """Return the name of a user or host."""
    return raw.decode("utf-8", "surrogateescape")
