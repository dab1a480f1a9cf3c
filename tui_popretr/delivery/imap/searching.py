"""Asks a folder for messages in doubt (delivery/remote.py): by Message-ID, UIDs that they can have, and size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tui_popretr import faultpoints
from tui_popretr.config.model import ImapDestination
from tui_popretr.delivery.imap.appending import receipt_of
from tui_popretr.delivery.imap.connection import FolderState, ImapConnection
from tui_popretr.delivery.imap.marks import Mark, fitting
from tui_popretr.delivery.remote import Absent, Answer, Arrived, Unknown
from tui_popretr.errors import DeliveryFailed, ImapFolderMissing, ImapRefused, ImapTemporaryFailure
from tui_popretr.faultpoints import Step
from tui_popretr.text import visible

#: Messages of the right size whose Message-ID is looked at.
_CANDIDATES: Final = 1000


async def find(connection: ImapConnection, destination: ImapDestination, marks: Sequence[Mark | None]) -> list[Answer]:
    """Return the answer for each mark; None is one that cannot be read. Messages that have arrived get their labels.

    Raises DeliveryFailed.
    """
    folder = destination.folder
    try:
        state = await connection.examine(folder)
    except ImapFolderMissing:
        gone = f"the folder {visible(folder, 256)} does not exist"
        unmade = [mark is not None and mark.validity is None for mark in marks]
        return [Absent("" if each else gone) for each in unmade]
    found: dict[int, int] = {}  # by UID: which mark
    answers: list[Answer] = []
    for mark in marks:
        if mark is None:
            answers.append(Absent("what is recorded of it cannot be read"))
            continue
        answer = await _look_for(connection, state, mark, found, len(answers))
        answers.append(answer)
        if isinstance(answer, Unknown) and not connection.usable:
            if destination.labels:  # those that were found have none yet
                for each in found.values():
                    answers[each] = Unknown(answer.error)
            return [*answers, *(Unknown(answer.error) for _ in marks[len(answers) :])]
    if found and destination.labels:
        try:
            if (await connection.select(folder)).validity != state.validity:
                raise ImapTemporaryFailure(f"the folder {visible(folder, 256)} was made again meanwhile")
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
        candidates = fitting(mark, uids, await connection.sizes(uids), found)[:_CANDIDATES]
        identifiers = await connection.message_ids(candidates)
    except ImapRefused as refusal:
        return Absent(f"it cannot be searched for: {refusal}")
    except DeliveryFailed as problem:
        return Unknown(problem)
    uid = next((each for each in candidates if identifiers.get(each) == mark.message_id), None)
    if uid is None:
        return Absent()
    found[uid] = index
    return Arrived(receipt_of((state.validity, uid)))
