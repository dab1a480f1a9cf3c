"""A configuration with its folders. It is run in this process or in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar
from xml.sax.saxutils import escape, quoteattr

import trio

from tests.program.process import Done, Program, started
from tests.program.steps import Orders
from tests.support.passwords import MARK
from tests.support.waiting import PATIENCE
from tui_popretr.bus import Bus, Subscriber
from tui_popretr.config.model import Settings
from tui_popretr.config.reader import load
from tui_popretr.engine.service import Engine, connect_tcp
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Fact, SessionResult
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Record
from tui_popretr.session.setup import Connector

PASSWORD = f"{MARK}:b ö %u {{PLAIN}} #1"

F = TypeVar("F")


def client(
    name: str,
    address: str,
    *,
    user: str | None = None,
    password: str = PASSWORD,
    auth: str = "",
    initrsp: bool = False,
    ssl: str = "",
    inside: str = "",
    **attributes: str,
) -> str:
    """Return a <client> whose id and recip are `name`, with freq="0". Without `user` the user is `name`.

    `ssl` is the whole <ssl> element, `inside` the other contents of the client.
    """
    attributes = {"id": name, "recip": name, "freq": "0", **attributes}
    authtypes = f'<authtypes initrsp="{"NY"[initrsp]}">{auth}</authtypes>' if auth else ""
    username = name if user is None else user
    login = f"<username>{escape(username)}</username><password>{escape(password)}</password>" if username else ""
    return (
        f"<client {' '.join(f'{key}={quoteattr(value)}' for key, value in attributes.items())}>"
        f'<server address="{address}">{login}{authtypes}</server>{ssl}{inside}</client>'
    )


@dataclass
class Run:
    """The results of a run in this process."""

    exit_code: ExitCode
    results: dict[str, SessionResult]
    facts: list[Fact] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)  # of the subscribers

    def of(self, kind: type[F]) -> list[F]:
        """The facts of one kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]


class Site:
    """A configuration in a folder of its own, with the files that the program writes there."""

    def __init__(self, top: Path) -> None:
        top.mkdir(parents=True, exist_ok=True)
        self.top = top
        self.path = top / "retrieve.xml"
        self.audit_log = top / "audit.log"
        self.transcript_log = top / "transcript.log"
        self.trace_log = top / "trace.log"
        self.journal = top / "var" / "popretr.sqlite"
        self._files: list[Path] = []  # standard error of each process

    def configure(
        self,
        *clients: str,
        timeout: str = "30s",
        more: str = "",
        audit: Path | None = None,
        transcript: bool = True,
        trace: str = "trace",
    ) -> None:
        """Write the configuration. `audit` is the path as the program sees it; without `trace`, none is written."""
        log = f"<transcript flush='0'>{self.transcript_log}</transcript>" if transcript else ""
        traced = f"<trace flush='0' level='{trace}'>{self.trace_log}</trace>" if trace else ""
        self.path.write_text(
            f"<pop3download><audit>{audit or self.audit_log}</audit>{log}{traced}"
            f"<timeout>{timeout}</timeout><delay_start>0</delay_start>{more}"
            f"<clients>{''.join(clients)}</clients></pop3download>"
        )
        self.path.chmod(0o600)

    def settings(self) -> Settings:
        """Read the configuration; it must be right."""
        loaded = load(str(self.path))
        assert loaded.settings is not None, loaded.problems
        return loaded.settings

    # --- running it ---------------------------------------------------------------------------------------------------

    def engine(self, *subscribers: Subscriber, connector: Connector = connect_tcp) -> tuple[Engine, Run]:
        """Return an engine, and the Run that is filled while it runs."""
        run = Run(ExitCode.OK, {})

        bus = Bus(lambda _, problem: run.failures.append(problem))
        for each in (run.facts.append, *subscribers):
            bus.subscribe(each)
        return Engine(self.settings(), bus, connector=connector), run

    def run(self, connector: Connector = connect_tcp) -> Run:
        """Run in this process until all clients have done their runs."""
        return trio.run(partial(self.arun, connector=connector))

    async def arun(self, *subscribers: Subscriber, connector: Connector = connect_tcp) -> Run:
        """Do the same as run(), for tests that do something else at the same time."""
        engine, run = self.engine(*subscribers, connector=connector)
        with trio.fail_after(PATIENCE * 2):
            await engine.run()
        assert run.failures == []
        run.exit_code, run.results = engine.exit_code, engine.results
        return run

    @contextmanager
    def running(
        self,
        *arguments: str,
        steps: Orders | None = None,
        wrapper: Iterable[str] = (),
        environ: Mapping[str, str] | None = None,
        stderr: int | None = None,
        keep: Iterable[int] = (),
    ) -> Iterator[Program]:
        """Start a process that runs this configuration without a dashboard, as started() does."""
        file = self.top / f"stderr-{len(self._files)}"
        self._files.append(file)
        command = (str(self.path), "--headless", *arguments)
        with started(
            *command, steps=steps, wrapper=wrapper, environ=environ, stderr=stderr, keep=keep, file=file
        ) as program:
            yield program

    def once(
        self,
        *arguments: str,
        steps: Orders | None = None,
        wrapper: Iterable[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Done:
        """Run every client once in a process of its own."""
        with self.running("--once", *arguments, steps=steps, wrapper=wrapper, environ=environ) as program:
            return program.finish()

    @property
    def said(self) -> str:
        """The standard error of all processes so far."""
        return "".join(file.read_text(encoding="utf-8") for file in self._files)

    # --- results ------------------------------------------------------------------------------------------------------

    def maildir(self, recip: str) -> Path:
        """The Maildir of a recip in the message store."""
        return self.top / "var" / "ms" / recip / "Maildir"

    def mailbox(self, recip: str) -> list[bytes]:
        """The messages in new and cur of a recip's Maildir."""
        return [path.read_bytes() for sub in ("new", "cur") for path in sorted(self.maildir(recip).glob(f"{sub}/*"))]

    def audit(self) -> list[str]:
        """The audit lines, without banners."""
        text = self.audit_log.read_text() if self.audit_log.exists() else ""
        return [line for line in text.splitlines() if " Downloaded " in line]

    def transcript(self) -> str:
        return self.transcript_log.read_text()

    def trace(self) -> str:
        return self.trace_log.read_text() if self.trace_log.exists() else ""

    def records(self) -> list[Record]:
        """All records of messages in the journal."""
        journal = Journal.open(str(self.journal))
        try:
            count = journal._connection.execute("SELECT max(id) FROM maildrop").fetchone()[0] or 0
            return [record for maildrop in range(1, count + 1) for record in journal.records(maildrop)]
        finally:
            journal.close()


def without_received(message: bytes) -> bytes:
    """Return a delivered message without the Received header that it must begin with."""
    match = re.match(rb"Received: from [^\r\n]+\r?\n\tby [^\r\n]+\r?\n\tfor [^\r\n]+\r?\n", message)
    assert match, message[:300]
    return message[match.end() :]
