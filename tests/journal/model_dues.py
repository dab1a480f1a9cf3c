"""The dues of a session: what its plan may contain, and what it must achieve for each message if nothing fails."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tests.journal.model_records import Records
from tests.journal.model_server import Mail
from tui_popretr.journal.records import Doubt, MessageState, Record
from tui_popretr.session.plan import POISON_FAILURES, Listed, Plan, Policy, Verify, backoff


@dataclass(slots=True)
class Dues:
    """The dues of one connection under one policy. `known`: the journal's records by UID."""

    records: Records
    policy: Policy
    known: Mapping[str | None, Record]
    to_deliver: list[Mail] = field(default_factory=list)
    to_delete: list[Mail] = field(default_factory=list)

    def judge(self, plan: Plan, broke: Collection[str], last: Collection[str]) -> None:
        """Judge a plan. `broke`, `last`: failure keys of the messages that broke a connection, or may have."""
        failures, now = self.records.failures, self.records.ledger.clock.wall
        for each in plan.fetches:
            key, record = each.listed.failure_key, self.known.get(each.listed.uid)
            assert key not in broke
            assert not (self.policy.new_only and record and record.state is MessageState.SEEN), "seen before"
            assert not (record and record.state is MessageState.KEPT), "kept"
            assert each.earlier == (record if record and record.state is MessageState.DELIVERED else None)
            if failures[key].least >= POISON_FAILURES:
                pause = backoff(failures[key].least)
                assert any(abs(now - then) >= pause for then in self.records.last_failures[key])
        counts = [failures[each.listed.failure_key] for each in plan.fetches]
        failed = [count.least > 0 for count in counts if count.least or not count.most]
        assert last or failed == sorted(failed), "what has failed comes last"
        for check in (each for each in plan.work if isinstance(each, Verify)):
            assert check.record.state is not MessageState.KEPT, "kept"
            assert check.record.delete_pending or check.whole or check.record.id in plan.to_mark_for_deletion
        assert self.policy.max_messages is None or len(plan.fetches) <= self.policy.max_messages

    def demand(self, mails: Sequence[Mail], listing: Sequence[Listed]) -> None:
        """Note what is due, from the earlier deliveries of the messages."""
        ledger = self.records.ledger
        ledger.look()
        for mail, listed in zip(mails, listing, strict=True):
            record, before = self.known.get(listed.uid), ledger.of(self.records.account, mail.content)
            if record is not None and record.state is MessageState.KEPT:
                continue  # the UID alone is believed: another message of that UID stays on the server, too
            owed = [each.record.id for each in before if each.mail is mail and each.delete_pending]
            if record is not None and record.id in owed and not self.policy.preserve:
                self.to_delete.append(mail)
            if self.policy.max_messages is None and not self.records.failures[listed.failure_key].most:
                self._demand(mail, listed)

    def _demand(self, mail: Mail, listed: Listed) -> None:
        policy, ledger = self.policy, self.records.ledger
        before = ledger.of(self.records.account, mail.content)
        if mail.ailment is not None or any(each.record.doubt is not Doubt.NONE for each in before):
            return
        if not (policy.preserve or policy.new_only):
            self.to_delete.append(mail)
        if not before:
            # Under preserve the UID alone is believed: another message of that UID comes later, or never.
            if not (policy.preserve or policy.new_only) or listed.uid not in self.known:
                self.to_deliver.append(mail)
        elif policy.preserve and policy.delete_after is not None:
            same = all(each.record.uid == listed.uid and each.perhaps_deleted is None for each in before)
            age = self.records.clock_seconds - max(each.record.born for each in before)
            if same and listed.uid is not None and age >= policy.delete_after:
                self.to_delete.append(mail)
        elif policy.preserve and not policy.new_only and all(each.surely_settled for each in before):
            self.to_deliver.append(mail)

    def check(self, session: int) -> None:
        """Check, after a session without failures, that all dues are done."""
        delivered = [each.mail for each in self.records.ledger.deliveries.values() if each.session == session]
        assert all(mail in delivered for mail in self.to_deliver), "not delivered"
        assert all(mail.gone for mail in self.to_delete), "not deleted"
