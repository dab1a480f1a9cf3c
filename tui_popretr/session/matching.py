"""Compares the messages that arrive with the journal's records, to find those that were delivered before.

A message with a UID is compared by its header, which TOP shows. TOP does not suffice if the server refuses it (it is
optional, RFC 1939 §7), if it shows another header than RETR, or if the delivered message may have been cut short. Then
the message is compared while it is retrieved. A message without a UID is compared by the hash of the whole.

If a server stops listing UIDs, the records made while it listed them match no message: their identity is that of the
header, and equal headers of equal sizes are no proof. Messages that were still on the server, for example after an
interrupted session, are then delivered twice rather than never.
"""

from __future__ import annotations

from tui_popretr.journal.records import Doubt, Record
from tui_popretr.mail.identity import Identity, IdentityHasher
from tui_popretr.session.plan import Fetch, Listed, Plan, Verify


class KnownMessages:
    """The records of a plan that are compared with messages."""

    def __init__(self, plan: Plan) -> None:
        self._without_uid = list(plan.without_uid)
        self._on_retr = {job.listed.number: job.record for job in plan.work if isinstance(job, Verify) and job.whole}

    def top_suffices(self, job: Fetch | Verify) -> bool:
        """Whether only the header of this message is requested."""
        return isinstance(job, Verify) and job.listed.number not in self._on_retr

    def compare_on_retr(self, job: Verify) -> None:
        """Compare this message while it is retrieved: TOP did not suffice."""
        self._on_retr[job.listed.number] = job.record

    def hash_whole(self, listed: Listed) -> bool:
        """Whether the hash of the whole message is needed, when it is retrieved."""
        return listed.uid is None or bool(self._without_uid)

    def take(self, number: int) -> Record | None:
        """Return the record to compare with the message that was retrieved, and forget it."""
        return self._on_retr.pop(number, None)

    def match(self, record: Record | None, identity: Identity, octets: int, hasher: IdentityHasher) -> Record | None:
        """Return the record of a message that was retrieved; None if it is new. `record` is from take()."""
        # If the delivered message may have been cut short, an equal header does not prove that it is the same.
        proven = record is not None and (record.doubt is Doubt.NONE or record.octets == octets)
        if record is not None and proven and record.identity.same_as(identity):
            return record
        return self._match_without_uid(hasher.whole()) if self._without_uid else None

    def _match_without_uid(self, whole: Identity) -> Record | None:
        """Return and forget one record of an equal message: two identical messages have two records."""
        for record in self._without_uid:
            if record.identity.same_as(whole):
                self._without_uid.remove(record)
                return record
        return None
