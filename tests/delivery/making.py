"""Sinks for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tui_popretr.config.account import Server
from tui_popretr.config.choices import Eol
from tui_popretr.config.model import (
    ClientSettings,
    Destination,
    FolderDestination,
    MaildirDestination,
    Modes,
)
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.delivery.filesink import FileSink
from tui_popretr.delivery.folders import sync_folder
from tui_popretr.delivery.remote import RemoteSink
from tui_popretr.delivery.sinks import sink_for

JOURNAL = "0123abcd"
PRIVATE = Modes()
WHEN = datetime(2026, 11, 23, 7, 27, 59, tzinfo=timezone(timedelta(hours=1)))


def client(destination: Destination, identifier: str = "id1") -> ClientSettings:
    """Return a client that delivers there."""
    server = Server("pop.example.test", 110, "me", None, (), False, None)
    return ClientSettings(identifier, "user1", server, destination)


def file_sink(settings: ClientSettings, journal: str = JOURNAL) -> FileSink:
    """Return the sink of a client that delivers into files."""
    sink = sink_for(settings, journal)
    assert not isinstance(sink, RemoteSink)
    return sink


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of destination under test."""

    kind: str
    path: Path

    def destination(self, owner: str | None = None, modes: Modes = PRIVATE) -> Destination:
        if self.kind == "maildir":
            return MaildirDestination(str(self.path), None, Eol.NATIVE, owner, modes)
        return FolderDestination(str(self.path), Eol.CRLF, owner, modes)

    def sink(self, journal: str = JOURNAL, owner: str | None = None, modes: Modes = PRIVATE) -> FileSink:
        return file_sink(client(self.destination(owner, modes)), journal)

    def finished(self) -> dict[str, bytes]:
        """What readers see."""
        folder = self.path / "new" if self.kind == "maildir" else self.path
        return {p.name: p.read_bytes() for p in folder.glob("*") if not p.name.startswith(".") and p.is_file()}

    def unfinished(self) -> list[Path]:
        return sorted(self.path.glob("tmp/*") if self.kind == "maildir" else self.path.glob(".*"))

    def all_files(self) -> Iterator[Path]:
        return (p for p in self.path.rglob("*") if p.is_file())


def prepare(draft: FileDraft) -> None:
    """Make a draft durable under its unfinished name."""
    draft.flush()
    draft.fsync()


def finish(draft: FileDraft) -> None:
    """Take a draft with all its octets to its final name, as the committer does."""
    prepare(draft)
    for folder in draft.folders_before():
        sync_folder(folder)
    draft.publish()
    sync_folder(draft.folder)


def path_of(text: str | None) -> Path:
    assert text is not None
    assert os.path.isabs(text)
    return Path(text)
