"""What a session reports: the facts that it publishes, and the counts of its result."""

from __future__ import annotations

from tui_popretr.bus import Bus
from tui_popretr.clock import Clock
from tui_popretr.commit.queue import PendingDelivery
from tui_popretr.errors import MessageInDoubt, MessageRefused, PopretrError
from tui_popretr.facts import (
    Level,
    MaildropListed,
    MessageDelivered,
    MessagesDeleted,
    MessageSkipped,
    Noted,
    RetrievalProgressed,
    SessionId,
)
from tui_popretr.journal.records import Doubt, deletion_key
from tui_popretr.logs.lines import message_name
from tui_popretr.mail.headline import Headline
from tui_popretr.session.counters import SessionCounters
from tui_popretr.session.failures import Failures
from tui_popretr.session.plan import Listed, Plan, Skip
from tui_popretr.wording import plural

#: Failed messages that are reported one by one; further ones are only counted.
MAX_REPORTS = 100


class SessionReport:
    """The facts and counts of one session, over all its connections. Called in the engine's thread."""

    def __init__(
        self,
        session: SessionId,
        bus: Bus,
        clock: Clock,
        failures: Failures,
        named: dict[str, frozenset[str]] | None = None,
    ) -> None:
        """`named`: by client, the failure keys of messages over maxsize of which a warning was logged."""
        self.counters = SessionCounters()
        #: The messages delivered in this session, if `remember` is set.
        self.delivered_now: set[Listed] = set()
        self.remember = False
        self._session = session
        self._publish = bus.publish
        self._clock = clock
        self._failures = failures
        self._named = named if named is not None else {}
        self._reported: set[str] = set()  # failure keys of messages that a plan skips and that were already reported

    def log(self, level: Level, text: str) -> None:
        """Write a line to the trace log."""
        self._publish(Noted(self._clock.now(), level, self._session.client, text))

    def warn(self, text: str) -> None:
        """Log a warning."""
        self.log(Level.WARNING, text)

    # --- the maildrop -------------------------------------------------------------------------------------------------

    def planned(self, plan: Plan, listing: list[Listed], octets: int) -> None:
        """Report the plan, and the messages that it leaves on the server."""
        self._publish(
            MaildropListed(
                self._session,
                messages=len(listing),
                octets=octets,
                to_retrieve=len(plan.fetches),
                to_retrieve_octets=sum(each.listed.size for each in plan.fetches),
                to_skip=len(plan.skips) + plan.unretrieved,
                to_delete=len(plan.work) - len(plan.fetches),
                kept=sum(skip.kept for skip in plan.skips),
            )
        )
        self.counters.skipped = sum(not (skip.failure or skip.kept) for skip in plan.skips)
        self.counters.kept = sum(skip.kept for skip in plan.skips)
        self._warn_of_large([skip for skip in plan.skips if not (skip.silent or skip.failure)])
        for skip in plan.skips:
            if skip.silent or skip.listed.failure_key in self._reported:
                continue
            self._reported.add(skip.listed.failure_key)
            if skip.deletion:
                self.counters.fail_deletion(MessageRefused(skip.reason), rests=True)
            elif skip.failure:
                problem = MessageInDoubt if skip.in_doubt else MessageRefused
                self.counters.fail(problem(skip.reason), rests=not skip.in_doubt)
            self._publish_skipped(skip.listed, skip.reason, failure=skip.failure)

    def _warn_of_large(self, skips: list[Skip]) -> None:
        """Log a warning for each message that a rule leaves on the server, once per process."""
        client = self._session.client
        known = self._named.get(client, frozenset())
        for skip in [each for each in skips if each.listed.failure_key not in known][:MAX_REPORTS]:
            name = message_name(skip.listed.number, skip.listed.uid, skip.listed.size)
            self.warn(f"{name} stays on the server: {skip.reason}")
        if skips:  # what the user retrieves is retrieved whatever its size: it has no skips
            self._named[client] = frozenset(each.listed.failure_key for each in skips)

    def progressed(self, messages: int, octets: int) -> None:
        """Report what the connection has received so far."""
        self._publish(RetrievalProgressed(self._session, messages, octets))

    # --- one message --------------------------------------------------------------------------------------------------

    def delivered(self, listed: Listed, delivery: PendingDelivery, headline: Headline) -> None:
        """Report that a message is durable and recorded in the journal."""
        record, octets = delivery.record, delivery.record.octets
        self.counters.deliver(octets)
        if self.remember:
            self.delivered_now.add(listed)
        if listed.uid is None:  # with a UID, the journal clears the failures itself
            self._failures.clear(listed.failure_key)
        self._publish(
            MessageDelivered(
                self._session,
                at=self._clock.now(),
                number=listed.number,
                uid=listed.uid,
                octets=octets,
                destination=delivery.draft.description,
                path=record.final,
                message_id=record.identity.message_id,
                sender=headline.sender,
                name=headline.name,
                subject=headline.subject,
            )
        )
        if record.doubt is Doubt.SHORT:
            self.kept()
            of_all = f" of its {listed.size}" if octets < listed.size else ""
            self.warn(
                f"{message_name(listed.number, listed.uid)} was cut short by the server: {octets}{of_all}"
                " octets arrived and were delivered. The message stays on the server and is not retrieved again"
            )

    def saved(self, listed: Listed, refusal: str, path: str | None) -> None:
        """Report that a message that its destination refuses for good was saved. delivered() is called as well."""
        which = message_name(listed.number, listed.uid, listed.size)
        self.warn(f"{which} is refused for good ({refusal}): it is saved as {path}")

    def failed(
        self, listed: Listed, problem: PopretrError, *, count: bool, rejected: bool = False, report: bool = True
    ) -> None:
        """Report that a message stays on the server because of `problem`.

        `count`: the cause is the message itself, so the failure counts against it. `rejected`: its destination has
        refused it for good. Without `report` it is only counted.
        """
        self.counters.fail(problem, rests=count and self._failures.rests(listed.failure_key))
        if rejected:
            self._failures.rejected.add(listed.failure_key)
        if count:
            self._failures.add(listed.failure_key, listed.size, str(problem), rejected=rejected)
        if report and self.counters.failed <= MAX_REPORTS:
            self._publish_skipped(listed, str(problem), failure=True)

    def skipped(self, listed: Listed, reason: str) -> None:
        """Report that a message stays on the server, which is not an error."""
        self.counters.skipped += 1
        self._publish_skipped(listed, reason, failure=False)

    def kept(self) -> None:
        """Count a message that was cut short and therefore stays on the server."""
        self.counters.kept += 1

    # --- deletions ----------------------------------------------------------------------------------------------------

    def deletion_failed(self, listed: Listed, problem: PopretrError) -> None:
        """Report that the deletion of a delivered message broke the connection."""
        self.counters.fail_deletion(problem, rests=self._failures.rests(deletion_key(listed.failure_key)))
        self._publish_skipped(listed, f"it was delivered; deleting it failed: {problem}", failure=True)

    def not_deleted(self, refused: list[str], reappeared: int) -> None:
        """Warn of deletions that were refused, and of messages that are listed although they were deleted."""
        if refused:
            self.warn(
                f"the server refused to delete {plural(len(refused), 'message')} ({refused[0]}):"
                " the next run asks it again"
            )
        if reappeared:
            self.warn(
                f"the server lists {plural(reappeared, 'message')} that it said it had deleted: not retrieved"
                ' again, and deleted once more. If this is said at every run use preserve="Y" newonly="Y"'
            )

    def deleted(self, count: int) -> None:
        """Report deletions that QUIT's +OK confirmed."""
        self.counters.deleted += count
        if count:
            self._publish(MessagesDeleted(self._session, count))

    def _publish_skipped(self, listed: Listed, reason: str, *, failure: bool) -> None:
        self._publish(MessageSkipped(self._session, listed.number, listed.uid, listed.size, reason, failure))
