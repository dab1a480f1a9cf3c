"""A session of the program as the engine has it: up to two connections, and a row of history."""

from __future__ import annotations

from collections.abc import Iterator

from tests.journal.model_connection import Connection
from tests.journal.model_disk import Step
from tests.journal.model_errand import BrokenError, Errand, Tally
from tests.journal.model_program import Program
from tui_popretr.errors import ConnectionCut, ExitCode, JournalError, PopretrError
from tui_popretr.journal.records import SessionRow


class Session:
    """One session; run() goes on at each next(), so that several can be under way."""

    def __init__(self, program: Program, errand: Errand, number: int) -> None:
        self.number = number
        self.tally = Tally()
        self._errand = errand
        self._program = program
        self._ledger = program.ledger
        self._records = program.records[errand.account]
        self._connection: Connection | None = None

    def run(self) -> Iterator[None]:
        """Run to the end; what went wrong is in the tally."""
        start = self._ledger.clock.now
        try:
            yield from self._connections()
        except PopretrError as problem:
            self.tally.problem = problem
        except OSError as problem:  # of the audit log
            self.tally.problem = PopretrError(f"internal error: {problem}")
        self.cut()
        if self._program.sound:
            self._record(start)

    def cut(self) -> None:
        """The connection is no more, whoever ended it."""
        if self._connection is not None:
            self._connection.cut()

    def _connections(self) -> Iterator[None]:
        broke: set[str] = set()
        account = self._ledger.accounts[self._errand.account]
        while True:
            sink = self._program.open_maildrop(account, self._errand.port)
            self._program.disk.step(Step.SPEAK)
            self._connection = Connection(self._program, self._errand, self.number, broke, self.tally)
            try:
                yield from self._connection.run(sink)
            except BrokenError as broken:
                self._connection.troubles.blame(broken.suspect)
                if broke:
                    raise ConnectionCut("the connection was cut") from None
                broke.add(broken.suspect.failure_key)
                yield
            else:
                return

    def _record(self, start: int) -> None:
        problem, now = self.tally.problem, self._ledger.clock.now
        code = problem.exit_code if problem else ExitCode.OK
        told = f"session {self.number}: {problem or 'well'}"
        row = SessionRow(self._records.client, start, now, code, self.tally.delivered, self.tally.octets, told)
        self._records.ended(row, surely=False)
        try:
            self._program.journal.record_sessions([row])
        except JournalError:
            return
        self._records.ended(row, surely=True)
