"""What has become of the messages of a retrieval: delivered, not stored, refused, deleted; and when to give up."""

from __future__ import annotations

from tui_popretr.commit.pending import PendingDelivery
from tui_popretr.errors import (
    DeliveryFailed,
    DestinationTimeout,
    JournalError,
    MessageRefused,
    MessageRejected,
    PopretrError,
)
from tui_popretr.journal.records import MessageState, Record
from tui_popretr.pop3 import Reply
from tui_popretr.session.incoming import DeliveryContext, Incoming
from tui_popretr.session.plan import Fetch, Listed, Verify, to_delete
from tui_popretr.session.report import SessionReport
from tui_popretr.session.window import Delete, Sending, Window
from tui_popretr.text import visible

#: Retrieval stops after this number of messages in a row that cannot be stored.
MAX_DELIVERY_FAILURES = 3
#: RESP-CODES of refusals that do not count against the message (RFC 3206 §4, RFC 2449 §8.1.1, RFC 6856 §5).
TEMPORARY_CODES = frozenset({"SYS/TEMP", "IN-USE", "UTF8"})


class Outcomes:
    """Reports what becomes of each message, and tells the window what follows from it."""

    def __init__(self, context: DeliveryContext, window: Window, report: SessionReport) -> None:
        self._context = context
        self._window = window
        self._report = report
        self._failures_in_a_row = 0
        #: The messages whose DELE was answered +OK, by their journal record.
        self.deleted: dict[int, Listed] = {}
        #: The server's text for each DELE that it refused.
        self.refused_deletions: list[str] = []
        #: Messages that are listed although the server confirmed their deletion in an earlier session.
        self.reappeared = 0
        #: Messages and octets received.
        self.messages = 0
        self.octets = 0
        #: Why retrieval stopped early although the connection works.
        self.gave_up: PopretrError | None = None

    def received(self, octets: int) -> None:
        """Count a message that was received to its end."""
        self.messages += 1
        self.octets += octets

    def take(self, incoming: Incoming, delivery: PendingDelivery) -> None:
        """Take the outcome of a delivery: the message is durable and recorded, or there is an error."""
        job, record = incoming.job, delivery.record
        if delivery.error is not None:
            self.not_stored(job, delivery.error)
            return
        self._failures_in_a_row = 0
        if record.delete_pending:
            self._window.delete(job.listed, record.id)
        self._report.delivered(job.listed, delivery, record.octets, incoming.hasher.sender)
        if isinstance(job, Fetch) and job.refusal:
            self._report.saved(job.listed, job.refusal, delivery.draft.final)

    def not_stored(self, job: Fetch | Verify, problem: PopretrError) -> None:
        """Take the error of a message that was received and is not stored."""
        listed = job.listed
        refused_for_good = isinstance(problem, DeliveryFailed) and problem.refused_for_good
        to_save = self._context.rejected is not None and refused_for_good
        if isinstance(job, Fetch) and not isinstance(problem, JournalError):
            if job.refusal:  # the next session tries to deliver it again, and then to save it
                certain = not isinstance(problem, DestinationTimeout)
                self._report.failed(listed, _not_saved(job.refusal, problem), count=certain, rejected=certain)
                return
            saving = job.to_save(str(problem)) if to_save else None
            if saving is not None and self._window.sending is Sending.ALL:
                self._window.retrieve_next(saving)
                self.messages -= 1  # it is retrieved again
                return
        # The destination refuses this message. It may accept the next one; or, if rejected messages are saved, it has
        # not refused this one often enough.
        if to_save or isinstance(problem, MessageRejected):
            self._report.failed(listed, problem, count=True, rejected=True)
            return
        # What was pending when retrieval gave up fails in the same way: it is counted without a line for each.
        self._report.failed(listed, problem, count=False, report=self.gave_up is None)
        self._failures_in_a_row += 1
        if isinstance(problem, JournalError):
            self.gave_up = problem
            self._window.send_no_more_than(Sending.NOTHING)
        elif self._failures_in_a_row >= MAX_DELIVERY_FAILURES:
            self.gave_up = self.gave_up or problem
            self._window.send_no_more_than(Sending.DELETIONS)

    def refused(self, job: Fetch | Verify, reply: Reply) -> None:
        """Take the server's refusal to send a message."""
        text = visible(reply.text, 200) or "without a reason"
        if reply.code == "UTF8":
            text = f"it is in UTF-8, and UTF-8 mode is off{self._context.utf8_advice}: {text}"
        problem = MessageRefused(f"the server refused to send it: {text}")
        self._report.failed(job.listed, problem, count=reply.code not in TEMPORARY_CODES)

    def delivered_before(self, listed: Listed, record: Record) -> None:
        """Delete a message that was delivered before, if it is to be deleted."""
        if record.state is MessageState.KEPT:
            self._report.kept()
            return
        reappeared = record.state is MessageState.DELETED
        self.reappeared += reappeared
        if reappeared or to_delete(record, self._context.policy, self._context.clock):
            self._window.delete(listed, record.id)

    def deletion_answered(self, delete: Delete, reply: Reply) -> None:
        """Take the reply to a DELE."""
        if reply.ok:
            self.deleted[delete.record] = delete.listed
        else:
            self.refused_deletions.append(visible(reply.text, 200) or "without a reason")


def _not_saved(refusal: str, problem: PopretrError) -> PopretrError:
    return type(problem)(f"{refusal}; and it cannot be saved: {problem}", advice=problem.advice)
