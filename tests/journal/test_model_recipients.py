"""A message for several recipients: each gets it once, however often some refuse it and the program is killed."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.commit.recovering import recover
from tests.journal.making import NOW
from tests.support.size import NIGHTLY
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Maildrop, NewRecord
from tui_popretr.mail.identity import Identity
from tui_popretr.session.maildrop import AcceptedRecipients

RECIPIENTS = ("a@receiver.test", "b@receiver.test", "c@receiver.test")
_SOME = st.sampled_from((set(), {RECIPIENTS[0]}, {RECIPIENTS[0]}, {RECIPIENTS[0], RECIPIENTS[1]}, set(RECIPIENTS)))


@dataclass(frozen=True, slots=True, eq=False)
class Mail:
    content: int
    uid: str | None

    @property
    def identity(self) -> Identity:
        return Identity(sha256(b"%d" % self.content).digest(), self.uid is None)


class RecipientsMachine(RuleBasedStateMachine):
    """The real journal, and a session that hands over one message after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="recipients-"))
        self.journal = Journal.open(str(self.folder / "journal.sqlite"))
        self.maildrop = self.journal.maildrop(Maildrop.of("pop.example.test", 110, "me", "smtp:receiver.test"))
        self.server: list[Mail] = []
        self.arrived = Counter[int]()
        self.deleted = Counter[int]()
        self.unnamed: set[int] = set()
        self.got = Counter[tuple[int, str]]()
        self.in_flight = Counter[tuple[int, str]]()  # when killed: it may come again

    @rule(like_the_last=st.booleans(), named=st.booleans())
    def mail_arrives(self, like_the_last: bool, named: bool) -> None:
        content = len(self.arrived) - (like_the_last and len(self.arrived) > 0)
        self.server.append(Mail(content, f"u{self.arrived.total()}" if named else None))
        self.arrived[content] += 1
        self.unnamed |= set() if named else {content}

    @rule(refusals=st.lists(_SOME, max_size=4), killed=st.sampled_from((None, None, None, 0, 1, 2)))
    def session(self, refusals: list[set[str]], killed: int | None) -> None:
        """`refusals`: who refuses the first message, the second, ...; `killed`: while which is handed over."""
        accepted = AcceptedRecipients(self.journal.acceptances(self.maildrop))
        for place, mail in enumerate(list(self.server)):
            refuse = refusals[place] if place < len(refusals) else set()
            waiting = set(RECIPIENTS) - set(accepted.take(mail.uid, mail.identity))
            record = NewRecord(
                self.journal.next_id(), self.maildrop, mail.uid, 100, mail.identity, True, None, None, "audit", NOW
            )
            self.journal.commit([record], [])
            have_it = Counter((mail.content, each) for each in waiting - refuse)
            self.got += have_it
            if killed == place:
                self.in_flight += have_it
                self.start_again()
                return
            if waiting <= refuse and waiting:
                self.journal.withdraw([record.id])
            elif waiting & refuse:
                self.journal.withdraw([record.id], {record.id: waiting - refuse})
            else:
                self.journal.commit([], [DeliveredMark(record.id, delete_pending=True)])
                self.server.remove(mail)
                self.deleted[mail.content] += 1

    def start_again(self) -> None:
        self.journal.close()
        self.journal = Journal.open(self.journal.path)
        recover(self.journal, None, now=NOW, audit=lambda lines: None)

    @invariant()
    def nothing_is_lost_and_nothing_is_twice(self) -> None:
        for content, times in self.arrived.items():
            for each in RECIPIENTS:
                got = self.got[content, each]
                assert self.deleted[content] <= got, f"{each} has lost {content}"
                if times == 1 or content not in self.unnamed:  # of identical ones: rather twice than lost
                    assert got <= times + self.in_flight[content, each], f"{each} has {content} too often"

    @invariant()
    def nothing_is_remembered_for_longer_than_needed(self) -> None:
        there = Counter((mail.uid, mail.identity) for mail in self.server)
        known = Counter((each.uid, each.identity, each.address) for each in self.journal.acceptances(self.maildrop))
        assert all(count <= there[uid, identity] for (uid, identity, _), count in known.items())

    def teardown(self) -> None:
        try:
            self.session([], None)
            self.nothing_is_lost_and_nothing_is_twice()
            assert not self.server
        finally:
            self.journal.close()
            shutil.rmtree(self.folder)


TestRecipientsMachine = RecipientsMachine.TestCase
TestRecipientsMachine.settings = settings(
    max_examples=2000 if NIGHTLY else 150, derandomize=not NIGHTLY, stateful_step_count=15
)
