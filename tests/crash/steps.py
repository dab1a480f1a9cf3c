"""The labelled steps of each case, by their kinds."""

from __future__ import annotations

from typing import Final

from tests.crash.cases import Case, Keeping, Kind
from tui_popretr.faultpoints import Step

#: Only after a process was killed between its two commits.
OF_RECOVERY: Final = frozenset({Step.RECOVERY_LOOKED, Step.RECOVERY_AUDITED, Step.RECOVERED})
#: Only after a failure.
OF_TROUBLE: Final = frozenset({Step.WITHDRAWN, Step.TROUBLE_COUNTED})
#: Once for each message, in some cases; the other steps are once for each group or process.
OF_EACH: Final = frozenset(
    {Step.RECEIVED, Step.SPILLED, Step.WRITTEN, Step.SYNCED, Step.LINKED, Step.PUBLISHED, Step.DELE_ANSWERED}
    | {Step.ENVELOPE_ACCEPTED, Step.DATA_SENT, Step.DOT_SENT, Step.DOT_ANSWERED}
)
#: At the end of a session.
OF_THE_END: Final = frozenset({Step.QUIT_SENT, Step.QUIT_ANSWERED, Step.DELETED})
_OF_FILES: Final = frozenset({Step.WRITTEN, Step.SYNCED, Step.FOLDER_SYNCED, Step.PUBLISHED, Step.NEW_SYNCED})
_OF_DELETION: Final = frozenset({Step.DELE_SENT, Step.DELE_ANSWERED})
#: In test_gmail.py.
OF_GMAIL: Final = frozenset({Step.IMPORT_SENT, Step.IMPORT_ANSWERED})
_OF_SMTP: Final = frozenset({Step.ENVELOPE_ACCEPTED, Step.DATA_SENT, Step.DOT_SENT, Step.DOT_ANSWERED})
OF_IMAP: Final = frozenset({Step.APPEND_SENT, Step.APPEND_ENDED, Step.APPEND_ANSWERED, Step.FOLDER_MADE, Step.LABELLED})

#: Only where there are no hard links (test_poor.py).
OF_PLACEHOLDERS: Final = frozenset({Step.NAME_TAKEN})


def is_in(step: Step, case: Case) -> bool:
    """Whether a case has the step. Only exceptions are listed, so that a new step is expected in every case."""
    if step in OF_PLACEHOLDERS | OF_GMAIL:
        return False
    if step in _OF_DELETION:
        return case.keeping is Keeping.NOTHING
    if step in _OF_SMTP:
        return case.kind in (Kind.SMTP, Kind.LMTP)
    if step in OF_IMAP:
        return case.kind is Kind.IMAP
    if step is Step.LINKED:
        return case.kind is Kind.FOLDER
    if step is Step.RECOVERY_AUDITED and case.kind is Kind.IMAP:
        return True
    return not case.kind.remote or step not in _OF_FILES | {Step.RECOVERY_AUDITED}
