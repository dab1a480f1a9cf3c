"""What a session does with each message of a maildrop: a pure function of listing, journal and settings.

Messages to retrieve come first, those that failed before after the others. Messages that are only to be deleted come
last. A deletion that failed before gets a separate connection (Plan.separate_deletions): if it breaks the connection
again, the server forgets all deletions of that connection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from operator import itemgetter

from tui_popretr.config.model import Retention
from tui_popretr.journal.records import Doubt, MessageFailure, MessageState, Record, deletion_key, size_key, uid_key

#: After this many failures a message or a deletion is not tried for LEAST_REST seconds, and after each further failure
#: for twice as long, up to LONGEST_REST.
POISON_FAILURES = 3
LEAST_REST = 30 * 60
LONGEST_REST = 24 * 3600
#: Why a message whose record is DELIVERING stays on the server: Recovery.ask() has had no answer.
IN_DOUBT = "it may have arrived at its destination, which cannot be asked now"
#: A message that its destination has refused for good in this many sessions is saved in the folder for such messages.
REJECTIONS = 3


@dataclass(frozen=True, slots=True)
class Listed:
    """A message as the server lists it. uid and octets are None if the listed value is not usable."""

    number: int
    uid: str | None
    octets: int | None

    @property
    def size(self) -> int:
        """The octets for counting; 0 if they are unknown."""
        return self.octets or 0

    @property
    def failure_key(self) -> str:
        """The key under which failures are counted: of the UID, or of the size if there is no UID."""
        return uid_key(self.uid) if self.uid is not None else size_key(self.octets)


@dataclass(frozen=True, slots=True)
class Policy(Retention):
    """The client's retention as it applies to one session.

    `suspended`: the settings ask for deletions, but this session deletes nothing. It implies `preserve`.
    """

    suspended: bool = False

    @classmethod
    def of(cls, retention: Retention, *, keep_all: bool = False) -> Policy:
        """Return the policy of a session; with `keep_all` it deletes nothing."""
        policy = cls(*astuple(retention))
        if keep_all:
            policy = replace(policy, preserve=True, delete_after=None, suspended=not retention.preserve)
        return policy


@dataclass(frozen=True, slots=True)
class Fetch:
    """Retrieve this message. `earlier` is the record of its earlier delivery, from which deleteafter counts.

    `rejections`: the number of sessions in which its destination has refused it for good. `refusal`: the text of the
    last refusal, if the message is to be saved in the folder for refused messages.
    """

    listed: Listed
    earlier: Record | None = None
    rejections: int = 0
    refusal: str = ""

    def to_save(self, refusal: str) -> Fetch | None:
        """Return the job that saves the message after one more refusal for good; None if there are too few of them."""
        return replace(self, refusal=refusal) if self.rejections + 1 >= REJECTIONS else None


@dataclass(frozen=True, slots=True)
class Verify:
    """Check whether this is still the message of `record`. If so it is deleted, otherwise it is retrieved."""

    listed: Listed
    record: Record

    @property
    def whole(self) -> bool:
        """Whether the whole message is retrieved again, because the delivered one may have been incomplete."""
        return self.record.doubt is Doubt.UNPROVEN


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave this message on the server."""

    listed: Listed
    reason: str
    failure: bool = False
    silent: bool = False  # no line in the log: it was retrieved before
    kept: bool = False  # it was delivered but cut short, and stays on the server for good
    deletion: bool = False  # it was delivered, but its deletion failed
    in_doubt: bool = False  # it may have arrived at its destination


