"""The contract of destinations that are files: one Sink per session, one Draft per message. remote.py has the other.

Terminology:

- *sink*: a destination, for one session of a client: a Maildir or a folder.
- *draft*: one message that is being delivered to a sink.
- *tmp*: the path of a draft's unfinished file. *final*: the path that it gets.
- *spill*: move the octets in memory to the tmp file.
- *publish*: make the message visible to its reader: rename or link tmp to final.
- *orphan*: a tmp file of an earlier process without a record in the journal.

The order of the calls. All of them block, except open() and write():

    open → write* (spill when pending ≥ SPILL) → write_out → sync → fsync folders_before → [journal: delivering]
    → publish → fsync folders_after → [audit line] → [journal: delivered]

abort() may be called at any point before publish() has returned, but only if the journal certainly has no record:
recovery assumes that a mail reader has moved a missing file. That leaves two cases:

- publish() raised: nothing has the final name. Withdraw the record, then abort.
- The journal's commit raised: the journal may have the record. Reopen it, let recovery decide, then abort.

Threads: calls without I/O (open, write, description) are made by the event loop, blocking calls in worker threads
(commit/blocking.py). A draft is used by one thread at a time; drafts of one sink may be used in several threads.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final, Protocol

from tui_popretr.config.choices import Eol

#: Octets that a draft may keep in memory before it must be spilled.
SPILL: Final = 128 * 1024


class Draft(Protocol):
    """One message that is being delivered."""

    @property
    def record_id(self) -> int: ...

    @property
    def tmp(self) -> str | None:
        """The path of the unfinished file, for the journal."""
        ...

    @property
    def final(self) -> str | None:
        """The path of the published file, for the journal."""
        ...

    @property
    def pending(self) -> int:
        """Octets that are only in memory."""
        ...

    @property
    def description(self) -> str:
        """The destination for the audit line: Mailbox=user1, Maildir=/path, File=/path/name.eml."""
        ...

    def write(self, data: bytes) -> None:
        """Add octets, in memory only. The caller has converted the line ends (Sink.eol)."""
        ...

    def spill(self) -> None:
        """Write the pending octets to the file, which is made on first use. Blocking. Raises DeliveryFailed."""
        ...

    def write_out(self) -> None:
        """Write the rest and start the writeback. Blocking. Raises DeliveryFailed.

        All drafts of a group are written out before the first is synced, so that the disk can order the writes.
        """
        ...

    def sync(self) -> None:
        """fsync the unfinished file. Blocking. Raises DeliveryFailed; the draft is then unusable."""
        ...

    def folders_before(self) -> tuple[str, ...]:
        """Return the folders to be fsynced before the journal records the message as delivering."""
        ...

    def publish(self) -> None:
        """Give the file its final name, without replacing a file. Blocking. Raises DeliveryFailed."""
        ...

    def folders_after(self) -> tuple[str, ...]:
        """Return the folders to be fsynced before the journal records the message as delivered."""
        ...

    def abort(self) -> None:
        """Remove everything. May be called again; does nothing after publish(). Blocking. Never raises."""
        ...


class Sink(Protocol):
    """A destination, for one session of a client."""

    @property
    def key(self) -> str:
        """The destination part of the maildrop's key: the same in every run."""
        ...

    @property
    def eol(self) -> Eol:
        """The line ends of the destination."""
        ...

    @property
    def lane(self) -> str:
        """The key of the lane: drafts of one lane are made durable in common groups (commit/pipeline.py).

        For files it is the device, after the first make_ready().
        """
        ...

    def open(self, record_id: int, when: datetime) -> Draft:
        """Return a new draft; no I/O. `when` is local wall-clock time."""
        ...

    def make_ready(self, octets: int) -> None:
        """Check that a message of this size can be stored, before it is retrieved. Blocking. Raises DeliveryFailed.

        Makes missing folders.
        """
        ...

    def clean_orphans(self, known: Collection[str]) -> list[str]:
        """Remove orphans; return their paths. Blocking. Raises DeliveryFailed.

        `known`: the tmp paths of all records in DELIVERING.
        """
        ...
