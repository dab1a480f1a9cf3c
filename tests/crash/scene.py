"""A maildrop that is retrieved by processes that are killed again and again; then the messages are counted."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from tests.crash.calls import killing
from tests.crash.cases import Case, Keeping, Kind, Server
from tests.crash.mails import mails
from tests.program.account import Account, EmbeddedAccount, embedded_account
from tests.program.destination import MEMBERS, Place, place_of
from tests.program.process import Program
from tests.program.relay import Relay, RelayThread
from tests.program.site import Site, client
from tests.program.steps import ANY, Orders
from tests.support.waiting import PATIENCE
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import MessageState, Record

#: Of a remote delivery, the line ends with the reply of the server or the command.
_AUDITED = re.compile(
    r"MsgID=(\d+@crash\.test); Size=\d+; Sender=k@crash\.test(?:; Reply=.*|; UID=[\d:]+)?( \(recovered\))?$"
)
RECIP = "me@crash.test"
#: An alias for the recipients of LMTP.
BOTH = "both@crash.test"
#: They never kill.
_NO_ORDERS = Orders(ANY, 0)


class Scene:
    """One case: its site, its account, its destination, and the history of its runs.

    With `relay` the client connects through it.
    """

    def __init__(
        self,
        top: Path,
        case: Case,
        account: Account,
        place: Place,
        count: int,
        relay: RelayThread | None = None,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`environ`: further variables of the program's environment."""
        self.case = case
        self._environ = environ
        self.site = Site(top)
        self.place = place
        self.kills = 0
        #: How each run went, to understand a failure.
        self.history: list[str] = []
        self._account = account
        self._relay = relay
        self._sent: list[bytes] = []
        self._expected = Counter[bytes]()  # as they are stored
        self._interrupted: dict[int, str] = {}  # records that were between their two commits at a kill: Message-IDs
        self.add(count)
        if case.server is Server.NO_UIDL:  # two equal messages are two
            self._send([self._sent[1]])
        preserve, newonly = case.keeping.value
        self.site.configure(
            client(
                "me",
                f"{account.host}:{account.port if relay is None else relay.port}",
                user=account.name,
                inside=place.inside,
                recip=BOTH if case.kind is Kind.LMTP else RECIP,
                preserve=preserve,
                newonly=newonly,
            ),
            transcript=False,
            more=directory(top),
        )

    def add(self, count: int) -> None:
        """Let `count` messages arrive on the server."""
        self._send(mails(count, first=len(self._sent)))

    def _send(self, messages: list[bytes]) -> None:
        self._account.add(messages)
        self._sent += messages
        self._expected.update(chain.from_iterable(map(self.place.as_stored, messages)))

    # --- running it ---------------------------------------------------------------------------------------------------

    def killed(self, orders: Orders, *, after: float | None = None) -> bool:
        """Run it under orders and check the result; return whether it was killed, and not ended by itself.

        `after`: it does not kill itself, but is killed this number of seconds after the ordered step.
        """
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb", buffering=0) as told:
            tell = None if after is None else writing
            with self._running(replace(orders, tell=tell), keep=[writing]) as program:
                os.close(writing)
                if after is not None and select.select([told], [], [], PATIENCE)[0] and told.read(1):
                    time.sleep(after)
                    program.send(signal.SIGKILL)
                return self._ended(program, f"{orders}{'' if after is None else f', and {after * 1000:.1f} ms'}")

    def killed_by(self, arrange: Callable[[Callable[[], None]], object], what: str) -> bool:
        """Run it. `arrange` gets a function that kills it, and has it called at some moment."""
        with self._running(_NO_ORDERS) as program:
            arrange(partial(program.send, signal.SIGKILL))  # it takes long to connect, compared with this
            return self._ended(program, what)

    def killed_at_call(self, nth: int) -> bool:
        """Run it, killed in place of a thread's nth call that would change the disk; return whether it was killed."""
        with self._running(_NO_ORDERS, wrapper=killing(nth)) as program:
            return self._ended(program, f"system call {nth}")

    def _running(
        self, orders: Orders, *, wrapper: Iterable[str] = (), keep: Iterable[int] = ()
    ) -> AbstractContextManager[Program]:
        self._last.unlink(missing_ok=True)
        return self.site.running(
            "--once", steps=replace(orders, last=self._last), wrapper=wrapper, environ=self._environ, keep=keep
        )

    def _ended(self, program: Program, what: str) -> bool:
        code = program.ended()
        assert code in (0, -signal.SIGKILL), program.said
        killed = code != 0
        self.kills += killed
        self.history.append(f"{what}: {f'killed, last was {self.last_step}' if killed else f'ended with {code}'}")
        self.look()
        return killed

    @property
    def last_step(self) -> str:
        """The last step of the last process."""
        return self._last.read_text().strip() if self._last.exists() else "none"

    @property
    def _last(self) -> Path:
        return self.site.top / "last-step"

    # --- looking at it ------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Check, while no process runs, that all arrived messages are complete and none has arrived twice."""
        if self._relay is not None:
            self._relay.call(self._relay.relay.cut)
        self._account.wait_until_free()
        assert set(self.place.look()) <= set(self._expected), "what has arrived was never sent, or is not whole"
        interrupted = {record.id: record.identity.message_id or "" for record in self.interrupted()}
        self._interrupted |= interrupted
        if not self.place.can_tell:
            assert len(interrupted) <= 1, "more than one message was in flight"
        for message, times in self.again().items():
            assert times <= self._pardoned(message), f"come twice: {message[:100]!r}"

    def _pardoned(self, message: bytes) -> int:
        """How often a message may arrive again: if recovery cannot look it up, once for each kill while in flight."""
        return 0 if self.place.can_tell else list(self._interrupted.values()).count(id_of(message))

    def again(self) -> Counter[bytes]:
        """Messages that have arrived too often, each with the number of surplus copies."""
        return self.place.look() - self._expected

    def interrupted(self) -> list[Record]:
        """The records between their two commits. A copy of the journal is read, so that the journal is not changed."""
        return [record for record in self._records() if record.state is MessageState.DELIVERING]

    def _records(self) -> list[Record]:
        if not self.site.journal.exists():
            return []
        copy = self.site.top / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for suffix in ("", "-wal"):
            if (file := Path(f"{self.site.journal}{suffix}")).exists():
                shutil.copy(file, copy / file.name)
        journal = Journal.open(str(copy / self.site.journal.name))
        try:
            return journal.records(1)
        finally:
            journal.close()

    @property
    def done(self) -> bool:
        """Whether a further run would retrieve everything again: with preserve, after a session ended with QUIT."""
        if self.case.keeping is not Keeping.ALL:
            return False
        records = self._records()
        if self.case.server is Server.NO_UIDL:  # at that end they are forgotten; in doubt, the only one is, too
            return not records and not self.lost()
        return any(record.quit_confirmed for record in records)

    def finish(self, *, forgotten: Collection[str] = ()) -> None:
        """Run it once more, undisturbed, and count.

        `forgotten`: Message-IDs that recovery must have found undelivered, so that they were retrieved again.
        """
        if not self.done:
            assert self.site.once(environ=self._environ).code == 0, self.site.said[-3000:]
            self.look()
        assert self.lost() == Counter()
        assert self.place.unfinished() == []
        assert self._account.remaining() == (0 if self.case.keeping is Keeping.NOTHING else len(self._sent))
        assert self.interrupted() == []
        self._check_audit(forgotten)

    def lost(self) -> Counter[bytes]:
        """The messages that have not arrived."""
        return self._expected - self.place.look()

    def _check_audit(self, forgotten: Collection[str]) -> None:
        """Each delivery has one line. If it was interrupted and had arrived, the line is marked as recovered."""
        plain, recovered = Counter[str](), Counter[str]()
        torn = []  # a kill may cut a write short; that message is recovered, and gets another line
        for line in self.site.audit():
            match = _AUDITED.search(line)
            if match:
                (recovered if match[2] else plain)[match[1]] += 1
            else:
                torn.append(line)
        assert len(torn) <= self.kills, torn
        sent = Counter(map(id_of, self._sent))
        if self.place.can_tell:
            assert plain <= sent, "two lines for one delivery"
            assert sent - plain <= recovered, "no line for a delivery"
            found = set(self._interrupted.values()) - set(forgotten)
            # A server that is asked may not have it: then it was sent again.
            assert set(recovered) <= found if self.case.kind is Kind.IMAP else set(recovered) == found
        else:
            assert sent <= plain <= sent + Counter(self._interrupted.values())
            assert not recovered

    def report(self, record: Callable[[str, object], None]) -> None:
        """Record the figures."""
        again = self.again().total()
        record("kills", self.kills)
        record("messages sent", len(self._sent))
        record("messages lost", self.lost().total())
        record("messages twice in a Maildir, a folder or an IMAP server", again if self.place.can_tell else 0)
        record("messages twice by SMTP or a command, in flight when killed", 0 if self.place.can_tell else again)


def directory(top: Path) -> str:
    """Write the files of the alias BOTH; return their configuration."""
    domains, aliases = top / "domains", top / "aliases"
    domains.write_text("crash.test\n")
    aliases.write_text(f"{BOTH} : {' : '.join(MEMBERS)}\n")
    return f"<directory><domains>{domains}</domains><aliases>{aliases}</aliases></directory>"


def id_of(message: bytes) -> str:
    return message[len("Message-ID: <") : message.index(b">")].decode()


@contextmanager
def staged(
    top: Path, case: Case, count: int, environ: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[Scene, EmbeddedAccount]]:
    """A scene with the embedded server."""
    with embedded_account(case.server) as account, place_of(case.kind, top) as place:
        yield Scene(top, case, account, place, count, environ=environ), account


@contextmanager
def relayed(
    top: Path, case: Case, account: Account, count: int, environ: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[Scene, RelayThread]]:
    """A scene with a relay between client and server."""
    with place_of(case.kind, top) as place, RelayThread(Relay(account.host, account.port)) as relay:
        yield Scene(top, case, account, place, count, relay, environ), relay
