"""What a session does with each message of a maildrop: a pure function of listing, journal and settings (SPEC 3, 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from tui_popretr.journal.records import Record, State, Trouble, size_key, uid_key

#: A message that failed so often is tried last, and at most once in POISON_REST seconds.
POISON_FAILURES = 3
POISON_REST = 24 * 3600


@dataclass(frozen=True, slots=True)
class Listed:
    """A message as the server lists it. uid is None where there is no usable one."""

    number: int
    uid: str | None
    octets: int

    @property
    def trouble_key(self) -> str:
        """What failures are counted under. Without a UID the size must do."""
        return uid_key(self.uid) if self.uid is not None else size_key(self.octets)


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of a client that bear on the plan. Sizes are octets, times seconds."""

    preserve: bool = False
    new_only: bool = False
    delete_after: float | None = None
    max_size: int | None = None
    max_messages: int | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """Retrieve this message. `earlier` is the record of when it was delivered before: deleteafter counts from that."""

    listed: Listed
    earlier: Record | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Ask whether this is still the message of `record`; if so it was delivered and is deleted, else it is fetched."""

    listed: Listed
    record: Record


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave this message on the server."""

    listed: Listed
    reason: str
    trouble: bool = False
    silent: bool = False  # nothing worth telling: it was retrieved before


@dataclass(slots=True)
class Plan:
    """What to do, in order. `unnamed` are delivered records without a UID, to be matched by the hash of the whole."""

    work: list[Fetch | Check] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    unnamed: list[Record] = field(default_factory=list)
    newly_owed: list[int] = field(default_factory=list)  # records: their deletion was not, or is not any more
    unretrieved: int = 0  # left for the next session by maxmessages

    @property
    def fetches(self) -> list[Fetch]:
        return [each for each in self.work if isinstance(each, Fetch)]


def make_plan(
    listing: Sequence[Listed],
    records: Iterable[Record],
    troubles: Mapping[str, Trouble],
    policy: Policy,
    now: float,
    passed_over: frozenset[str] = frozenset(),
    last: frozenset[str] = frozenset(),
) -> Plan:
    """Return what to do with each listed message.

    `now` is epoch seconds. `passed_over` holds the trouble keys of messages that broke the connection in this run:
    they are not tried again in it. `last` holds those of messages that may have done so: they come behind all others.
    """
    plan = Plan()
    known: dict[str, Record] = {}
    for record in records:
        if record.uid is not None:
            known[record.uid] = record
        elif record.state is State.DELIVERED and (
            to_delete(record, policy, now) or policy.new_only or not record.settled
        ):
            plan.unnamed.append(record)
    failed: list[tuple[int, Fetch]] = []
    for listed in listing:
        if listed.trouble_key in passed_over:
            plan.skips.append(Skip(listed, "it broke the connection just now", trouble=True, silent=True))
            continue
        record_of = known.get(listed.uid) if listed.uid is not None else None
        if record_of is not None and _settle_known(plan, listed, record_of, policy, now):
            continue
        if policy.max_size is not None and listed.octets > policy.max_size:
            plan.skips.append(Skip(listed, f"larger than maxsize ({listed.octets} octets)"))
            continue
        fetch = Fetch(listed, record_of if record_of is not None and record_of.state is State.DELIVERED else None)
        trouble = troubles.get(listed.trouble_key)
        if trouble is None:
            plan.work.append(fetch)
        elif _rests(trouble, now):
            reason = f"failed {trouble.failures} times, tried once a day ({trouble.reason})"
            plan.skips.append(Skip(listed, reason, trouble=True))
        else:
            failed.append((trouble.failures, fetch))
    # Whatever has failed comes behind all the others: what breaks the connection keeps none of them waiting.
    plan.work += [fetch for _, fetch in sorted(failed, key=itemgetter(0))]
    if last:
        plan.work.sort(key=lambda each: each.listed.trouble_key in last)
    if policy.max_messages is not None:
        _limit(plan, policy.max_messages)
    return plan


def _rests(trouble: Trouble, now: float) -> bool:
    """Whether a message has failed so often that it is not tried now; a clock that was put back ends its rest."""
    return trouble.failures >= POISON_FAILURES and -POISON_REST < now - trouble.last < POISON_REST


def _settle_known(plan: Plan, listed: Listed, record: Record, policy: Policy, now: float) -> bool:
    """Decide on a message whose UID has a record; False: it is to be retrieved like a new one."""
    if record.state is State.SEEN:
        if policy.new_only:
            plan.skips.append(Skip(listed, "seen before", silent=True))
        return policy.new_only
    if record.state is State.DELETED and record.octets == listed.octets and not policy.preserve:
        # After QUIT's +OK a UID may come back for another message (RFC 1939 §7): then it is new mail. But there are
        # servers that say +OK and keep the message: its deletion is owed still.
        plan.newly_owed.append(record.id)
        plan.work.append(Check(listed, record))
        return True
    if record.state is not State.DELIVERED:
        return False
    if to_delete(record, policy, now):
        if not record.owed:
            plan.newly_owed.append(record.id)
        plan.work.append(Check(listed, record))
        return True
    if policy.new_only or (policy.preserve and not record.settled):
        plan.skips.append(Skip(listed, "retrieved before", silent=True))
        return True
    return False


def to_delete(record: Record, policy: Policy, now: float) -> bool:
    """Whether a delivered message is to go from the server now."""
    if policy.preserve:  # suspends what is owed, but for a deletion that the settings themselves ask for
        return policy.delete_after is not None and now - record.time >= policy.delete_after
    # A run under preserve that was cut goes on, after preserve was switched off, without retrieving again.
    return record.owed or not record.settled


def _limit(plan: Plan, count: int) -> None:
    kept: list[Fetch | Check] = []
    fetches = 0
    for each in plan.work:
        if isinstance(each, Fetch):
            fetches += 1
            if fetches > count:
                plan.unretrieved += 1
                continue
        kept.append(each)
    plan.work = kept
