"""Asks a folder for messages in doubt (delivery/remote.py): by Message-ID, UIDs that they can have, and size."""

from __future__ import annotations

from collections.abc import Sequence

from tui_popretr import faultpoints
from tui_popretr.config.model import ImapDestination
from tui_popretr.delivery.imap.appending import receipt_of
from tui_popretr.delivery.imap.connection import FolderState, ImapConnection
from tui_popretr.delivery.imap.marks import Mark, choose
from tui_popretr.delivery.remote import Absent, Answer, Arrived, Unknown
from tui_popretr.errors import DeliveryFailed, ImapFolderMissing, ImapRefused
from tui_popretr.faultpoints import Step
from tui_popretr.text import visible


async def find(connection: ImapConnection, destination: ImapDestination, marks: Sequence[Mark]) -> list[Answer]:
    """Return the answer for each mark. Messages that have arrived get their labels. Raises DeliveryFailed."""
    folder = destination.folder
    try:
        state = await connection.examine(folder)
    except ImapFolderMissing:
        gone = f"the folder {visible(folder, 256)} does not exist"
        return [Absent(gone if mark.validity is not None else "") for mark in marks]  # else it was not made yet
    found: dict[int, int] = {}  # by UID: which mark
    answers: list[Answer] = []
    for mark in marks:
        answer = await _look_for(connection, state, mark, found, len(answers))
        answers.append(answer)
        if isinstance(answer, Unknown) and not connection.usable:
            return [*answers, *(Unknown(answer.error) for _ in marks[len(answers) :])]
    if found and destination.labels:
        try:
            await connection.select(folder)
            await connection.add_labels(list(found), destination.labels)
            faultpoints.reached(Step.LABELLED)
        except DeliveryFailed as problem:
            for index in found.values():
                answers[index] = Unknown(problem)
    if connection.usable:
        await connection.leave_folder()
    return answers


async def _look_for(
    connection: ImapConnection, state: FolderState, mark: Mark, found: dict[int, int], index: int
) -> Answer:
    if not mark.fits(state):
        return Absent(f"the folder {visible(mark.folder, 256)} was made again (UIDVALIDITY)")
    try:
        uids = await connection.search("Message-ID", mark.message_id.encode("ascii"), mark.first)
        sizes = await connection.sizes(uids) if uids else {}
    except ImapRefused as refusal:
        return Absent(f"it cannot be searched for: {refusal}")
    except DeliveryFailed as problem:
        return Unknown(problem)
    uid = choose(mark, uids, sizes, found)
    if uid is None:
        return Absent()
    found[uid] = index
    return Arrived(receipt_of((state.validity, uid)))
