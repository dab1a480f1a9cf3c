"""Delivers one message as the committer does, and is killed after the step that is named: run by test_recovery."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from tests.delivery.making import Place
from tui_popretr.delivery.folders import sync_folder
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Maildrop, NewRecord
from tui_popretr.mail.identity import Identity

#: In their order; "linked" is in the middle of publishing, and only where that is done by link and unlink.
STEPS = (
    "opened",
    "spilled",
    "written out",
    "synced",
    "folders synced",
    "delivering",
    "linked",
    "published",
    "folder synced",
    "audited",
    "delivered",
)
MESSAGE = b"Subject: one\r\n\r\nof a kind\r\n"


def deliver(journal: Journal, place: Place, last_step: str, audit_file: Path) -> None:
    """Deliver MESSAGE as UID u1; the process kills itself after `last_step`."""

    def reached(step: str) -> None:
        if step == last_step:
            os.kill(os.getpid(), signal.SIGKILL)

    def unlink(path: str) -> None:
        reached("linked")
        os.remove(path)

    now = datetime.now(UTC)
    sink = place.sink(journal.id)
    maildrop = journal.maildrop(Maildrop.of("pop.example.test", 110, "me", sink.key))
    draft = sink.open(journal.next_id(), now)
    draft.write(MESSAGE)
    reached("opened")
    draft.spill()
    reached("spilled")
    draft.write_out()
    reached("written out")
    draft.sync()
    reached("synced")
    for folder in draft.folders_before():
        sync_folder(folder)
    reached("folders synced")
    identity = Identity(b"x" * 32)
    new = NewRecord(
        draft.record_id, maildrop, "u1", 30, identity, True, draft.tmp, draft.final, "line", int(now.timestamp())
    )
    journal.commit([new], [])
    reached("delivering")
    with mock.patch("os.unlink", unlink):
        draft.publish()
    reached("published")
    for folder in draft.folders_after():
        sync_folder(folder)
    reached("folder synced")
    with audit_file.open("a") as file:
        file.write("line\n")
    reached("audited")
    journal.commit([], [DeliveredMark(draft.record_id, True)])
    reached("delivered")


if __name__ == "__main__":
    kind, path, journal_path, step, audit_path = sys.argv[1:]
    deliver(Journal.open(journal_path), Place(kind, Path(path)), step, Path(audit_path))
