"""All events that may happen to journal, recovery, plan and destinations, and the invariants that must hold.

The program is the real one. What a power cut leaves of its files is worked out; mail readers, users and other clients
of the servers are rules. What docs/durability.md promises is judged by a ledger of our own.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.journal.model_choices import (
    ACCOUNTS,
    DICE,
    DOWN,
    ENDS,
    TROUBLES,
    VISITORS,
    VISITS,
    Errand,
    Letter,
    Round,
    rounds,
)
from tests.journal.model_disk import Disk, Happening, Killed, Moment
from tests.journal.model_ledger import CLEANED_AFTER, DAY, Account, Clock, Ledger
from tests.journal.model_program import Program, WatchedJournal
from tests.journal.model_records import Records
from tests.journal.model_server import Mail, content_of
from tui_popretr.config.model import Retention
from tui_popretr.errors import JournalError
from tui_popretr.journal.records import MessageState

NOT_AT_RANDOM = random.Random(0)
#: The effect of a power cut is computed, so a disk in memory is as good, and its syncs are many times faster.
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class MailMachine(RuleBasedStateMachine):
    """Two accounts with one journal: one has a Maildir, the other a folder."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-", dir=FAST))
        self.disk = Disk(self.folder)
        self.disk.visit = self.reader_takes_everything
        self.clock = Clock()
        self.accounts = [
            Account(0, "maildir", self.disk.mail / "inbox", session=0),
            Account(1, "folder", self.disk.mail / "downloads", session=1),
        ]
        self.ledger = Ledger(self.disk, self.clock, self.accounts)
        self.records = [Records(account, self.ledger) for account in self.accounts]
        self.program = Program(self.disk, self.ledger, self.records)
        self.letters = 0
        self.earliest = 0  # the clock is never set back further

    @initialize(links=st.booleans())
    def file_system_has_links_or_not(self, links: bool) -> None:
        self.disk.links = links

    # --- the program --------------------------------------------------------------------------------------------------

    @rule(
        process=st.lists(rounds(st.lists(VISITS, max_size=1) | st.lists(TROUBLES, max_size=3)), min_size=1, max_size=3),
        end=st.sampled_from((None, None, Happening.KILL, Happening.POWER_CUT)),
        dice=DICE,
    )
    def process_runs(self, process: list[Round], end: Happening | None, dice: random.Random) -> None:
        """Run a process of some rounds. It ends, or is killed while idle."""
        self.run(process, end, dice)

    @rule(
        process=rounds(st.lists(VISITS | TROUBLES, max_size=2), DOWN),
        ends=st.lists(ENDS, min_size=1, max_size=3),
        visitor=st.none() | VISITORS,
        unmounted=st.none() | ACCOUNTS,
        dice=DICE,
    )
    def process_is_killed(
        self, process: Round, ends: list[Moment], visitor: str | None, unmounted: int | None, dice: random.Random
    ) -> None:
        """Kill it, start it again and kill it again; then a disk may be unmounted."""
        for end in ends:
            self.run([replace(process, happenings=[*process.happenings, end])], end.happening, dice)
            if visitor is not None:
                self.reader_takes_everything(visitor)
            process = replace(process, mail=[])
        if unmounted is not None and not self.accounts[unmounted].away:
            self.disk_is_unmounted_or_mounted(unmounted)
            self.run([replace(process, happenings=[])])
            self.disk_is_unmounted_or_mounted(unmounted)

    @rule(
        which=ACCOUNTS,
        uids=st.sets(st.integers(1, 6).map("u{}".format), max_size=3),
        happening=st.none() | ENDS | TROUBLES,
        dice=DICE,
    )
    def user_marks_as_seen(self, which: int, uids: set[str], happening: Moment | None, dice: random.Random) -> None:
        maildrop = self.records[which].maildrop
        if maildrop is not None:
            with self.survived(dice), self.program.watched(), suppress(JournalError):
                journal = WatchedJournal.open(str(self.disk.var / "popretr.sqlite"))
                with closing(journal):
                    self.disk.arm([happening] if happening else [])
                    known = {record.uid for record in journal.records(maildrop, deleted=False)}
                    assert journal.mark_seen(maildrop, sorted(uids), now=self.clock.wall) == len(uids - known)

    def run(self, process: list[Round], end: Happening | None = None, dice: random.Random = NOT_AT_RANDOM) -> None:
        with self.survived(dice):
            self.program.run(process, end, self.prepare)
        for line in self.program.log:
            tell(line)

    def prepare(self, process: Round) -> None:
        self.time_passes(process.later)
        for letter in process.mail:
            self.mail_arrives(letter)

    @contextmanager
    def survived(self, dice: random.Random) -> Iterator[None]:
        """Clean up after the process if it was killed."""
        before = set(os.listdir("/dev/fd"))
        with suppress(Killed):
            yield
        if self.disk.dead:
            tell("killed")
            if self.disk.power_cut:
                self.clock.reboot()
            self.disk.bury(dice)
            for descriptor in {*os.listdir("/dev/fd")} - before:
                with suppress(OSError):
                    os.close(int(descriptor))

    # --- the server, readers, users, the machine ----------------------------------------------------------------------

    def mail_arrives(self, letter: Letter) -> None:
        account = self.accounts[letter.account]
        self.letters += 1
        content = content_of(self.letters)
        if letter.kind != "new" and account.arrived:
            last = account.arrived[-1]
            content = last.content if letter.kind == "copy" else last.header + b"\r\n\r\n%d\r\n" % self.letters
        account.arrived.append(account.drop.arrive(content, letter.naming, letter.ailment))

    @rule(
        which=ACCOUNTS,
        what=st.sampled_from(("UIDL", "TOP", "PIPELINING", "UIDs", "deletes", "hides", "cures")),
        index=st.integers(0, 3),
    )
    def server_changes(self, which: int, what: str, index: int) -> None:
        """Change the server: its capabilities or UIDs; or another program deletes a message, or one is not listed."""
        account = self.accounts[which]
        drop = account.drop
        some = drop.mails[index : index + 1]
        match what:
            case "UIDL":
                account.uidl = not account.uidl
            case "TOP":
                account.top = not account.top
            case "PIPELINING":
                account.pipelining = not account.pipelining
            case "UIDs":
                drop.renumber()
            case "deletes":
                drop.remove(some)
            case "hides":
                drop.hidden ^= set(some)
            case _:
                drop.cure()

    @rule(which=ACCOUNTS, choices=st.lists(st.tuples(st.integers(0, 3), VISITORS), max_size=3))
    def reader_comes(self, which: int, choices: list[tuple[int, str]]) -> None:
        account = self.accounts[which]
        self.ledger.look()
        for index, how in choices:
            there = list(account.finished())
            if index < len(there):
                self.ledger.visit(account, *there[index], how)

    def reader_takes_everything(self, how: str = "take") -> None:
        self.ledger.look()
        for account in self.accounts:
            for identifier, path in account.finished():
                self.ledger.visit(account, identifier, path, how)

    @rule(days=st.integers(1, 6))
    def clock_is_put_back(self, days: int) -> None:
        self.clock.wrong -= min(days * DAY, max(0, self.clock.wall - self.earliest))

    def time_passes(self, seconds: int) -> None:
        """Let time pass. Maildir readers remove old files from tmp."""
        self.clock.seconds += seconds
        for path in self.accounts[0].unfinished():
            if self.clock.wall - int(path.name.partition(".")[0]) > CLEANED_AFTER:
                self.disk.remove(path)
                self.earliest = self.clock.wall

    @rule(which=ACCOUNTS)
    def disk_is_unmounted_or_mounted(self, which: int) -> None:
        account = self.accounts[which]
        if account.away or account.path.is_dir():
            self.ledger.look()
            account.away = not account.away
            self.disk.mount(account.path, away=account.away)

    # --- judgement ----------------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost_and_nothing_is_twice(self) -> None:
        self.ledger.look()
        self.ledger.check()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.all_ends_well()
        finally:
            shutil.rmtree(self.folder)

    def all_ends_well(self) -> None:
        """Check that without faults all remaining messages arrive; only those cut short stay."""
        for account in self.accounts:
            account.drop.cure()
            if account.away:
                self.disk_is_unmounted_or_mounted(account.number)
        for _ in range(4):
            # Those that failed three times rest for a day.
            self.run([Round(2 * DAY, [], [Errand(0, Retention()), Errand(1, Retention())], 0.0, [])])
            self.nothing_is_lost_and_nothing_is_twice()
            if not any(self.left(account) for account in self.accounts):
                break
        for account in self.accounts:
            assert self.left(account) == []
            assert account.unfinished() == []

    def left(self, account: Account) -> list[Mail]:
        """The messages on the server, without those cut short and those with the same UIDs."""
        records = self.records[account.number].known.values()
        kept = [each for each in records if each.state is MessageState.KEPT]
        uids = {each.uid for each in kept}
        unnamed = {self.ledger.deliveries[each.id].mail.content for each in kept if each.uid is None}
        return [mail for mail in account.drop.mails if mail.uid not in uids and mail.content not in unnamed]


def tell(text: str) -> None:
    """Add a note to Hypothesis's report of a failing example."""
    if currently_in_test_context():
        note(text)
