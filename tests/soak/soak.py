"""A soak: fifty clients for minutes, with arriving mail, restarting servers and random faults; then all is counted.

Twenty accounts are on a real Dovecot that is restarted now and then, thirty on two embedded servers that misbehave, one
of them without pipelining. Most are delivered into Maildirs and folders, nine by SMTP, LMTP and a command, which refuse
a message now and then. The program is a process of its own, and only one: its memory and open files are watched.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

from tests.crash.cases import Kind
from tests.crash.scene import BOTH, directory
from tests.program.destination import FolderPlace, LmtpPlace, MaildirPlace, Place, place_of
from tests.program.process import Program
from tests.program.site import PASSWORD, Site, client
from tests.support.dovecot import Dovecot
from tests.support.popserver import Faults, QuitFault, ServedMaildrop, ServerPolicy
from tests.support.popserver_thread import RunningServer, running_server
from tests.support.waiting import wait_for

DOVECOT_ACCOUNTS, SERVER_ACCOUNTS = 20, 15
#: Seconds that the program may take to retrieve the rest after all faults have ended.
SETTLING = 90.0
#: The destinations of the first accounts of each group.
REMOTE = (Kind.SMTP, Kind.LMTP, Kind.COMMAND)


@dataclass
class Account:
    """An account and the messages that were sent to it."""

    name: str
    destination: Place
    sent: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sample:
    """The resources that the program uses at a moment."""

    memory: int  # octets resident
    files: int  # open descriptors


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a soak."""

    sent: int
    missing: int
    twice: int
    unfinished: int  # files with unfinished names
    unaudited: int
    audited_twice: int  # without being marked as recovered
    exit_code: int
    samples: tuple[Sample, ...]
    events: Counter[str]
    details: tuple[str, ...]

    def growth(self) -> tuple[int, int]:
        """The growth of memory (octets) and open files: the median of the last quarter minus that of the second."""
        quarter = max(1, len(self.samples) // 4)
        early, late = self.samples[quarter : 2 * quarter], self.samples[-quarter:]

        def median(values: list[int]) -> int:
            return sorted(values)[len(values) // 2]

        return (
            median([each.memory for each in late]) - median([each.memory for each in early]),
            median([each.files for each in late]) - median([each.files for each in early]),
        )


class Soak:
    """One run of `seconds`. The same seed gives the same actions, at times that depend on the machine."""

    def __init__(self, top: Path, dovecot: Dovecot, *, seconds: float, seed: int) -> None:
        self.site = Site(top)
        self.events: Counter[str] = Counter()
        self._dovecot = dovecot
        self._seconds = seconds
        self._dice = random.Random(seed)
        self._number = 0
        self._harmed: Counter[tuple[str, str]] = Counter()
        self._samples: list[Sample] = []
        self._rest: Counter[str] = Counter()
        self.details: list[str] = []
        self._at_dovecot: list[Account] = []
        self._at_servers: list[list[Account]] = []

    def _account(self, stack: ExitStack, prefix: str, number: int) -> Account:
        name = f"{prefix}{number}"
        place: Place
        if number < len(REMOTE):
            place = stack.enter_context(place_of(REMOTE[number], self.site.top / "remote" / name))
        elif number % 3 == 0:
            place = FolderPlace(self.site.top / "folders" / name)
        else:
            place = MaildirPlace(self.site.maildir(name))
        return Account(name, place)

    @property
    def _accounts(self) -> list[Account]:
        return [*self._at_dovecot, *self._at_servers[0], *self._at_servers[1]]

    def run(self) -> Verdict:
        """Soak, settle, count."""
        with ExitStack() as stack:
            self._at_dovecot = [self._account(stack, "soak", number) for number in range(DOVECOT_ACCOUNTS)]
            self._at_servers = [
                [self._account(stack, f"s{server}u", number) for number in range(SERVER_ACCOUNTS)]
                for server in range(2)
            ]
            for account in self._at_dovecot:
                self._dovecot.add_user(account.name, PASSWORD)
                self._dovecot.fill(account.name, [])  # makes its Maildir, before Dovecot does
            self._servers = [
                stack.enter_context(
                    running_server(
                        [ServedMaildrop(account.name, PASSWORD) for account in accounts],
                        policy=ServerPolicy(pipelining=number == 0),
                        keep_dialogue=False,
                    )
                )
                for number, accounts in enumerate(self._at_servers)
            ]
            self._configure()
            process = stack.enter_context(self.site.running())
            # until its first session, SIGHUP may end it
            wait_for(self._has_logged_in, "the first login")
            self._disturb(process)
            self._settle(process)
            process.send(signal.SIGTERM)
            exit_code = process.ended()
        return self._count(exit_code)

    # --- the world ----------------------------------------------------------------------------------------------------

    def _configure(self) -> None:
        clients = []
        for account in self._accounts:
            inside = account.destination.inside
            recip = BOTH if isinstance(account.destination, LmtpPlace) else f"{account.name}@soak.test"
            clients.append(client(account.name, self._address(account), freq="1s", inside=inside, recip=recip))
        more = f'<concurrency total="64" perserver="20"/>{directory(self.site.top)}'
        self.site.configure(*clients, timeout="5s", more=more, transcript=False, trace="warning")

    def _address(self, account: Account) -> str:
        for server, accounts in zip(self._servers, self._at_servers, strict=True):
            if account in accounts:
                return server.address
        return f"{self._dovecot.host}:{self._dovecot.port}"

    def _has_logged_in(self) -> bool:
        return any(box.logins for server in self._servers for box in server.server.maildrops.values())

    def _disturb(self, process: Program) -> None:
        """Send mail and cause faults until the time is up."""
        end = time.monotonic() + self._seconds
        restart = time.monotonic() + self._dice.uniform(3, 8)
        while time.monotonic() < end:
            assert process.running, self.site.said[-3000:]
            for account in self._dice.sample(self._accounts, 10):
                self._send(account, self._dice.randint(1, 4))
            for server, accounts in zip(self._servers, self._at_servers, strict=True):
                server.call(partial(self._misbehave, server, accounts))
            for account in self._accounts:
                if not account.destination.can_tell and self._dice.random() < 0.05:
                    account.destination.obstruct()  # for one message
                    self.events["message refused by its destination"] += 1
            if time.monotonic() > restart:
                self._dovecot.restart()
                self.events["Dovecot restarted"] += 1
                restart = time.monotonic() + self._dice.uniform(5, 20)
            match self._dice.randrange(12):
                case 0:
                    process.send(signal.SIGHUP)
                    self.events["configuration read again"] += 1
                case 1:
                    process.send(signal.SIGSTOP)
                    process.send(signal.SIGCONT)
                    self.events["stopped and continued"] += 1
            self._samples.append(sample(process.pid))
            time.sleep(0.25)

    def _send(self, account: Account, count: int) -> None:
        messages = []
        for _ in range(count):
            self._number += 1
            size = self._dice.choice((10, 500, 500, 4000, 4000, 30_000, 200_000))
            line = b"%d " % self._number + b"s" * 70 + b"\r\n"
            header = b"Message-ID: <%d@soak.test>\r\nFrom: s@soak.test\r\n\r\n" % self._number
            messages.append(header + line * (size // len(line) + 1))
        account.sent += messages
        self.events["messages"] += count
        for server, accounts in zip(self._servers, self._at_servers, strict=True):
            if account in accounts:
                maildrop = self._maildrop(server, account)
                server.call(partial(_add, maildrop, messages))
                return
        self._dovecot.fill(account.name, messages)

    @staticmethod
    def _maildrop(server: RunningServer, account: Account) -> ServedMaildrop:
        return server.server.maildrops[account.name]

    def _misbehave(self, server: RunningServer, accounts: list[Account]) -> None:
        """Change the faults. Called in the server's thread."""
        faults = Faults()
        account = self._dice.choice(accounts)
        listed = [message.uid for message in self._maildrop(server, account).messages]
        for uid in listed[:2]:
            self._harmed[account.name, uid] += 1
            if self._harmed[account.name, uid] > 2:  # what failed three times rests for a day
                continue
            kind = self._dice.choice(["refuse", "cut", "stall", "nothing", "nothing"])
            self.events[f"message: {kind}"] += 1
            if kind == "refuse":
                faults.refuse.add(uid)
            elif kind == "cut":
                faults.cut[uid] = self._dice.randrange(2000)
            elif kind == "stall":
                faults.stall_within[uid] = self._dice.randrange(2000)
        if self._dice.random() < 0.2:
            # not KEEP: each deletion would be reported again until the fault ends
            faults.quit = self._dice.choice([each for each in QuitFault if each is not QuitFault.KEEP])
            self.events[f"QUIT: {faults.quit.value}"] += 1
        if self._dice.random() < 0.1:
            verb = self._dice.choice(["GREETING", "PASS", "STAT", "UIDL", "DELE", "QUIT"])
            faults.answers[verb] = self._dice.choice([b"gibberish\r\n", b"-ERR [SYS/TEMP] later\r\n"])
            self.events[f"wrong answer to {verb}"] += 1
        server.server.faults = faults

    # --- afterwards ---------------------------------------------------------------------------------------------------

    def _settle(self, process: Program) -> None:
        """End all faults, and wait until only messages are left that rest after three failures."""
        for server in self._servers:
            server.call(partial(setattr, server.server, "faults", Faults()))
        deadline = time.monotonic() + SETTLING
        while left := self._left():
            assert process.running, self.site.said[-3000:]
            lines = re.findall(r"(\w+): message \d+ \(([^)]*)\) stays on the server: failed 3 times", self._news())
            resting = Counter(account for account, _ in set(lines))
            if left <= resting:  # otherwise some are delivered, and are about to be deleted
                self.events["message rests for a day"] = left.total()
                break
            assert time.monotonic() < deadline, f"left on the servers: {left}\n{self._news()[-3000:]}"
            time.sleep(0.2)
        self._rest = left

    def _news(self) -> str:
        """The end of the program's log: every client has had a session since it began."""
        return self.site.trace()[-50_000:]

    def _left(self) -> Counter[str]:
        """The number of messages that each account has on its server."""
        left = Counter({account.name: self._dovecot.count(account.name) for account in self._at_dovecot})
        for server, accounts in zip(self._servers, self._at_servers, strict=True):
            left.update({account.name: len(self._maildrop(server, account).messages) for account in accounts})
        return +left

    def _count(self, exit_code: int) -> Verdict:
        missing = twice = unfinished = 0
        for account in self._accounts:
            found = account.destination.look()
            copies = [account.destination.as_stored(message) for message in account.sent]
            sent = Counter(chain.from_iterable(copies))
            lost = sent - found
            missing += sum(any(lost[copy] for copy in each) for each in copies) - self._rest[account.name]
            twice += (found - sent).total()
            for message in found - sent:
                number = re.search(rb"<(\d+)@soak", message)
                self.details.append(f"{account.name}: message {number[1].decode() if number else '?'} came twice")
            unfinished += len(account.destination.unfinished())
        lines = [re.search(r"MsgID=(\d+)@soak\.test;.*?( \(recovered\))?$", line) for line in self.site.audit()]
        assert all(lines)
        audited = Counter(line[1] for line in lines if line)
        unmarked = Counter(line[1] for line in lines if line and not line[2])
        return Verdict(
            sent=self._number,
            missing=missing,
            twice=twice,
            unfinished=unfinished,
            unaudited=self._number - self._rest.total() - len(audited),
            audited_twice=sum(count > 1 for count in unmarked.values()),
            exit_code=exit_code,
            samples=tuple(self._samples),
            events=self.events,
            details=tuple(self.details),
        )


def _add(maildrop: ServedMaildrop, messages: list[bytes]) -> None:
    for each in messages:
        maildrop.add(each)


def sample(pid: int) -> Sample:
    """The resources that a process uses now."""
    status = Path(f"/proc/{pid}/statm").read_text()
    return Sample(int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE"), len(os.listdir(f"/proc/{pid}/fd")))