@dataclass(slots=True)
class Plan:
    """The jobs of a connection, in order.

    `separate_deletions`: deletions that failed before, those with the fewest failures first. `without_uid`: delivered
    records without a UID, which are matched by the hash of the whole message.
    """

    work: list[Fetch | Verify] = field(default_factory=list)
    separate_deletions: list[Verify] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    without_uid: list[Record] = field(default_factory=list)
    to_mark_for_deletion: list[int] = field(default_factory=list)  # ids of records whose deletion is not pending yet
    unretrieved: int = 0  # left for the next session by maxmessages

    def only(self, verify: Verify) -> Plan:
        """Return the plan for this deletion only; empty if it is no longer planned."""
        work: list[Fetch | Verify] = [
            each
            for each in (*self.work, *self.separate_deletions)
            if isinstance(each, Verify) and each.record.id == verify.record.id
        ]
        # A different message that now has the UID may have been delivered without one.
        return Plan(work, without_uid=self.without_uid)

    def for_user(self, wanted: Sequence[Listed], done: Collection[Listed]) -> Plan:
        """Return the plan that retrieves these messages whatever the rules say, and nothing else.

        Those in `done` were retrieved by this session already: they are deleted, if that is planned. What has broken a
        connection of this session is not tried again.
        """
        broke = {skip.listed for skip in self.skips if skip.failure and skip.silent}
        jobs = {job.listed: job for job in (*self.work, *self.separate_deletions)}
        work: list[Fetch | Verify] = []
        for listed in wanted:
            job = jobs.get(listed)
            if listed in broke:
                continue
            if listed not in done:
                work.append(job if isinstance(job, Fetch) else Fetch(listed))
            elif isinstance(job, Verify):
                work.append(job)
        return Plan(work, skips=[skip for skip in self.skips if skip.listed in broke or skip.listed not in wanted])

    @property
    def fetches(self) -> list[Fetch]:
        return [each for each in self.work if isinstance(each, Fetch)]


def make_plan(
    listing: Sequence[Listed],
    records: Iterable[Record],
    failures: Mapping[str, MessageFailure],
    policy: Policy,
    now: float,
    clock: float,
    skipped: frozenset[str] = frozenset(),
    last: frozenset[str] = frozenset(),
) -> Plan:
    """Return what to do with each listed message.

    `now` is epoch seconds, for failures; `clock` is the MaildropClock, for the age of records (Record.born). A listed
    message has no age: neither LIST nor UIDL gives a date. `skipped` holds the keys of messages and deletions
    that broke a connection in this run, and are not tried again in it. `last` holds the keys of messages that may have
    done so, and are retrieved last.
    """
    plan = Plan()
    verifications: list[Verify] = []
    known: dict[str, Record] = {}
    for record in records:
        if record.uid is not None:
            # Found by its UID only: if the server stops listing UIDs, the message is retrieved again (matching.py).
            known[record.uid] = record
        elif (
            record.state is MessageState.KEPT
            or _is_in_doubt(record)
            or (
                record.state is MessageState.DELIVERED
                and (to_delete(record, policy, clock) or policy.new_only or not record.quit_confirmed)
            )
        ):
            plan.without_uid.append(record)
    failed: list[tuple[int, Fetch]] = []
    for listed in listing:
        if listed.failure_key in skipped:
            plan.skips.append(Skip(listed, "it has failed just now", failure=True, silent=True))
            continue
        record_of = known.get(listed.uid) if listed.uid is not None else None
        if record_of is not None:
            decision = _decide(listed, record_of, policy, clock)
            if isinstance(decision, Skip):
                plan.skips.append(decision)
                continue
            if isinstance(decision, Verify):
                verifications.append(decision)
                continue
        if policy.max_size is not None and listed.size > policy.max_size:
            plan.skips.append(Skip(listed, f"larger than maxsize ({listed.octets} octets)"))
            continue
        fetch = Fetch(
            listed, record_of if record_of is not None and record_of.state is MessageState.DELIVERED else None
        )
        failure = failures.get(listed.failure_key)
        if failure is None:
            plan.work.append(fetch)
        elif _backing_off(failure, now):
            plan.skips.append(Skip(listed, _backoff_text(failure, now), failure=True))
        else:
            failed.append((failure.failures, replace(fetch, rejections=failure.rejections)))
    # Messages that failed before come last, so that one that breaks the connection delays no other.
    plan.work += [fetch for _, fetch in sorted(failed, key=itemgetter(0))]
    if last:
        plan.work.sort(key=lambda each: each.listed.failure_key in last)
    _order_deletions(plan, verifications, failures, now, skipped)
    if policy.max_messages is not None:
        _limit(plan, policy.max_messages)
    return plan


def backoff(failures: int) -> int:
    """Return the seconds for which a message or deletion with this many failures is not tried."""
    if failures < POISON_FAILURES:
        return 0
    return int(min(LEAST_REST * 2.0 ** min(failures - POISON_FAILURES, 16), LONGEST_REST))


