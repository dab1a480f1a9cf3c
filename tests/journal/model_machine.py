"""All that may happen to journal, recovery, plan and destinations, and what must be so whatever happens.

The program's side is the real code, called in the order in which session and committer call it. The server is a model,
and so is what the disk remembers, and what users and mail readers do meanwhile. What docs/durability.md promises is
judged by a ledger of our own.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.journal.making import NOW
from tests.journal.model_choices import ACCOUNTS, DAY, DICE, DOWN, ENDS, TROUBLES, VISITORS, VISITS, Letter, Run, runs
from tests.journal.model_disk import Disk, Happening, Killed, Moment
from tests.journal.model_errand import Errand
from tests.journal.model_ledger import CLEANED_AFTER, Account, Clock, Ledger
from tests.journal.model_program import Program
from tests.journal.model_records import Records
from tests.journal.model_server import content_of
from tests.journal.model_session import Session
from tui_popretr.delivery import names
from tui_popretr.errors import JournalError, PopretrError
from tui_popretr.session.plan import Policy

NOT_AT_RANDOM = random.Random(0)
#: What a power cut leaves is worked out; a disk in memory is as good, and many times faster where SQLite syncs.
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class MailMachine(RuleBasedStateMachine):
    """Two accounts, one with a Maildir and one with a folder; one journal."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-", dir=FAST))
        self.disk = Disk(self.folder)
        self.disk.visit = self.reader_takes_everything
        self.clock = Clock(NOW)
        self.accounts = [
            Account(0, "maildir", self.disk.mail / "inbox"),
            Account(1, "folder", self.disk.mail / "downloads"),
        ]
        self.ledger = Ledger(self.disk, self.clock, self.accounts)
        self.records = [Records(account, self.ledger) for account in self.accounts]
        self.program: Program | None = None
        self.processes = 0
        self.sessions = 0
        self.letters = 0
        self.earliest = 0  # the clock is not put back behind this

    @initialize(links=st.booleans())
    def file_system_has_links_or_not(self, links: bool) -> None:
        self.disk.links = links

    # --- the program --------------------------------------------------------------------------------------------------

    @rule(run=runs(st.lists(VISITS, max_size=1)))
    def program_runs(self, run: Run) -> None:
        self.run(run, [], NOT_AT_RANDOM)

    @rule(run=runs(st.lists(TROUBLES, min_size=1, max_size=3)))
    def disk_has_trouble(self, run: Run) -> None:
        self.run(run, [], NOT_AT_RANDOM)

    @rule(
        run=runs(st.lists(VISITS | TROUBLES, max_size=2), DOWN),
        ends=st.lists(ENDS, min_size=1, max_size=3),
        visitor=st.none() | VISITORS,
        unmounted=st.none() | ACCOUNTS,
        dice=DICE,
    )
    def program_is_killed_on_its_way(
        self, run: Run, ends: list[Moment], visitor: str | None, unmounted: int | None, dice: random.Random
    ) -> None:
        """And started again, and killed again; and then it may find that a disk is not mounted."""
        for end in ends:
            self.run(run, [end], dice)
            if self.program is not None:
                self.program_ends(end.happening, dice)
            if visitor is not None:
                self.reader_takes_everything(visitor)
            run = replace(run, mail=[])
        if unmounted is not None and not self.accounts[unmounted].away:
            self.disk_is_unmounted_or_mounted(unmounted)
            self.run(replace(run, happenings=[]), [], dice)
            self.disk_is_unmounted_or_mounted(unmounted)

    @precondition(lambda self: self.program is not None)
    @rule(how=st.sampled_from((None, Happening.KILL, Happening.POWER_CUT)), dice=DICE)
    def program_ends(self, how: Happening | None, dice: random.Random) -> None:
        """In peace or not, when it is doing nothing."""
        assert self.program is not None
        if how is None:
            self.program.close()
            self.program = None
        else:
            self.disk.power_cut = how is Happening.POWER_CUT
            with self.watched([], [], dice):
                self.disk.kill()

    @rule(
        which=ACCOUNTS,
        uids=st.sets(st.integers(1, 6).map("u{}".format), max_size=3),
        happening=st.none() | ENDS | TROUBLES,
        dice=DICE,
    )
    def user_marks_as_seen(self, which: int, uids: set[str], happening: Moment | None, dice: random.Random) -> None:
        with self.watched([happening] if happening else [], [], dice):
            program, records = self.running(), self.records[which]
            if program.sound and records.maildrop is not None:
                known = {record.uid for record in program.journal.records(records.maildrop, deleted=False)}
                records.mark(uids - known)
                try:
                    count = program.journal.mark_seen(records.maildrop, sorted(uids), now=self.clock.now)
                except JournalError:
                    return
                assert count == len(uids - known)

    def run(self, run: Run, ends: list[Moment], dice: random.Random) -> None:
        self.time_passes(run.later)
        for letter in run.mail:
            self.mail_arrives(letter)
        sessions: list[Session] = []
        with self.watched([*run.happenings, *ends], sessions, dice):
            program = self.running()
            program.group = run.group
            self.take_turns(program, run.errands, sessions)
        for session in sessions:
            tell(f"session {session.number}: {session.tally.problem}")

    def take_turns(self, program: Program, errands: list[Errand], sessions: list[Session]) -> None:
        """Run all sessions to their ends."""
        turn = 0
        active: list[Iterator[None]] = []
        to_come = list(errands)
        while to_come or active:
            for errand in [each for each in to_come if each.after <= turn or not active]:
                to_come.remove(errand)
                self.sessions += 1
                sessions.append(Session(program, errand, self.sessions))
                active.append(sessions[-1].run())
            active = [each for each in active if next(each, self) is not self]
            turn += 1

    def running(self) -> Program:
        """The program, started if it is not."""
        if self.program is None:
            self.processes += 1
            self.program = Program(self.disk, self.ledger, self.records)
            try:
                self.program.reopen_if_broken()
            except (PopretrError, OSError) as problem:
                tell(f"not started: {problem}")
        return self.program

    @contextmanager
    def watched(self, happenings: list[Moment], sessions: list[Session], dice: random.Random) -> Iterator[None]:
        """Let this happen, and bury the program if it is killed."""
        token = f"{self.processes + (self.program is None):08x}"
        try:
            with patch.object(names, "PROCESS_TOKEN", token), self.disk.in_use(happenings):
                yield
        except Killed:
            tell("killed")
            if self.program is not None:
                self.program.die()
                self.program = None
            self.disk.bury(dice)
            for session in sessions:
                session.cut()

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
        what=st.sampled_from(("UIDL", "TOP", "UIDs", "deletes", "hides", "cures")),
        index=st.integers(0, 3),
    )
    def server_changes(self, which: int, what: str, index: int) -> None:
        """What it offers, its UIDs, what it has: another program deletes a message, or it is not listed for a while."""
        drop = self.accounts[which].drop
        some = drop.mails[index : index + 1]
        match what:
            case "UIDL":
                drop.uidl = not drop.uidl
            case "TOP":
                drop.top = not drop.top
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
        self.clock.now = max(self.earliest, self.clock.now - days * DAY)

    def time_passes(self, seconds: int) -> None:
        """And Maildir readers remove what has long been in tmp."""
        self.clock.now += seconds
        for path in self.accounts[0].unfinished():
            if self.clock.now - int(path.name.partition(".")[0]) > CLEANED_AFTER:
                self.disk.remove(path)
                self.earliest = self.clock.now

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

    @invariant()
    def the_journal_is_in_order(self) -> None:
        if self.program is not None and self.program.sound:
            for records in self.records:
                records.check(self.program.journal)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.all_ends_well()
        finally:
            if self.program is not None:
                self.program.die()
            shutil.rmtree(self.folder)

    def all_ends_well(self) -> None:
        """With everything in order again, whatever was left behind arrives, and the servers are empty."""
        for account in self.accounts:
            account.drop.cure()
            if account.away:
                self.disk_is_unmounted_or_mounted(account.number)
        if self.program is not None:
            self.program_ends(None, NOT_AT_RANDOM)
        for _ in range(4):
            if self.program is not None and not any(account.drop.mails for account in self.accounts):
                break
            # Those that failed three times rest for a day.
            self.run(Run(2 * DAY, [], [Errand(0, Policy()), Errand(1, Policy())], 3, []), [], NOT_AT_RANDOM)
            self.nothing_is_lost_and_nothing_is_twice()
            self.the_journal_is_in_order()
        for account in self.accounts:
            assert account.drop.mails == []
            assert account.unfinished() == []


def tell(text: str) -> None:
    """Add this to what Hypothesis says of an example that fails."""
    if currently_in_test_context():
        note(text)
