"""What an IMAP server sends, as events of the machine (RFC 9051 §7). Names are nouns."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from tui_popretr.imap.codes import Code
from tui_popretr.imap.sets import UidSet
from tui_popretr.imap.values import Value, number
from tui_popretr.text import visible

if TYPE_CHECKING:
    from tui_popretr.imap.commands import Command

#: Characters of a text of the server that are shown.
SHOWN = 300


class Condition(Enum):
    """The state that a response reports."""

    OK = "OK"
    NO = "NO"
    BAD = "BAD"
    PREAUTH = "PREAUTH"
    BYE = "BYE"


@dataclass(frozen=True, slots=True)
class Status:
    """OK, NO, BAD, PREAUTH or BYE. Secrets that the server echoes are starred out.

    `command` is the command that it completes, None for an untagged one. `text` is without the code.
    """

    condition: Condition
    text: bytes
    code: Code | None = None
    command: Command | None = field(default=None, compare=False)
    line: bytes = field(default=b"", compare=False)  # whole, for a transcript

    @property
    def ok(self) -> bool:
        return self.condition is Condition.OK

    def has_code(self, *names: str) -> bool:
        """Whether the response code is one of these."""
        return self.code is not None and self.code.name in names

    def __str__(self) -> str:
        """The response in one line, safe to show and of bounded length."""
        code = "" if self.code is None else f"[{self.code.name}] "
        return visible(f"{self.condition.value} {code}".encode() + self.text, SHOWN).strip()


@dataclass(frozen=True, slots=True)
class Continuation:
    """`+`: the server waits for a literal, or for a SASL response; `payload` is its challenge, in base64."""

    payload: bytes = field(repr=False)
    line: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Exists:
    """The number of messages in the selected folder."""

    count: int
    line: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Data of a message; `attributes` by their names in upper case."""

    sequence: int
    attributes: dict[str, Value] = field(repr=False)
    line: bytes = field(default=b"", compare=False)

    def number(self, name: str) -> int | None:
        """Return an attribute that is a number, such as UID; None if it is missing, or is none."""
        return number(self.attributes.get(name))


@dataclass(frozen=True, slots=True)
class Search:
    """The UIDs that were found. A short response may stand for many."""

    uids: UidSet
    line: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class FolderListed:
    """A folder that LIST has found; `name` is as sent."""

    attributes: tuple[str, ...]  # in lower case, as in \\noselect
    separator: str | None
    name: bytes = field(repr=False)
    line: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """The answer to STATUS: items by their names in upper case."""

    name: bytes = field(repr=False)
    items: dict[str, int]
    line: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class OtherData:
    """Untagged data that mean nothing here."""

    line: bytes = field(default=b"", compare=False)


Response = Status | Continuation | Exists | Fetch | Search | FolderListed | FolderStatus | OtherData