def _backing_off(failure: MessageFailure, now: float) -> bool:
    """Whether it is not tried now because of earlier failures; a clock that was set back ends this."""
    pause = backoff(failure.failures)
    return -pause < now - failure.last < pause


def _backoff_text(failure: MessageFailure, now: float) -> str:
    minutes = max(1, round((failure.last + backoff(failure.failures) - now) / 60))
    left = f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"
    return f"failed {failure.failures} times ({failure.reason}); the next attempt is in {left}"


def _decide(listed: Listed, record: Record, policy: Policy, clock: float) -> Verify | Skip | None:
    """Decide on a message that has a record for its UID; None: retrieve it like a new one."""
    if record.state is MessageState.KEPT:
        return Skip(listed, "kept: it was delivered, and shorter than listed", silent=True, kept=True)
    if _is_in_doubt(record):
        return Skip(listed, IN_DOUBT, failure=True, in_doubt=True)
    if record.state is MessageState.SKIPPED:
        return Skip(listed, "skipped by you", silent=True)
    if policy.suspended and (
        record.state is MessageState.DELIVERED
        or (record.state is MessageState.DELETED and record.octets == listed.octets)
    ):
        return Skip(listed, "retrieved before", silent=True)
    if record.state is MessageState.SEEN:
        return Skip(listed, "seen before", silent=True) if policy.new_only else None
    if record.state is MessageState.DELETED and record.octets == listed.octets and not policy.preserve:
        # After QUIT's +OK a UID may be reused for another message (RFC 1939 §7): then it is new mail. But some servers
        # reply +OK and keep the message: then its deletion is still pending.
        return Verify(listed, record)
    if record.state is not MessageState.DELIVERED:
        return None
    if to_delete(record, policy, clock):
        return Verify(listed, record)
    if policy.new_only or (policy.preserve and not record.quit_confirmed):
        return Skip(listed, "retrieved before", silent=True)
    return None


def _is_in_doubt(record: Record) -> bool:
    """Whether only its receiver knows if the message has arrived (delivery/remote.py)."""
    return record.state is MessageState.DELIVERING and record.mark is not None


def _order_deletions(
    plan: Plan, verifications: list[Verify], failures: Mapping[str, MessageFailure], now: float, skipped: frozenset[str]
) -> None:
    """Add the deletions after the messages to retrieve, or to plan.separate_deletions if they have failed before."""
    failed: list[tuple[int, Verify]] = []
    for verify in verifications:
        key = deletion_key(verify.listed.failure_key)
        failure = failures.get(key)
        if key in skipped:
            reason = "deleting it broke the connection just now"
            plan.skips.append(Skip(verify.listed, reason, failure=True, silent=True, deletion=True))
            continue
        if failure is not None and _backing_off(failure, now):
            reason = f"it was delivered; deleting it {_backoff_text(failure, now)}"
            plan.skips.append(Skip(verify.listed, reason, failure=True, deletion=True))
            continue
        if not verify.record.delete_pending and not verify.whole:
            plan.to_mark_for_deletion.append(verify.record.id)
        if failure is None:
            plan.work.append(verify)
        else:
            failed.append((failure.failures, verify))
    plan.separate_deletions = [verify for _, verify in sorted(failed, key=itemgetter(0))]
    if plan.separate_deletions and not plan.work:  # no other work for this connection
        plan.work.append(plan.separate_deletions.pop(0))


def to_delete(record: Record, policy: Policy, clock: float) -> bool:
    """Whether a delivered message is to be deleted from the server now; never if it was cut short."""
    if record.state is MessageState.KEPT:
        return False
    if policy.preserve:  # suspends pending deletions, except those of deleteafter
        return policy.delete_after is not None and clock - record.born >= policy.delete_after
    # After preserve was switched off, an interrupted run with preserve continues without retrieving again.
    return record.delete_pending or not record.quit_confirmed or record.doubt is Doubt.UNPROVEN


def _limit(plan: Plan, count: int) -> None:
    kept: list[Fetch | Verify] = []
    fetches = 0
    for each in plan.work:
        if isinstance(each, Fetch):
            fetches += 1
            if fetches > count:
                plan.unretrieved += 1
                continue
        kept.append(each)
    plan.work = kept
