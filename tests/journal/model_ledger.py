"""The promises of docs/durability.md: each delivery and deletion is checked against them, not against the journal."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.journal.making import NOW
from tests.journal.model_disk import STRANGERS, Disk, Happening, Step
from tests.journal.model_server import Ailment, Mail, Maildrop
from tests.support.passwords import PASSWORD
from tui_popretr.config.choices import Eol
from tui_popretr.config.model import Destination, FolderDestination, MaildirDestination
from tui_popretr.journal.journal import FORGET_AFTER
from tui_popretr.journal.records import Doubt, NewRecord
from tui_popretr.session.plan import Policy

if TYPE_CHECKING:
    from tests.journal.model_dues import Dues

HOUR, DAY = 3600, 24 * 3600
#: Seconds. Readers remove older files from tmp; a younger message without a file counts as taken by a reader.
CLEANED_AFTER, TAKEN_WITHIN = 36 * HOUR, 30 * HOUR
_OURS = re.compile(r"Q([0-9]+)\.|-([0-9]+)\.eml$")
#: The doubts that a delivery of a message with such an ailment may have.
_DOUBTS: dict[Ailment | None, set[Doubt]] = {
    Ailment.SHORT: {Doubt.SHORT},
    Ailment.CUT_BEHIND: {Doubt.UNPROVEN, Doubt.SHORT},
}


class Clock:
    """The machine's clocks. The wall clock is `wrong` seconds ahead. Inside trio, `running` is trio's time."""

    def __init__(self) -> None:
        self.seconds = float(NOW)
        self.running: Callable[[], float] = lambda: 0.0
        self.wrong = 0
        self._boots = 1
        self._booted = self.seconds - 1000

    @property
    def true(self) -> float:
        return self.seconds + self.running()

    @property
    def wall(self) -> int:
        return int(self.true) + self.wrong

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.true + self.wrong, UTC)

    def boottime(self) -> float:
        return self.true - self._booted

    def boot(self) -> str:
        return f"boot {self._boots}"

    def reboot(self) -> None:
        self._boots += 1
        self._booted = self.true


@dataclass(slots=True, eq=False)
class Account:
    """A maildrop, the destination of its mail, and the state of its session."""

    number: int
    kind: str
    path: Path
    drop: Maildrop = field(default_factory=lambda: Maildrop("me", PASSWORD))
    arrived: list[Mail] = field(default_factory=list)
    away: bool = False  # the destination's disk is not mounted
    session: int = 0  # unique among the sessions of all accounts
    uids: list[str | None] = field(default_factory=list)  # as listed
    policy: Policy = field(default_factory=Policy)
    connections: int = 0
    dues: Dues | None = None  # if a plan was made
    uidl: bool = True
    top: bool = True
    pipelining: bool = True

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
    """A message that the program has recorded in the journal, and its later history."""

    record: NewRecord
    account: Account
    mail: Mail
    policy: Policy
    session: int
    time: float  # of its retrieval
    excused: bool  # it may be delivered although it was delivered before
    delete_pending: bool
    perhaps_owed: bool
    seen: bool = False  # its file has had its final name
    taken: bool = False  # a reader has removed the file
    proven: bool = False  # complete, although the record doubts it
    perhaps_deleted: int | None = None  # since when
    perhaps_settled: bool = False
    surely_settled: bool = False
    recorded: bool = False  # the journal has had it
    surely_delivered: bool = False  # and has it as delivered
    perhaps_forgotten: bool = False
    withdrawn: bool = False

    @property
    def whole(self) -> bool:
        return self.record.doubt is Doubt.NONE or self.proven


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
        for account in accounts:
            account.drop.removed = self.check_removed

    def of(self, account: Account, content: bytes) -> list[Delivery]:
        """The deliveries of a message and of its equals."""
        return [
            each
            for each in self.deliveries.values()
            if each.account is account and each.seen and each.mail.content == content
        ]

    # --- deliveries ---------------------------------------------------------------------------------------------------

    def delivering(self, account: Account, record: NewRecord) -> None:
        """Note that a message is about to be published."""
        self.look()
        before = self.deliveries.get(record.id)
        assert before is None or not before.recorded, "an id was used twice"
        assert record.tmp is not None
        mail = self._mail_of(account, record, Path(record.tmp).read_bytes())
        delete_pending = not account.policy.preserve and record.doubt is Doubt.NONE
        assert record.delete_pending == delete_pending
        earlier = self.of(account, mail.content)
        if sum(each.content == mail.content for each in account.arrived) == 1:
            earlier = earlier[-1:]
        self.deliveries[record.id] = Delivery(
            record=record,
            account=account,
            mail=mail,
            policy=account.policy,
            session=account.session,
            time=self.clock.true,
            excused=any(self._may_come_again(each, record.uid, account.policy) for each in earlier),
            delete_pending=delete_pending,
            perhaps_owed=delete_pending,
        )

    def _mail_of(self, account: Account, record: NewRecord, content: bytes) -> Mail:
        """Return the listed message of this UID, content and doubt; of several, one that was not delivered."""
        delivered = {each.mail for each in self.deliveries.values() if each.session == account.session}
        listed = zip(account.drop.opened, account.uids, strict=True)
        found = [mail for mail, shown in listed if (mail.content, shown) == (content, record.uid)]
        found = [mail for mail in found if record.doubt in _DOUBTS.get(mail.ailment, {Doubt.NONE})]
        assert found, "what is delivered is not the message"
        return next((mail for mail in found if mail not in delivered), found[0])

    def _may_come_again(self, earlier: Delivery, uid: str | None, policy: Policy) -> bool:
        if earlier.perhaps_forgotten or (
            earlier.perhaps_deleted is not None and (None in (earlier.record.uid, uid) or policy.preserve)
        ):
            return True  # only UIDs show that a server keeps deleted messages
        if earlier.record.uid is not None and uid != earlier.record.uid:
            return True  # the server has changed its UID, against RFC 1939 §7
        if policy.new_only or earlier.record.doubt is Doubt.SHORT:
            return False
        if policy.preserve:
            return earlier.perhaps_settled
        return not earlier.delete_pending and earlier.perhaps_settled  # switching preserve off owes nothing for before

    def look(self) -> None:
        """Check that all messages at the destinations are complete, and none is there twice."""
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
        """Let a reader remove a file, or move it to a name in cur with this ending."""
        if how != "take" and account.kind == "maildir":
            self.disk.move(path, account.path / "cur" / (path.name.partition(":")[0] + how))
        elif how == "take":
            self.deliveries[identifier].taken = True
            self.disk.remove(path)

    def recovering(self) -> None:
        """Note that interrupted deliveries are looked up: old ones without a file may be delivered again."""
        self.look()
        there = {identifier for account in self.accounts for identifier, _ in account.finished()}
        for identifier, each in self.deliveries.items():
            if not (each.surely_delivered or each.account.away or identifier in there):
                each.perhaps_forgotten |= self.clock.wall - each.record.time >= TAKEN_WITHIN

    def write_audit(self, lines: Collection[str]) -> None:
        if self.disk.step(Step.AUDIT) is Happening.FAIL:
            raise OSError("no room for the line")
        self.audit += lines

    # --- deletions ----------------------------------------------------------------------------------------------------

    def own(self, ids: Collection[int], *, surely: bool) -> None:
        """Note that the deletion of these messages becomes pending."""
        for each in ids:
            delivery = self.deliveries[each]
            assert delivery.record.doubt is not Doubt.SHORT, "a message that was cut short is to be deleted"
            delivery.proven |= surely
            delivery.perhaps_owed = True
            delivery.delete_pending |= surely

    def check_dele(self, account: Account, number: int) -> None:
        """Check a DELE: the message was delivered in this session, or its deletion is pending."""
        self.look()
        mail, uid = account.drop.opened[number - 1], account.uids[number - 1]
        known = [each for each in self.of(account, mail.content) if each.whole and each.surely_delivered]
        found = [
            each
            for each in known
            if (each.mail is mail and each.session == account.session) or self._may_delete(each, uid, account.policy)
        ]
        assert found, f"to be deleted, and not delivered: {mail.content!r}"
        there = {identifier for identifier, _ in account.finished()}
        for each in found:
            self.check_delivered(each, there)
        account.drop.marked.append(mail)

    def check_removed(self, mails: Collection[Mail]) -> None:
        """Note that the server has deleted the marked messages."""
        self.look()
        for mail in mails:
            mail.deleted_by_us = True
        self.check()

    def _may_delete(self, earlier: Delivery, uid: str | None, policy: Policy) -> bool:
        if earlier.record.uid not in (None, uid):
            return False
        if policy.preserve:
            return policy.delete_after is not None and self.clock.true - earlier.time >= policy.delete_after
        return earlier.perhaps_owed or not earlier.surely_settled

    def closed(self, account: Account, deleted: Collection[int], policy: Policy, *, surely: bool) -> None:
        """Note that the journal records a QUIT that was answered +OK."""
        now = self.clock.wall
        for identifier in deleted:
            delivery = self.deliveries[identifier]
            delivery.perhaps_deleted = min(now, delivery.perhaps_deleted or now)
        kept = policy.new_only or policy.delete_after is not None
        for each in self.deliveries.values():
            if each.account is account:
                each.perhaps_settled = True
                each.surely_settled |= surely and each.surely_delivered
                if each.record.uid is None:
                    old = now - each.record.time >= FORGET_AFTER
                    gone = each.perhaps_deleted is not None and now - each.perhaps_deleted >= FORGET_AFTER
                    each.perhaps_forgotten |= gone or (not each.delete_pending and (old or not kept))

    # --- invariants ---------------------------------------------------------------------------------------------------

    def check_delivered(self, delivery: Delivery, there: Collection[int]) -> None:
        """Check a delivered message: readers find it or have taken it, and the audit log names it."""
        assert delivery.seen
        if not (delivery.taken or delivery.account.away):
            assert delivery.record.id in there, f"not there: {delivery.mail.content!r}"
        assert delivery.record.audit is not None
        # Equal messages have equal lines.
        alike = [each for each in self.deliveries.values() if each.record.audit == delivery.record.audit]
        recovered = self.audit.count(f"{delivery.record.audit} (recovered)")
        written = self.audit.count(delivery.record.audit)
        assert written + recovered >= sum(each.surely_delivered for each in alike), "no audit line"
        assert written <= len(alike), "two audit lines"

    def check(self) -> None:
        """Check that each copy deleted from a server was delivered: readers find it or have taken it."""
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
        # Without UIDs, a message cannot be distinguished from an equal one that was removed unnoticed.
        unnoticed = any(mail.gone_unknown for mail in alike) and any(each.record.uid is None for each in deliveries)
        assert kept >= (min(1, deleted) if unnoticed else deleted), f"lost: {content!r}"
