"""Processes of the program: the real engine, against servers in memory, with a ledger that watches its journal.

The ledger is informed twice of each write to the journal: before it, when it may become durable, and after the COMMIT,
when it is durable (`surely`). Plans, DELEs and results of sessions are judged when they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, ClassVar
from unittest.mock import patch

import trio
from trio.testing import MockClock

from tests.journal.model_choices import Errand, Round
from tests.journal.model_disk import Disk, Happening, Killed
from tests.journal.model_dues import Dues
from tests.journal.model_ledger import Account, Ledger
from tests.journal.model_records import Records
from tests.support.making import engine_settings, server_settings
from tests.support.popserver import PopServer, QuitFault, ServerPolicy
from tests.support.streams import MemoryStream, memory_connection
from tests.support.worlds import disk_without_threads
from tui_popretr.bus import Bus
from tui_popretr.commands import Reload, Shutdown
from tui_popretr.commit import recovery
from tui_popretr.commit.lookup import look_up
from tui_popretr.config.account import Server
from tui_popretr.config.model import ClientSettings
from tui_popretr.delivery import names
from tui_popretr.engine import service
from tui_popretr.engine.logfiles import LogFiles
from tui_popretr.engine.service import Engine
from tui_popretr.errors import PopretrError
from tui_popretr.facts import ClientsChanged, Fact, SessionClosed, SessionStarted
from tui_popretr.journal import thread
from tui_popretr.journal.journal import NONE_ACCEPTED, Journal
from tui_popretr.journal.records import DeliveredMark, Maildrop, MessageState, NewRecord, Record, SessionRow
from tui_popretr.session import maildrop
from tui_popretr.session.maildrop import MaildropJournal
from tui_popretr.session.plan import Listed, Plan, Policy

HOSTS = {110: "Pop.{}.example.test", 995: "pop.{}.Example.test"}


class WatchedJournal(Journal):
    """The real journal, which reports its writes to the ledger."""

    program: ClassVar[Program]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._durable: list[Callable[[], object]] = []
        self.program.journal = self

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            with super().transaction():
                yield
        except BaseException:
            self._durable.clear()
            raise
        durable, self._durable = self._durable, []
        with self.program.judging():
            for report in durable:
                report()

    def _report(self, report: Callable[..., object], *arguments: Any) -> None:
        with self.program.judging():
            report(*arguments, surely=False)
        self._durable.append(partial(report, *arguments, surely=True))

    def maildrop(self, key: Maildrop) -> int:
        number = super().maildrop(key)
        (records,) = [each for each in self.program.records if key.destination.endswith(str(each.account.path))]
        self._report(records.opened, number)
        return number

    def next_id(self) -> int:
        number = super().next_id()
        with self.program.judging():
            assert number not in self.program.ids
            self.program.ids.add(number)
        return number

    def commit(self, delivering: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
        with self.program.judging():
            for record in delivering:
                self.program.ledger.delivering(self.program.of(record.maildrop).account, record)
        self._report(self.program.note_commit, [each.id for each in delivering], [each.id for each in delivered])
        super().commit(delivering, delivered)

    def withdraw(self, ids: Collection[int], accepted: Mapping[int, Collection[str]] = NONE_ACCEPTED) -> None:
        for each in ids:
            self.program.ledger.deliveries[each].withdrawn = True
        super().withdraw(ids, accepted)

    def mark_delete_pending(self, ids: Collection[int]) -> None:
        self._report(self.program.ledger.own, ids)
        super().mark_delete_pending(ids)

    def mark_seen(self, maildrop: int, uids: Collection[str], *, now: int = 0) -> int:
        known = {record.uid for record in self.records(maildrop, deleted=False)}
        self.program.of(maildrop).mark(set(uids) - known)
        return super().mark_seen(maildrop, uids, now=now)

    def close_session(
        self, maildrop: int, *, deleted: Sequence[int], listed: Collection[str] | None, **how: Any
    ) -> None:
        self._report(self.program.note_close, self.program.of(maildrop), deleted, listed)
        super().close_session(maildrop, deleted=deleted, listed=listed, **how)

    def count_failures(self, maildrop: int, failures: Any, now: int) -> None:
        self._report(self.program.of(maildrop).failed, [each[0] for each in failures])
        super().count_failures(maildrop, failures, now)

    def clear_failures(self, maildrop: int, keys: Any) -> None:
        self._report(self.program.of(maildrop).overcome, keys)
        super().clear_failures(maildrop, keys)

    def record_sessions(self, rows: Sequence[SessionRow]) -> None:
        for row in rows:
            self._report(self.program.records[int(row.client[-1])].ended, row)
        super().record_sessions(rows)


class Program:
    """Runs processes one after the other, and the servers of both accounts."""

    def __init__(self, disk: Disk, ledger: Ledger, records: list[Records]) -> None:
        self.disk = disk
        self.ledger = ledger
        self.records = records
        self.servers = [PopServer([each.account.drop], clock=lambda: ledger.clock.true) for each in records]
        self.journal: WatchedJournal | None = None
        self.ids: set[int] = set()  # of this process
        self.verdicts: list[BaseException] = []
        self.log: list[str] = []
        self._processes = 0
        self._settings = engine_settings(disk.var)
        self._errands: dict[int, Errand] = {}
        self._runs = 0
        self._disk_seconds = 0.0
        WatchedJournal.program = self

    # --- a process ----------------------------------------------------------------------------------------------------

    def run(self, rounds: Sequence[Round], end: Happening | None, prepare: Callable[[Round], None]) -> None:
        """Run a process of these rounds. With `end` it is killed after them."""
        self.log = []
        with self.watched():
            try:
                trio.run(self._process, rounds, end, prepare, clock=MockClock(autojump_threshold=0))
            except BaseException as problem:
                if not self.disk.dead and not self.verdicts:
                    raise
                self.log.append(f"ended by {problem!r}"[:200])
        if self.verdicts:
            raise self.verdicts[0]
        assert [failure for server in self.servers for failure in server.failures] == []
        for each in self.records:
            each.account.drop.locked = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch the disk and the journal during the block, as those of a new process."""
        self._processes += 1
        self.ids.clear()
        self.journal = None

        def look_up_watched(*arguments: Any) -> Any:
            with self.judging():
                self.ledger.recovering()
            return look_up(*arguments)

        with ExitStack() as patches:
            for owner, name, value in (
                (names, "PROCESS_TOKEN", f"{self._processes:08x}"),
                (thread, "Journal", WatchedJournal),
                (maildrop, "Journal", WatchedJournal),
                (recovery, "look_up", look_up_watched),
                (service, "unsafe_folders", lambda settings: []),
                (LogFiles, "audit", lambda _, lines: self.ledger.write_audit(lines)),
                (LogFiles, "audited", True),
                (MaildropJournal, "plan", self._watched_plan(MaildropJournal.plan)),
            ):
                patches.enter_context(patch.object(owner, name, value))
            patches.enter_context(disk_without_threads(lambda: self._disk_seconds))
            patches.enter_context(self.disk.in_use())
            yield

    async def _process(self, rounds: Sequence[Round], end: Happening | None, prepare: Callable[[Round], None]) -> None:
        clock = self.ledger.clock
        clock.running = trio.current_time
        self._started = trio.Event()
        streams: list[MemoryStream] = []
        try:
            async with trio.open_nursery() as servers:
                try:
                    async with trio.open_nursery() as nursery:
                        self.disk.on_kill = nursery.cancel_scope.cancel
                        engine = self._engine(servers, streams)
                        nursery.start_soon(self._run_engine, engine, nursery)
                        await self._rounds(engine, rounds, end, prepare)
                except BaseException:
                    if not self.disk.dead:
                        servers.cancel_scope.cancel()
                        raise
                for stream in streams:
                    stream.close()
        finally:
            elapsed, clock.running = trio.current_time(), lambda: 0.0
            clock.seconds += elapsed

    async def _run_engine(self, engine: Engine, nursery: trio.Nursery) -> None:
        try:
            await engine.run()
        except (PopretrError, OSError) as problem:
            self.log.append(f"not started: {problem}")
        nursery.cancel_scope.cancel()

    async def _rounds(
        self, engine: Engine, rounds: Sequence[Round], end: Happening | None, prepare: Callable[[Round], None]
    ) -> None:
        await self._started.wait()
        for each in rounds:
            prepare(each)
            self._errands = {errand.account: errand for errand in each.errands}
            self._open, closed = len(each.errands), trio.Event()
            self._all_closed = closed.set
            self._settings = engine_settings(self.disk.var, *[self._client(errand) for errand in each.errands])
            self._disk_seconds = each.disk_seconds
            self.disk.arm(each.happenings)
            engine.perform(Reload())
            with trio.fail_after(1000):
                await closed.wait()
            with self.judging():
                self.check()
        if end is not None:
            self.disk.power_cut = end is Happening.POWER_CUT
            self.disk.kill()
        engine.perform(Shutdown())

    def _engine(self, servers: trio.Nursery, streams: list[MemoryStream]) -> Engine:
        async def connect(server: Server, timeout: float) -> MemoryStream:
            account = self.records[int(server.host.split(".")[1])].account
            await trio.sleep(self._errands[account.number].after)
            near, far = memory_connection(on_send=partial(self._on_send, account))
            streams.append(near)
            account.connections += 1
            servers.start_soon(self.servers[account.number].serve_stream, far)
            return near

        engine = Engine(
            engine_settings(self.disk.var),
            Bus(lambda _, failure: self.verdicts.append(failure)),
            clock=self.ledger.clock,
            connector=connect,
            reloader=lambda: self._settings,
            until_done=False,
        )
        engine.subscribe(self._on_fact)
        return engine

    def _client(self, errand: Errand) -> ClientSettings:
        """Return unique settings: a client whose settings have changed runs at once."""
        account = self.records[errand.account].account
        drop, server = account.drop, self.servers[errand.account]
        drop.rash, drop.faults.quit = errand.rash, errand.farewell
        server.policy = ServerPolicy(uidl=account.uidl, top=account.top, pipelining=account.pipelining)
        self._runs += 1
        return ClientSettings(
            f"client {errand.account}",
            f"run {self._runs}",
            server_settings(HOSTS[errand.port].format(errand.account), errand.port, drop.name),
            account.destination,
            frequency=0.0,
            runs=1,
            retention=errand.retention,
            omit_received=True,
        )

    # --- judgement ----------------------------------------------------------------------------------------------------

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Keep a failed check: the program would handle it as a defect of its own, and go on."""
        try:
            yield
        except Exception as verdict:
            self.verdicts.append(verdict)
            raise

    def of(self, maildrop: int) -> Records:
        (found,) = [each for each in self.records if each.maildrop == maildrop]
        return found

    def check(self) -> None:
        """Check all invariants between two rounds."""
        self.ledger.look()
        self.ledger.check()
        if self.journal is not None and not self.journal.broken:
            for records in self.records:
                records.check(self.journal)

    def note_commit(self, delivering: Collection[int], delivered: Collection[int], *, surely: bool) -> None:
        for each in delivering:
            self.ledger.deliveries[each].recorded |= surely
        for each in delivered:
            delivery = self.ledger.deliveries[each]
            delivery.surely_delivered |= surely
            if delivery.record.uid is not None:
                self.records[delivery.account.number].overcome([f"uid:{delivery.record.uid}"], surely=surely)

    def note_close(
        self, records: Records, deleted: Collection[int], listed: Collection[str] | None, *, surely: bool
    ) -> None:
        account, gone = records.account, [self.ledger.deliveries[each] for each in deleted]
        assert account.drop.quit_confirmed, "recorded as deleted, and QUIT was not answered +OK"
        self.ledger.closed(account, deleted, account.policy, surely=surely)
        records.closed(listed, {each.record.uid for each in gone if each.record.uid is not None}, surely=surely)
        for mail in account.drop.opened:
            mail.gone_unknown &= mail not in [each.mail for each in gone]

    def _watched_plan(self, plan: Callable[..., Any]) -> Callable[..., Any]:
        async def watched(
            session: MaildropJournal, maildrop: int, listing: list[Listed], policy: Policy, last: frozenset[str]
        ) -> Plan:
            records = self.of(maildrop)
            account, broke = records.account, session._failures.broke | session._failures.rejected
            account.uids, account.policy, account.dues = [each.uid for each in listing], policy, None
            if not listing:
                await plan(session, maildrop, listing, policy, last)
                return Plan()
            assert self.journal is not None
            recorded = self.journal.records(maildrop)
            for each in recorded:  # also of a transaction whose success was not reported
                if each.state not in (MessageState.SEEN, MessageState.DELIVERING):
                    delivery = self.ledger.deliveries[each.id]
                    delivery.surely_delivered = True
                    delivery.proven |= each.delete_pending and delivery.perhaps_owed
            known: dict[str | None, Record] = {each.uid: each for each in recorded if each.uid is not None}
            planned: Plan = await plan(session, maildrop, listing, policy, last)
            with self.judging():
                unfinished = [owner for owner, _ in self.journal.delivering()]
                assert maildrop not in unfinished, "an interrupted delivery was not looked up"
                records.clock_seconds = session.seconds
                account.dues = Dues(records, policy, known)
                account.dues.judge(planned, broke, last)
                account.dues.demand(account.drop.opened, listing)
            return planned

        return watched

    def _on_send(self, account: Account, data: bytes) -> None:
        if self.disk.dead:
            raise Killed
        with self.judging():
            for line in data.splitlines():
                if line.startswith(b"DELE "):
                    self.ledger.check_dele(account, int(line[5:]))

    def _on_fact(self, fact: Fact) -> None:
        if isinstance(fact, ClientsChanged):
            self._started.set()
        elif isinstance(fact, SessionStarted):
            account = self.records[int(fact.session.client[-1])].account
            account.session += 2
            account.connections, account.dues = 0, None
        elif isinstance(fact, SessionClosed):
            account, result = self.records[int(fact.session.client[-1])].account, fact.result
            self.log.append(f"{fact.session}: {result.error or 'well'}")
            assert "internal" not in result.error or "no room for the line" in result.error, result.error
            well = result.ok and not result.failed and account.connections == 1
            if well and account.dues is not None and account.drop.faults.quit is QuitFault.NONE:
                account.dues.check(account.session)
            self._open -= 1
            if not self._open:
                self._all_closed()
