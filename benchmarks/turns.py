"""One turn: maildrops as they were, a client with nothing in its state, its run measured, its mail verified."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from benchmarks.clients import Client, Task
from benchmarks.corpora import Corpus
from benchmarks.process import Spent, spend
from benchmarks.results import Turn
from benchmarks.store import Store
from benchmarks.terminal import BenchmarkFailed
from benchmarks.verify import Verdict, verify


class Course:
    """Where turns are taken: a server with a corpus, and a folder on the disk that is written to."""

    def __init__(self, store: Store, corpus: Corpus, folder: Path) -> None:
        self.corpus = corpus
        self._store = store
        self._home = folder / "run"
        self._expected: Mapping[str, str] = store.keep(corpus)

    def turn(self, row: str, client: Client, number: int, port: int, *, tls: bool) -> Turn:
        """Have a client retrieve everything from a port. Only its run is measured."""
        task = self._prepare(client, port, tls)
        command = client.prepare(task)
        watch = self._store.watch_sessions()
        os.sync()
        try:
            if client.spend is not None:
                spent = client.spend(task, watch)
            else:
                spent = spend(command, self._home, as_us=client.as_us, together=client.together)
        except BenchmarkFailed as failure:
            return Turn(row, client.name, number, 0.0, 0.0, 0, str(failure))
        found = verify(self._expected, map(task.maildir, self.corpus.names), self._store.left(self.corpus))
        problem = self._problem(spent, found)
        return Turn(row, client.name, number, spent.seconds, spent.cpu, spent.memory, problem, found.altered)

    def clear(self) -> None:
        """Remove the mail that was retrieved, and the corpus."""
        shutil.rmtree(self._home, ignore_errors=True)
        self._store.forget(self.corpus)

    def _prepare(self, client: Client, port: int, tls: bool) -> Task:
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(mode=0o755)
        task = Task(self._home, port, self.corpus.names, self._store.ca if tls else None)
        for account in self.corpus.names:
            for part in ("new", "cur", "tmp"):
                (task.maildir(account) / part).mkdir(mode=0o700, parents=True)
        self._store.reset(self.corpus)
        return task

    def _problem(self, spent: Spent, found: Verdict) -> str:
        told = [] if found.complete else [str(found)]
        if spent.exit_code:
            told.append(f"exit code {spent.exit_code}")
            said = self._home / "said"
            told += said.read_text(errors="replace").split("\n")[-4:-1] if said.exists() else []
        return "; ".join(told)
