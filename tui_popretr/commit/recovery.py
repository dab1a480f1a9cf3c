"""What becomes of interrupted deliveries: the journal's *delivering* records, looked up on disk (SPEC 5).

In three steps, because the disk of a destination may hang, and the journal must not hang with it: journal.delivering(),
look_up() without the journal, record_results().
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from tui_popretr import faultpoints
from tui_popretr.delivery.errors import delivery_failed
from tui_popretr.delivery.folders import sync_folder
from tui_popretr.delivery.publishing import FileState, InterruptedPublish
from tui_popretr.errors import DeliveryFailed
from tui_popretr.faultpoints import Step
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Record
from tui_popretr.text import visible

#: Maildir readers clean tmp after 36 hours: a younger message that is nowhere was published and a reader took it.
CONSUMED_WITHIN: Final = 30 * 3600


class RecoveryResult(Enum):
    """What recovery found out, and did."""

    FOUND = "found"  # published and only not recorded: delivered
    PUBLISHED = "published"  # it was still unfinished: published now, delivered
    CONSUMED = "consumed"  # nowhere, and young: a reader took it, delivered
    REDELIVER = "redeliver"  # nowhere, and old, or never published: forgotten, it will be delivered again
    IN_DOUBT = "in doubt"  # it was being handed to a server or command that may have it: forgotten, it may come twice
    UNKNOWN = "unknown"  # its place cannot be looked at: the record stays, its message must wait

    @property
    def delivered(self) -> bool:
        return self in (RecoveryResult.FOUND, RecoveryResult.PUBLISHED, RecoveryResult.CONSUMED)


@dataclass(frozen=True, slots=True)
class Recovered:
    """One interrupted delivery. `record` is as it was before; `error` says why the outcome is UNKNOWN."""

    maildrop: int
    record: Record
    outcome: RecoveryResult
    error: DeliveryFailed | None = None


def look_up(interrupted: Iterable[tuple[int, Record]], now: int) -> list[Recovered]:
    """Find what became of interrupted deliveries, and publish what is still unfinished, durably. Blocking."""
    publishes = InterruptedPublish()
    found = [_look_up_one(owner, record, publishes, now) for owner, record in interrupted]
    # Each folder once, and only when the last name has been given in it: a later one would not be durable.
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
    """Record what was found. Blocking. Raises JournalError, and what `audit` raises."""
    delivered = [result.record for result in results if result.outcome.delivered]
    if delivered:
        audit([f"{record.audit} (recovered)" for record in delivered if record.audit is not None])
        faultpoints.reached(Step.RECOVERY_AUDITED)
        journal.commit((), [DeliveredMark(record.id, record.delete_pending) for record in delivered])
    again = [
        result.record.id for result in results if result.outcome in (RecoveryResult.REDELIVER, RecoveryResult.IN_DOUBT)
    ]
    if again:
        journal.withdraw(again)
    if delivered or again:
        faultpoints.reached(Step.RECOVERED)


def _look_up_one(owner: int, record: Record, publishes: InterruptedPublish, now: int) -> tuple[Recovered, str | None]:
    """What became of one, and the folder to be fsynced before that is true."""
    if record.tmp is None or record.final is None:  # SMTP or a command
        return Recovered(owner, record, RecoveryResult.IN_DOUBT), None
    try:
        where, folder = publishes.finish_publish(record.tmp, record.final)
    except OSError as error:
        return Recovered(owner, record, RecoveryResult.UNKNOWN, delivery_failed(error, "finish", record.final)), None
    except DeliveryFailed as error:
        return Recovered(owner, record, RecoveryResult.UNKNOWN, error), None
    except Exception as defect:  # noqa: BLE001 - it costs this message's client a session, and the others nothing
        return Recovered(owner, record, RecoveryResult.UNKNOWN, unexpected(defect, record.final)), None
    if where is FileState.EMPTY and record.octets == 0:
        where = FileState.PUBLISHED
    if where in (FileState.DISPLACED, FileState.EMPTY):
        return Recovered(owner, record, RecoveryResult.REDELIVER), None
    if where is FileState.GONE:
        return Recovered(
            owner, record, RecoveryResult.CONSUMED if now - record.time < CONSUMED_WITHIN else RecoveryResult.REDELIVER
        ), None
    return Recovered(
        owner, record, RecoveryResult.PUBLISHED if where is FileState.FINISHED else RecoveryResult.FOUND
    ), folder


def _sync(folder: str) -> DeliveryFailed | None:
    try:
        sync_folder(folder)
    except DeliveryFailed as error:
        return error
    except Exception as defect:  # noqa: BLE001 - as above
        return unexpected(defect, folder)
    return None


def unexpected(defect: Exception, path: str) -> DeliveryFailed:
    """Return the error to report for a defect that concerns what is interrupted at a path."""
    return DeliveryFailed(
        f"cannot finish {visible(path)}: internal error: {type(defect).__name__}: {defect}",
        advice="please report this",
    )
