"""What a session has to do with each message: what its plan may hold, and what must come of it if all goes well."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tests.journal.model_records import Records
from tests.journal.model_server import Mail
from tui_popretr.journal.records import MessageState, Record
from tui_popretr.session.plan import POISON_FAILURES, Listed, Plan, Policy, Verify, backoff


@dataclass(slots=True)
class Dues:
    """Of one connection, under one policy. `known` are the journal's records by UID."""

    records: Records
    policy: Policy
    known: Mapping[str | None, Record]
    to_deliver: list[Mail] = field(default_factory=list)
    to_delete: list[Mail] = field(default_factory=list)

    def judge(self, plan: Plan, broke: Collection[str]) -> None:
        """Judge a plan. `broke`: trouble keys of messages that broke the connection in this run."""
        failures, now = self.records.failures, self.records.ledger.clock.now
        for each in plan.fetches:
            key, record = each.listed.failure_key, self.known.get(each.listed.uid)
            assert key not in broke
            assert not (self.policy.new_only and record and record.state is MessageState.SEEN), "seen before"
            assert each.earlier == (record if record and record.state is MessageState.DELIVERED else None)
            if failures[key].least >= POISON_FAILURES:
                pause = backoff(failures[key].least)
                assert any(abs(now - last) >= pause for last in self.records.last_failures[key])
        counts = [failures[each.listed.failure_key] for each in plan.fetches]
        failed = [count.least > 0 for count in counts if count.least or not count.most]
        assert failed == sorted(failed), "what has failed comes last"
        for check in (each for each in plan.work if isinstance(each, Verify)):
            assert check.record.delete_pending or check.record.id in plan.to_mark_for_deletion
        assert self.policy.max_messages is None or len(plan.fetches) <= self.policy.max_messages

    def demand(self, mails: Sequence[Mail], listing: Sequence[Listed]) -> None:
        """Say what is due, from what has become of the messages before."""
        self.records.ledger.look()
        for mail, listed in zip(mails, listing, strict=True):
            if self._is_owed(mail, listed):
                self.to_delete.append(mail)
            if self.policy.max_messages is None and not self.records.failures[listed.failure_key].most:
                self._demand(mail, listed)

    def _is_owed(self, mail: Mail, listed: Listed) -> bool:
        before = [each for each in self.records.ledger.of(self.records.account, mail.content) if each.mail is mail]
        record = self.known.get(listed.uid)
        if record is None or self.policy.preserve:
            return False
        return record.id in [each.record.id for each in before if each.delete_pending]

    def _demand(self, mail: Mail, listed: Listed) -> None:
        policy = self.policy
        before = self.records.ledger.of(self.records.account, mail.content)
        if not (policy.preserve or policy.new_only):
            self.to_delete.append(mail)
        if not before:
            # Under preserve the UID alone is believed: another message of that UID comes later, or never.
            if not (policy.preserve or policy.new_only) or listed.uid not in self.known:
                self.to_deliver.append(mail)
        elif policy.preserve and policy.delete_after is not None:
            age = self.records.ledger.clock.now - max(each.record.time for each in before)
            same = all(each.record.uid == listed.uid and each.perhaps_deleted is None for each in before)
            if same and listed.uid is not None and age >= policy.delete_after:
                self.to_delete.append(mail)
        elif policy.preserve and not policy.new_only and all(each.surely_settled for each in before):
            self.to_deliver.append(mail)

    def check(self, session: int) -> None:
        """All went well in the session: see that it has done what was due."""
        delivered = [each.mail for each in self.records.ledger.deliveries.values() if each.session == session]
        assert all(mail in delivered for mail in self.to_deliver), "not delivered"
        assert all(mail.gone for mail in self.to_delete), "not deleted"
