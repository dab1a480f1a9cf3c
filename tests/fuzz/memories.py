"""Target: the files of other retrievers; each line is a UID or is counted as passed over, and nothing is raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.fuzz.expectations import harmless
from tests.fuzz.material import Material
from tui_popretr.migration import fetchmail, getmail, mpop
from tui_popretr.migration.seen_file import NAMED, SeenAccountName, SeenFile
from tui_popretr.pop3.listing import UID

SEEDS: Final = [
    b"me@host.example UID1\nme@x@host.example UID2\n\0",
    b"UID1\x001700000000\nUID2\x001700000001\n\1",
    b"# mpop\n 2 host.example me\nUID1 1700000000\nUID2\n 1 other me\nUID3\n\2",
]
WORDS: Final = [b"\n", b"\r\n", b" ", b"\t", b"@", b"\0", b"#", b" 1 h u\n", b"9" * 12, b"\xff", b"\x1b[2J", b"x" * 80]

_READERS: Final[list[Callable[[str, bytes], SeenFile]]] = [fetchmail.read, getmail.read, mpop.read]
_NAMES: Final = ["oldmail-h-995-u", "oldmail-a-110-b-995-c", "oldmail-", "x", "oldmail-\udcff-110-\x1b"]


def one_input(data: bytes) -> None:
    """Read the input as the file of one of the programs."""
    material = Material(data)
    read = material.choice(_READERS)
    file = material.choice(_NAMES)
    content = material.rest()
    memory = read(f"/home/me/{file}", content)
    for account in memory.accounts:
        for name in account.names:
            harmless(str(name), longest=255)
            getmail.spelled(name)
            assert len(memory.of(name)) == len(set(memory.of(name)))
        assert all(UID.fullmatch(uid.encode("latin-1")) for uid in account.uids)
    remembered = sum(len(account.uids) for account in memory.accounts)
    assert remembered <= content.count(b"\n") + 1
    assert len(memory.bad) == min(memory.skipped, NAMED)
    for line in memory.bad:
        harmless(line.text, longest=61)
    assert memory.of(SeenAccountName("unknown", "nowhere.example.test")) == [] or b"nowhere" in content
