"""The contract that every destination fulfils: one Sink per session, and one Draft per message.

Terminology:

- *sink*: a destination, for one session of a client: Maildir, folder, mail server (SMTP, LMTP) or command.
- *draft*: one message that is being delivered to a sink.
- *tmp*: the path of a draft's unfinished file. *final*: the path that it gets. Mail servers and commands have no files:
  both are None.
- *spill*: move the octets in memory to the tmp file, or to a spool file without a name (spool.py).
- *publish*: make the message visible to its reader: rename or link tmp to final, or send the message.
- *offer*: the part of sending that the receiver can still drop: everything but the end of the message.
- *remote*: the sink sends to a server or a command, and has deadlines of its own.
- *receipt*: the receiver's reply, for the audit line.
- *orphan*: a tmp file of an earlier process without a record in the journal.

The order of the calls. All of them block, except open() and write():

    open → write* (spill when pending ≥ SPILL) → write_out → sync → fsync folders_before → [journal: delivering]
    → offer → publish → fsync folders_after → [audit line with receipt] → [journal: delivered]

offer() may also be called while the journal writes *delivering*, or not at all. abort() may be called at any point
before publish() has returned, but only if the journal certainly has no record: recovery assumes that a mail reader has
moved a missing file. That leaves two cases:

- publish() raised: nothing has the final name. Withdraw the record, then abort.
- The journal's commit raised: the journal may have the record. Reopen it, let recovery decide, then abort. If the sink
  is remote, abort at once: there is no file, and an offered message must not stay half sent.

Threads: calls without I/O (open, write, exclude_recipients, description) are made by the event loop, blocking calls in
worker threads (commit/blocking.py). A draft is used by one thread at a time. Drafts of one sink may be used in several
threads, unless the sink is remote: then they are used one after the other, and the next is published only after the
journal has recorded the one before as delivered. So at most the message in flight is sent twice. interrupt() may be
called by any thread at any time.
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
        """The path of the unfinished file, for the journal; None without files."""
        ...

    @property
    def final(self) -> str | None:
        """The path of the published file, for the journal; None without files."""
        ...

    @property
    def pending(self) -> int:
        """Octets that are only in memory."""
        ...

    def description(self) -> str:
        """Return the destination for the audit line: Mailbox=user1, Maildir=/path, File=/path/name.eml."""
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

    def exclude_recipients(self, recipients: Collection[str]) -> None:
        """Do not send to these recipients: they accepted the message in an earlier session. Before publish()."""
        ...

    def folders_before(self) -> tuple[str, ...]:
        """Return the folders to be fsynced before the journal records the message as delivering."""
        ...

    def offer(self) -> None:
        """Send everything but the end of the message, so that the receiver cannot accept it yet. Optional.

        Blocking. Raises nothing: publish() raises the error.
        """
        ...

    def publish(self) -> None:
        """Give the file its final name, without replacing a file; or send the message, or the rest after offer().

        Blocking. Raises DeliveryFailed; PartlyAccepted if only some recipients have accepted the message.
        """
        ...

    def receipt(self) -> str:
        """Return the receiver's reply for the end of the audit line, or ""."""
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

    @property
    def remote(self) -> bool:
        """Whether it sends to a server or a command, with deadlines of its own."""
        ...

    def open(self, record_id: int, when: datetime) -> Draft:
        """Return a new draft; no I/O. `when` is local wall-clock time."""
        ...

    def make_ready(self, octets: int) -> None:
        """Check that a message of this size can be stored, before it is retrieved. Blocking. Raises DeliveryFailed.

        Makes missing folders, or connects.
        """
        ...

    def clean_orphans(self, known: Collection[str]) -> list[str]:
        """Remove orphans; return their paths. Blocking. Raises DeliveryFailed.

        `known`: the tmp paths of all records in DELIVERING.
        """
        ...

    def interrupt(self) -> None:
        """Make a blocking call in another thread fail soon: its socket or process is closed. Any thread."""
        ...

    def close(self) -> None:
        """Close what was opened for this session, such as a connection. Blocking, but bounded. Never raises."""
        ...
