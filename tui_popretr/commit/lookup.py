"""Finds the files of interrupted deliveries, publishes them if necessary, and records the results.

Three steps, so that a destination that hangs does not block the journal: journal.delivering(), look_up() without the
journal, record_results(). recovery.py calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from tui_popretr import faultpoints
from tui_popretr.delivery.errors import delivery_failed
from tui_popretr.delivery.folders import sync_folder
from tui_popretr.delivery.interrupted import FileState, InterruptedPublish
from tui_popretr.errors import DeliveryFailed, PopretrError
from tui_popretr.faultpoints import Step
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Record
from tui_popretr.text import visible

#: Seconds. Mail readers remove files from tmp after 36 hours. A younger message without a file was published, and a
#: mail reader has moved it.
CONSUMED_WITHIN: Final = 30 * 3600


class RecoveryResult(Enum):
    """The result of the recovery of one message."""

    FOUND = "found"  # it was published, and only not recorded: delivered
    PUBLISHED = "published"  # it was unfinished, and is published now: delivered
    CONSUMED = "consumed"  # it has no file and is young, so a mail reader took it: delivered
    REDELIVER = "redeliver"  # lost, or never published: it will be retrieved again
    IN_DOUBT = "in doubt"  # it was being sent to a server or command: it will be sent again
    ARRIVED = "arrived"  # the server that was asked has it: delivered
    ABSENT = "absent"  # the server that was asked does not have it: it will be sent again
    UNKNOWN = "unknown"  # its folder cannot be examined, or its server be asked: the record stays

    @property
    def delivered(self) -> bool:
        return self in (
            RecoveryResult.FOUND,
            RecoveryResult.PUBLISHED,
            RecoveryResult.CONSUMED,
            RecoveryResult.ARRIVED,
        )

    @property
    def again(self) -> bool:
        return self in (RecoveryResult.REDELIVER, RecoveryResult.IN_DOUBT, RecoveryResult.ABSENT)


@dataclass(frozen=True, slots=True)
class Recovered:
    """One interrupted delivery. `record` is from before the recovery; `error` is the reason of UNKNOWN.

    A client must not retrieve what is UNKNOWN: the message may have been delivered. `receipt`: for the audit line;
    `reason`: of ABSENT, as in "because REASON".
    """

    maildrop: int
    record: Record
    outcome: RecoveryResult
    error: PopretrError | None = None
    receipt: str = ""
    reason: str = ""


def look_up(interrupted: Iterable[tuple[int, Record]], now: int) -> list[Recovered]:
    """Find interrupted deliveries on disk, and publish those that are unfinished, durably. Blocking.

    No other task may be working on them. `now` is epoch seconds.
    """
    publishes = InterruptedPublish()
    found = [_look_up_one(owner, record, publishes, now) for owner, record in interrupted]
    # Each folder once, after the last rename in it.
    failures = {folder: _sync(folder) for folder in dict.fromkeys(folder for _, folder in found if folder is not None)}
    results = [
        result
        if (failure := failures.get(folder or "")) is None
        else replace(result, outcome=RecoveryResult.UNKNOWN, error=failure)
        for result, folder in found
    ]
    if results:
        faultpoints.reached(Step.RECOVERY_LOOKED)
    return results


def record_results(journal: Journal, results: Sequence[Recovered], audit: Callable[[Sequence[str]], None]) -> None:
    """Record the results. Blocking. Raises JournalError, and what `audit` raises.

    `audit` gets the audit lines, marked "(recovered)", before the journal records them; it hands them to the system.
    """
    delivered = [result for result in results if result.outcome.delivered]
    if delivered:
        lines = ((each.record.audit, each.receipt) for each in delivered)
        audit([f"{text}{receipt} (recovered)" for text, receipt in lines if text is not None])
        faultpoints.reached(Step.RECOVERY_AUDITED)
        journal.commit((), [_delivered(each) for each in delivered])
    again = [result.record.id for result in results if result.outcome.again]
    if again:
        journal.withdraw(again)
    if delivered or again:
        faultpoints.reached(Step.RECOVERED)


def _delivered(result: Recovered) -> DeliveredMark:
    record = result.record
    return DeliveredMark(record.id, record.delete_pending, result.receipt.removeprefix("; ") or None)


def _look_up_one(owner: int, record: Record, publishes: InterruptedPublish, now: int) -> tuple[Recovered, str | None]:
    """Return the result, and the folder to be fsynced first."""
    if record.tmp is None or record.final is None:  # SMTP or a command
        return Recovered(owner, record, RecoveryResult.IN_DOUBT), None
    try:
        where, folder = publishes.finish_publish(record.tmp, record.final)
    except OSError as error:
        return Recovered(owner, record, RecoveryResult.UNKNOWN, delivery_failed(error, "finish", record.final)), None
    except DeliveryFailed as error:
        return Recovered(owner, record, RecoveryResult.UNKNOWN, error), None
    except Exception as defect:  # noqa: BLE001 - the other messages are not concerned
        return Recovered(owner, record, RecoveryResult.UNKNOWN, unexpected(defect, record.final)), None
    if where is FileState.EMPTY and record.octets == 0:
        where = FileState.PUBLISHED
    if where in (FileState.DISPLACED, FileState.EMPTY):
        return Recovered(owner, record, RecoveryResult.REDELIVER), None
    if where is FileState.GONE:
        is_young = now - record.time < CONSUMED_WITHIN
        return Recovered(owner, record, RecoveryResult.CONSUMED if is_young else RecoveryResult.REDELIVER), None
    outcome = RecoveryResult.PUBLISHED if where is FileState.FINISHED else RecoveryResult.FOUND
    return Recovered(owner, record, outcome), folder


def _sync(folder: str) -> DeliveryFailed | None:
    try:
        sync_folder(folder)
    except DeliveryFailed as error:
        return error
    except Exception as defect:  # noqa: BLE001 - as above
        return unexpected(defect, folder)
    return None


def unexpected(defect: Exception, path: str) -> DeliveryFailed:
    """Return the error to report for a defect in the recovery of a message."""
    return DeliveryFailed(
        f"cannot finish {visible(path)}: internal error: {type(defect).__name__}: {defect}",
        advice="please report this",
    )


_RECOVERIES: Final = {
    RecoveryResult.FOUND: "was delivered already",
    RecoveryResult.PUBLISHED: "is delivered now",
    RecoveryResult.CONSUMED: "was delivered already, and a mail reader has taken it",
    RecoveryResult.REDELIVER: "was not delivered, and will be retrieved again",
    RecoveryResult.IN_DOUBT: "was being sent, and the server or command may have it; it will be sent again",
    RecoveryResult.ARRIVED: "has arrived at its server",
    RecoveryResult.ABSENT: "has not arrived at its server, and will be retrieved again",
    RecoveryResult.UNKNOWN: "may have been delivered, but its folder cannot be examined",
}


def recovery_text(recovered: Recovered) -> str:
    """Return a sentence about an interrupted delivery, for the log."""
    record, outcome, error = recovered.record, recovered.outcome, recovered.error
    if outcome is RecoveryResult.UNKNOWN and record.mark is not None:
        return f"message {record.id} may have arrived, and its server cannot be asked: it stays where it is ({error})"
    text = f"interrupted delivery of message {record.id} recovered: it {_RECOVERIES[outcome]}"
    if recovered.reason:
        return (
            f"interrupted delivery of message {record.id} recovered: it will be sent again, because {recovered.reason}"
        )
    return f"{text} ({error})" if error is not None else text
