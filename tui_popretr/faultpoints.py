"""The steps of a delivery, at which the crash tests stop the program (docs/durability.md).

They do nothing else: no setting, environment variable or message reaches `action`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum


class Step(Enum):
    """A step that has just been done; docs/durability.md uses these names."""

    RECEIVED = "a message was received whole"
    SPILLED = "a part of a message was written to its unfinished file"
    WRITTEN = "the unfinished file was written whole"
    SYNCED = "the unfinished file was fsynced"
    FOLDER_SYNCED = "the folders of the unfinished file were fsynced"
    IN_TRANSACTION = "the journal wrote its rows and has not committed"
    DELIVERING = "the journal committed delivering"
    LINKED = "a folder's file has both its names"
    NAME_TAKEN = "an empty file has a folder's final name"
    PUBLISHED = "the file got its final name"
    NEW_SYNCED = "the folder of the final name was fsynced"
    AUDITED = "the audit line was handed to the system"
    DELIVERED = "the journal committed delivered"
    WITHDRAWN = "the journal forgot a message that could not be published"
    DELE_SENT = "DELE was sent"
    DELE_ANSWERED = "DELE was answered"
    QUIT_SENT = "QUIT was sent"
    QUIT_ANSWERED = "QUIT was answered"
    DELETED = "the journal committed deleted"
    TROUBLE_COUNTED = "the journal counted a failure against a message"
    RECOVERY_LOOKED = "recovery has looked up and finished what was interrupted on disk"
    RECOVERY_AUDITED = "recovery has written its audit lines"
    RECOVERED = "the journal committed what recovery found"
    ENVELOPE_ACCEPTED = "the SMTP server accepted sender and recipients"
    DATA_SENT = "the message was sent by SMTP, but for its last piece and its end"
    DOT_SENT = "the end of the message was sent by SMTP"
    DOT_ANSWERED = "the SMTP server answered the end of the message"
    APPEND_SENT = "a group was sent by IMAP, but for its end"
    APPEND_ENDED = "the end of a group was sent by IMAP"
    APPEND_ANSWERED = "the IMAP server answered each APPEND of a group"
    FOLDER_MADE = "the folder of the IMAP server was made"
    LABELLED = "messages got their labels"
    IMPORT_SENT = "the end of the message was sent to Gmail"
    IMPORT_ANSWERED = "Gmail answered the end of the message"


#: Called by tests at each step, in the thread of the step. It is a global because steps occur in every package, and a
#: parameter through all of them would serve tests only.
action: Callable[[Step], None] | None = None


def reached(step: Step) -> None:
    """Report that a step has been done."""
    if action is not None:
        action(step)
