"""Why messages are still on the server: the reasons, from the listing, the journal and the client's settings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tui_popretr.answers import WaitingReason
from tui_popretr.journal.records import MessageFailure, MessageState, Record, deletion_key
from tui_popretr.session.plan import Fetch, Listed, Policy, make_plan
from tui_popretr.wording import plural

_Reason = tuple[WaitingReason, str]


def waiting_reasons(
    listing: Sequence[Listed],
    records: Iterable[Record],
    failures: Mapping[str, MessageFailure],
    policy: Policy,
    now: float,
    clock: float,
) -> dict[int, _Reason]:
    """Return the reason for each number, and the reason in words. The parameters are those of make_plan().

    `policy` must have no max_messages: which messages a later run retrieves depends on those that are not listed here.
    """
    records = list(records)
    states = {record.uid: record.state for record in records if record.uid is not None}
    plan = make_plan(listing, records, failures, policy, now, clock)
    reasons: dict[int, _Reason] = {}
    for skip in plan.skips:
        reasons[skip.listed.number] = _skipped(skip.reason, states.get(skip.listed.uid or ""), failed=skip.failure)
    for job in (*plan.work, *plan.separate_deletions):
        reasons[job.listed.number] = (
            _fetched(job, states, failures) if isinstance(job, Fetch) else _deleted(job.listed, failures)
        )
    for listed in listing:
        if states.get(listed.uid or "") is MessageState.DELIVERING:
            reasons[listed.number] = WaitingReason.DELIVERING, "its delivery is not finished"
    return reasons


def _skipped(text: str, state: MessageState | None, *, failed: bool) -> _Reason:
    if failed:
        return WaitingReason.FAILED, text
    if state is MessageState.KEPT:
        return WaitingReason.KEPT, text
    if state is MessageState.SKIPPED:
        return WaitingReason.SKIPPED, text
    if state is MessageState.SEEN:
        return WaitingReason.SEEN, "seen"
    if state in (MessageState.DELIVERED, MessageState.DELETED):
        return WaitingReason.PRESERVED, "preserve: it was delivered"
    return WaitingReason.TOO_LARGE, text


def _fetched(job: Fetch, states: Mapping[str, MessageState], failures: Mapping[str, MessageFailure]) -> _Reason:
    failure = failures.get(job.listed.failure_key)
    if failure is not None:
        return WaitingReason.FAILED, f"failed {_times(failure.failures)}: {failure.reason}"
    if states.get(job.listed.uid or "") is MessageState.DELIVERED:
        return WaitingReason.PRESERVED, "preserve: it was delivered, and is retrieved again at each run"
    return WaitingReason.NEW, "new"


def _deleted(listed: Listed, failures: Mapping[str, MessageFailure]) -> _Reason:
    failure = failures.get(deletion_key(listed.failure_key))
    text = "deletion pending"
    if failure is not None:
        text += f"; it failed {_times(failure.failures)}: {failure.reason}"
    return WaitingReason.DELETION_PENDING, text


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count) or plural(count, "time")
