"""The promises of docs/durability.md: each delivery and deletion is checked against them, not against the journal."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.journal.model_disk import STRANGERS, Disk
from tests.journal.model_server import Mail, Maildrop
from tui_popretr.config.choices import Eol
from tui_popretr.config.model import Destination, FolderDestination, MaildirDestination
from tui_popretr.journal.journal import FORGET_AFTER
from tui_popretr.journal.records import NewRecord
from tui_popretr.session.plan import Policy

HOUR = 3600
#: Readers clean tmp of what is older; a message that is nowhere counts as taken by one for less.
CLEANED_AFTER, TAKEN_WITHIN = 36 * HOUR, 30 * HOUR
_OURS = re.compile(r"Q([0-9]+)\.|-([0-9]+)\.eml$")


@dataclass(slots=True)
class Clock:
    """The wall clock, epoch seconds."""

    now: int


@dataclass(slots=True, eq=False)
class Account:
    """A maildrop and the destination of its mail."""

    number: int
    kind: str
    path: Path
    drop: Maildrop = field(default_factory=Maildrop)
    arrived: list[Mail] = field(default_factory=list)
    away: bool = False  # the destination's disk is not mounted

    @property
    def destination(self) -> Destination:
        if self.kind == "maildir":
            return MaildirDestination(str(self.path), None, Eol.CRLF)
        return FolderDestination(str(self.path), Eol.CRLF)

    def finished(self) -> Iterator[tuple[int, Path]]:
        """Record ids and paths of our files that readers see, in the order of ids; empty ones are no messages yet."""
        folders = [self.path / "new", self.path / "cur"] if self.kind == "maildir" else [self.path]
        files = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
        found = [(match, path) for path in files if path.name[0] != "." and (match := _OURS.search(path.name))]
        yield from sorted(
            (int(match[1] or match[2]), path) for match, path in found if path.stat().st_size and not is_strangers(path)
        )

    def unfinished(self) -> list[Path]:
        return sorted(self.path.glob("tmp/*" if self.kind == "maildir" else ".*"))


@dataclass(slots=True, eq=False)
class Delivery:
    """A message that was retrieved, with what is known of its further way."""

    record: NewRecord
    account: Account
    mail: Mail
    policy: Policy
    session: int
    time: int  # of its retrieval
    excused: bool  # it may come although it has come before
    delete_pending: bool
    perhaps_owed: bool
    seen: bool = False  # its file has had its final name
    taken: bool = False  # a reader has removed it since
    perhaps_deleted: int | None = None  # since when
    perhaps_settled: bool = False
    surely_settled: bool = False
    recorded: bool = False  # the journal has had it
    surely_delivered: bool = False  # and has it as delivered
    perhaps_forgotten: bool = False
    withdrawn: bool = False


def is_strangers(path: Path) -> bool:
    """Whether a file is not ours; messages are larger."""
    return path.stat().st_size == len(STRANGERS)


class Ledger:
    """All deliveries to all accounts, and the audit log."""

    def __init__(self, disk: Disk, clock: Clock, accounts: list[Account]) -> None:
        self.disk = disk
        self.clock = clock
        self.accounts = accounts
        self.deliveries: dict[int, Delivery] = {}
        self.audit: list[str] = []

    def of(self, account: Account, content: bytes) -> list[Delivery]:
        """The deliveries of a message and of those that are like it."""
        return [
            each
            for each in self.deliveries.values()
            if each.account is account and each.seen and each.mail.content == content
        ]

    # --- deliveries ---------------------------------------------------------------------------------------------------

    def retrieved(self, account: Account, mail: Mail, record: NewRecord, policy: Policy, session: int) -> None:
        """A message has been received and goes to the committer."""
        self.look()
        before = self.deliveries.get(record.id)
        assert before is None or not before.recorded, "an id was used twice"
        earlier = self.of(account, mail.content)
        delete_pending = not policy.preserve
        if sum(each.content == mail.content for each in account.arrived) == 1:
            earlier = earlier[-1:]
        excused = any(self._may_come_again(each, record.uid, policy) for each in earlier)
        self.deliveries[record.id] = Delivery(
            record, account, mail, policy, session, self.clock.now, excused, delete_pending, delete_pending
        )

    def _may_come_again(self, earlier: Delivery, uid: str | None, policy: Policy) -> bool:
        if earlier.perhaps_forgotten or (
            earlier.perhaps_deleted is not None and (None in (earlier.record.uid, uid) or policy.preserve)
        ):
            return True  # a server that keeps what it said it had deleted is found out by UIDs, when it is told again
        if earlier.record.uid is not None and uid != earlier.record.uid:
            return True  # the server has changed its name, against RFC 1939 §7
        if policy.new_only:
            return False
        if policy.preserve:
            return earlier.perhaps_settled
        return not earlier.delete_pending and earlier.perhaps_settled  # switching preserve off owes nothing for before

    def look(self) -> None:
        """See what has arrived: whole, and not twice."""
        for account in self.accounts:
            if not account.away:
                self._look_at(account)

    def _look_at(self, account: Account) -> None:
        there = list(account.finished())
        ids = [identifier for identifier, _ in there]
        assert len(set(ids)) == len(ids), "a delivery is there twice"
        for identifier, path in there:
            content = path.read_bytes()
            delivery = self.deliveries[identifier]
            assert content == delivery.mail.content, "what readers see is not the message"
            if not delivery.seen:
                before = len(self.of(account, content))
                alike = sum(mail.content == content for mail in account.arrived)
                assert before < alike or delivery.excused, f"delivered twice: {content!r}"
                delivery.seen = True

    def visit(self, account: Account, identifier: int, path: Path, how: str) -> None:
        """A reader does something with a file: takes it away, or gives it a name in cur that ends so."""
        if how != "take" and account.kind == "maildir":
            self.disk.move(path, account.path / "cur" / (path.name.partition(":")[0] + how))
        elif how == "take":
            self.deliveries[identifier].taken = True
            self.disk.remove(path)

    def recovering(self) -> None:
        """The program is about to look for interrupted deliveries: what is nowhere and old may come again."""
        self.look()
        there = {identifier for account in self.accounts for identifier, _ in account.finished()}
        for identifier, each in self.deliveries.items():
            if not (each.surely_delivered or each.account.away or identifier in there):
                each.perhaps_forgotten |= self.clock.now - each.record.time >= TAKEN_WITHIN

    # --- deletions ----------------------------------------------------------------------------------------------------

    def own(self, ids: Collection[int], *, surely: bool) -> None:
        """deleteafter has passed for these, and the journal is told so."""
        for each in ids:
            self.deliveries[each].perhaps_owed = True
            self.deliveries[each].delete_pending |= surely

    def removed(
        self, account: Account, mails: Collection[Mail], uids: Mapping[Mail, str | None], policy: Policy, session: int
    ) -> None:
        """The server has deleted what the program told it to: each was delivered in this session, or it was owed."""
        self.look()
        for mail in mails:
            mail.deleted_by_us = True
            known = self.of(account, mail.content)
            assert any(
                (each.mail is mail and each.session == session) or self._may_delete(each, uids[mail], policy)
                for each in known
            ), f"deleted, and never owed: {mail.content!r}"
        account.drop.remove(mails)
        self.check()

    def _may_delete(self, earlier: Delivery, uid: str | None, policy: Policy) -> bool:
        if earlier.record.uid not in (None, uid):
            return False
        if policy.preserve:
            return policy.delete_after is not None and self.clock.now - earlier.time >= policy.delete_after
        return earlier.perhaps_owed or not earlier.surely_settled

    def closed(self, account: Account, deleted: Collection[int], policy: Policy, *, surely: bool) -> None:
        """QUIT's +OK came, and the journal is told so."""
        for identifier in deleted:
            delivery = self.deliveries[identifier]
            delivery.perhaps_deleted = min(self.clock.now, delivery.perhaps_deleted or self.clock.now)
        kept = policy.new_only or policy.delete_after is not None
        for each in self.deliveries.values():
            if each.account is account:
                each.perhaps_settled = True
                each.surely_settled |= surely and each.surely_delivered
                if each.record.uid is None:
                    old = self.clock.now - each.record.time >= FORGET_AFTER
                    gone = each.perhaps_deleted is not None and self.clock.now - each.perhaps_deleted >= FORGET_AFTER
                    each.perhaps_forgotten |= gone or (not each.delete_pending and (old or not kept))

    # --- what always holds --------------------------------------------------------------------------------------------

    def check_delivered(self, delivery: Delivery, there: Collection[int]) -> None:
        """The journal has it as delivered: readers find it, or they have taken it, and the audit log names it."""
        assert delivery.seen
        if not (delivery.taken or delivery.account.away):
            assert delivery.record.id in there, f"not there: {delivery.mail.content!r}"
        assert delivery.record.audit is not None
        lines = [line for line in self.audit if line.partition(" (")[0] == delivery.record.audit]
        assert lines
        assert lines[1:] == [f"{delivery.record.audit} (recovered)"] * len(lines[1:])

    def check(self) -> None:
        """What was deleted from a server is, as often as it was there, where readers find it, or they have taken it."""
        assert all(path.read_bytes() == STRANGERS for path in self.disk.strangers if path.parent.is_dir())
        for account in self.accounts:
            if not account.away:
                there = {identifier for identifier, _ in account.finished()}
                for content in {mail.content for mail in account.arrived if mail.deleted_by_us}:
                    self._is_kept(account, content, there)

    def _is_kept(self, account: Account, content: bytes, there: Collection[int]) -> None:
        deliveries = self.of(account, content)
        alike = [mail for mail in account.arrived if mail.content == content]
        kept = sum(each.taken or each.record.id in there for each in deliveries)
        deleted = sum(mail.deleted_by_us for mail in alike)
        # Without UIDs nobody can tell a message from another like it that has gone unnoticed.
        unnoticed = any(mail.gone_unknown for mail in alike) and any(each.record.uid is None for each in deliveries)
        assert kept >= (min(1, deleted) if unnoticed else deleted), f"lost: {content!r}"
