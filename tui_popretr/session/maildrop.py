"""The journal's part in a session: read to make the plan, and written when QUIT's +OK has confirmed the deletions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tui_popretr.clock import Clock
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Acceptance, Doubt, MaildropClock, deletion_key
from tui_popretr.journal.thread import JournalThread
from tui_popretr.mail.identity import Identity
from tui_popretr.session.failures import Failures
from tui_popretr.session.plan import Listed, Plan, Policy, make_plan


class AcceptedRecipients:
    """The recipients that have accepted messages that other recipients refused, as of a plan."""

    def __init__(self, acceptances: Iterable[Acceptance] = ()) -> None:
        self._left = list(acceptances)

    def take(self, uid: str | None, identity: Identity) -> list[str]:
        """Remove and return the recipients that have this message. A second, identical message goes to all again."""
        found: dict[str, Acceptance] = {}
        for each in self._left:
            if each.uid == uid and each.identity.same_as(identity):
                found.setdefault(each.address.lower(), each)
        for each in found.values():
            self._left.remove(each)
        return [each.address for each in found.values()]


class MaildropJournal:
    """The records of a session's maildrop. `maildrop` is its number in the journal. All methods raise JournalError."""

    def __init__(self, journal: JournalThread, clock: Clock, failures: Failures) -> None:
        #: The recipients that have a message already, as of the last plan.
        self.accepted = AcceptedRecipients()
        self._journal = journal
        self._clock = clock
        self._failures = failures
        self._maildrop_clock: MaildropClock | None = None  # None before the first plan
        self._uids: list[str] | None = None  # of a complete listing

    @property
    def seconds(self) -> float:
        """The seconds of the MaildropClock; 0 before the first plan."""
        return 0.0 if self._maildrop_clock is None else self._maildrop_clock.seconds

    async def plan(self, maildrop: int, listing: list[Listed], policy: Policy, last: frozenset[str]) -> Plan:
        """Return the plan for a listing. `last` holds the failure keys of messages to retrieve after all others."""
        if not listing:
            self._uids = []
            return Plan()
        now, clock = self._now(), self._clock
        uids = [each.uid for each in listing if each.uid is not None]
        before, records, failures, acceptances = await self._journal.run(
            lambda journal: (
                journal.maildrop_clock(maildrop),
                # Of a UID the latest counts: a message that is being delivered again, not the one that was deleted.
                journal.deleted(maildrop, uids) + journal.records(maildrop, deleted=False),
                journal.failures(maildrop),
                journal.acceptances(maildrop),
            )
        )
        skip = frozenset(self._failures.broke | self._failures.rejected)
        self._maildrop_clock = after = before.advanced(clock.boot(), clock.boottime(), now)
        if before.boot not in ("", after.boot):  # an interrupted session must not lose the clock of its messages
            await self._journal.run(lambda journal: journal.set_maildrop_clock(maildrop, after))
        plan = make_plan(listing, records, failures, policy, now, after.seconds, skip, last)
        self._failures.known = failures
        self.accepted = AcceptedRecipients(acceptances)
        if plan.to_mark_for_deletion:
            await self._journal.run(lambda journal: journal.mark_delete_pending(plan.to_mark_for_deletion))
        self._uids = uids if len(uids) == len(listing) else None
        return plan

    async def resolve(self, record: int, doubt: Doubt) -> None:
        """Record whether the message of an UNPROVEN record turned out to be whole."""
        mark = Journal.keep if doubt is Doubt.SHORT else Journal.mark_delete_pending
        await self._journal.run(lambda journal: mark(journal, [record]))

    async def close(self, maildrop: int, deleted: Mapping[int, Listed], policy: Policy, *, whole: bool) -> None:
        """Record QUIT's +OK: the messages of the records in `deleted` are gone from the server.

        `whole`: the session was for all messages, so that with preserve and without newonly the next one retrieves
        them again.
        """
        now, uids, records, clock = int(self._now()), self._uids, list(deleted), self._maildrop_clock
        known = self._failures.known
        # Nearly always there is no failure to clear: the keys of all deleted messages are not made for nothing.
        keys = (deletion_key(each.failure_key) for each in deleted.values()) if known else ()
        cleared = [key for key in keys if key in known]
        keep = policy.new_only or policy.delete_after is not None or policy.suspended or not whole

        def close(journal: Journal) -> None:
            journal.close_session(
                maildrop,
                deleted=records,
                listed=uids,
                now=now,
                keep_unnamed=keep,
                confirm=whole and not policy.suspended,
                clock=clock,
            )
            journal.clear_failures(maildrop, cleared)

        await self._journal.run(close)

    def _now(self) -> float:
        return self._clock.now().timestamp()
