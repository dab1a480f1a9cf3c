"""The contract of every destination: open a draft, write, make it durable, publish it; or abort, leaving nothing.

The order in which a draft is used, all of it blocking except open() and write():

    open → write* (spill when pending ≥ SPILL) → write_out → sync → fsync folders_before → [journal: delivering]
    → publish → fsync folders_after → [audit line] → [journal: delivered]

offer() may come before publish(), also while the journal is still writing *delivering*. And at any point before
publish() has returned: abort(). But never while the journal may have the record, because a record without files means
that a reader took the message:
- publish() that raises has left nothing under the final name: withdraw the record, then abort.
- The journal's commit raised: nobody knows whether it has the record. Reopen it and let recovery decide, then abort.
  Where the sink is remote abort at once: there is no file to miss, and what was offered must not stay half sent.

A draft is used by one thread at a time; drafts of one sink may be used in several. But where the sink is remote, never
two at once, and the next one is published only when the journal has the one before as delivered: then at most the
message in flight is sent twice.

Destinations without files (SMTP, a command) do in offer() and publish() all that they do; tmp and final are None.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final, Protocol

from tui_popretr.config.choices import Eol

#: A draft may always keep so many octets in memory before it is spilled to its file.
SPILL: Final = 128 * 1024


class Draft(Protocol):
    """One message on its way to a destination."""

    @property
    def record_id(self) -> int: ...

    @property
    def tmp(self) -> str | None:
        """The unfinished file's path, for the journal; None where the destination has no files."""
        ...

    @property
    def final(self) -> str | None:
        """The path it will have, for the journal; None where the destination has no files."""
        ...

    @property
    def pending(self) -> int:
        """Octets that are in memory only."""
        ...

    def description(self) -> str:
        """Return the destination as the audit line names it: Mailbox=user1, Maildir=/path, File=/path/name.eml."""
        ...

    def write(self, data: bytes) -> None:
        """Add octets, in memory only: for the event loop. Line ends are the caller's affair (Sink.eol)."""
        ...

    def spill(self) -> None:
        """Write what is pending to the unfinished file, made on first use. Blocking. Raises DeliveryFailed."""
        ...

    def write_out(self) -> None:
        """Write all the rest and start the disk on it. Blocking. Raises DeliveryFailed.

        A group writes out all its drafts before it syncs the first: the disk then has them all to order as it likes.
        """
        ...

    def sync(self) -> None:
        """Wait until the unfinished file is on disk. Blocking. Raises DeliveryFailed, and has then failed for good."""
        ...

    def exclude_recipients(self, recipients: Collection[str]) -> None:
        """Do not send to these: they have accepted the message in an earlier session. Before publish()."""
        ...

    def folders_before(self) -> tuple[str, ...]:
        """Return the folders to be fsynced before the journal records the message as delivering."""
        ...

    def offer(self) -> None:
        """Do all of publish() that commits nobody to anything: no receiver takes the message, whatever happens now.

        It may be left out. Blocking. Raises nothing: what has gone wrong is raised by publish().
        """
        ...

    def publish(self) -> None:
        """Give the file its final name; nothing that stands there is replaced. Blocking. Raises DeliveryFailed.

        Or send the message, or what offer() has left of it. Raises PartlyAccepted where only some recipients have it.
        """
        ...

    def receipt(self) -> str:
        """Return what the destination said when it accepted the message, to be added to the audit line; or nothing."""
        ...

    def folders_after(self) -> tuple[str, ...]:
        """Return the folders to be fsynced before the journal records the message as delivered."""
        ...

    def abort(self) -> None:
        """Leave nothing behind; harmless at any time, does nothing after publish(). Blocking. Never raises."""
        ...


class Sink(Protocol):
    """A destination, for all messages of one client."""

    @property
    def key(self) -> str:
        """The destination part of the maildrop's key: the same for the same place in every run."""
        ...

    @property
    def eol(self) -> Eol:
        """The line ends that it wants."""
        ...

    @property
    def lane(self) -> str:
        """What it shares with others that are slow when it is: drafts of one lane are made durable in common groups.

        For files the device, once make_ready() has seen it.
        """
        ...

    @property
    def remote(self) -> bool:
        """Whether it talks to a server or a program, under deadlines of its own, and not to a file system."""
        ...

    def open(self, record_id: int, when: datetime) -> Draft:
        """Return a new draft; no I/O. `when` is local wall-clock time."""
        ...

    def make_ready(self, octets: int) -> None:
        """See that a message of so many octets can be stored, before one is asked for. Blocking. Raises DeliveryFailed.

        Folders that are missing are made (drafts do that by themselves, too).
        """
        ...

    def clean_orphans(self, known: Collection[str]) -> list[str]:
        """Remove our unfinished files of dead processes that no record knows; return what was removed. Blocking.

        `known`: the tmp paths of all unfinished records of the journal. Raises DeliveryFailed.
        """
        ...

    def interrupt(self) -> None:
        """Make whatever call is blocking in another thread fail soon: its socket or process is closed. Any thread."""
        ...

    def close(self) -> None:
        """End what was opened for this session (a connection). Blocking, but not for long. Never raises."""
        ...
