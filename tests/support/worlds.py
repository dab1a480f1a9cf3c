"""Whole sessions in a small world: an engine, the embedded server as its peer, and a folder for mail and journal."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from unittest.mock import patch

import trio

from tests.support.making import changed_client
from tests.support.passwords import PASSWORD, discreet
from tests.support.popserver import STD, Faults, Message, PopServer, QuitFault, ServedMaildrop, ServerPolicy
from tests.support.streams import memory_connection
from tui_popretr.bus import Bus
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import AuthType, Eol
from tui_popretr.config.model import ClientSettings, Destination, LogSettings, MaildirDestination, Paths, Settings
from tui_popretr.config.reader import Loaded, load
from tui_popretr.config.sources import FromEnvironment, Literal
from tui_popretr.delivery import names
from tui_popretr.engine.service import Engine
from tui_popretr.facts import Dialogue, DialogueLine, Direction, Fact, SessionResult
from tui_popretr.journal import thread
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import MessageFailure, MessageState, Record
from tui_popretr.net.stream import Stream
from tui_popretr.secret import Secret

USER = "alice"
DAY = 24 * 3600.0

T = TypeVar("T")
F = TypeVar("F")
#: Called with each fact while a session runs; it may give the engine commands.
Watcher = Callable[[Engine, Fact], None]


def mail(name: object, body: bytes = b"") -> bytes:
    """A message that is like no other of another name, with CRLF line ends."""
    header = f"Message-ID: <{name}@example.test>\r\nDate: Mon, 23 Nov 2026 07:27:59 +0000\r\nSubject: {name}\r\n\r\n"
    return header.encode() + (body or f"the body of {name}\r\n".encode())


def load_text(folder: Path, text: str) -> Loaded:
    """What becomes of a configuration text, read as the program reads its file."""
    path = folder / "popretr.xml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return load(str(path), environ={}, now_host="testhost")


def settings_of(loaded: Loaded) -> Settings:
    """The settings of a configuration that has no error."""
    assert loaded.settings is not None, [str(problem) for problem in loaded.problems]
    return loaded.settings


class RunClock:
    """Both clocks go with trio's, also where that one jumps; skip() moves them ahead of it, as a suspend would."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self.wrong = timedelta()  # of the wall clock
        self._boots = 1
        self._booted = 0.0

    def boottime(self) -> float:
        return 1000.0 + trio.current_time() + self._ahead - self._booted

    def boot(self) -> str:
        return f"boot {self._boots}"

    def reboot(self) -> None:
        """Start the machine again: boottime() begins again."""
        self._boots += 1
        self._booted = trio.current_time() + self._ahead

    def now(self) -> datetime:
        right = datetime(2026, 11, 23, 7, 27, 59, tzinfo=UTC) + timedelta(seconds=trio.current_time() + self._ahead)
        return right + self.wrong

    def skip(self, seconds: float) -> None:
        self._ahead += seconds


@contextmanager
def disk_without_threads(seconds: Callable[[], float]) -> Iterator[None]:
    """What goes to the disk is done in trio's own thread, after so many seconds of its clock.

    A clock that jumps when all tasks wait would jump also while they wait for a thread.
    """

    async def run_sync(
        function: Callable[..., T], *arguments: object, limiter: object = None, abandon_on_cancel: bool = False
    ) -> T:
        try:
            with trio.CancelScope(shield=not abandon_on_cancel):
                await trio.sleep(seconds())
        except trio.Cancelled:
            with suppress(Exception):  # a thread that nobody waits for any more goes on all the same
                function(*arguments)
            raise
        return function(*arguments)

    with patch.object(trio.to_thread, "run_sync", run_sync), patch.object(thread, "Worker", worker_in_trio(seconds)):
        yield


def worker_in_trio(seconds: Callable[[], float]) -> type[thread.Worker]:
    """The journal's thread as a task in trio's own thread. Each batch takes `seconds()` of trio's clock."""

    class WorkerInTrio(thread.Worker):
        def __init__(self, run: Callable[[list[thread.Job[Any]]], None], name: str = "") -> None:
            seconds()  # raises if no thread can be started
            self._jobs: list[thread.Job[Any]] = []
            self._run = run
            self._working = False
            self._closing = trio.Event()  # has a timeout, and is done nevertheless: nothing takes time then

        def put(self, job: thread.Job[Any]) -> None:
            self._jobs.append(job)
            if job.last:
                self._closing.set()
            if not self._working:
                self._working = True
                trio.lowlevel.spawn_system_task(self._work_off)

        async def _work_off(self) -> None:
            while self._jobs:
                batch, self._jobs = [job for job in self._jobs if not job.abandoned], []
                with suppress(RuntimeError), trio.move_on_after(seconds()):  # no further thread is needed
                    await self._closing.wait()
                for job in batch:
                    job.abandoned = False  # it has begun
                self._run(batch)
            self._working = False

    return WorkerInTrio


@contextmanager
def another_process() -> Iterator[None]:
    """Files of ours are named as by a process that there never was before."""
    with patch.object(names, "PROCESS_TOKEN", secrets.token_hex(4)):
        yield


@dataclass
class World:
    """One account `alice` on one server, and the client that polls it.

    Each poll() is a process of its own: an Engine that opens the journal, runs one session, and ends. Facts are those
    of the last poll; the server's dialogue is that of all.
    """

    folder: Path
    policy: ServerPolicy = STD
    timeout: float = 30.0
    destination: Destination | None = None  # None: `maildir`, with the line ends as received
    facts: list[Fact] = field(default_factory=list)
    disk_seconds: float = 0.0  # that each use of the disk takes
    #: Called with what the client sends, before the server sees it.
    on_send: Callable[[bytes], None] | None = None

    def __post_init__(self) -> None:
        self.drop = ServedMaildrop(USER, PASSWORD)
        self.clock = RunClock()
        self.server = PopServer([self.drop], policy=self.policy, keep_dialogue=True)
        self.maildir = self.folder / "Maildir"
        self.audit_log = self.folder / "audit.log"

    # --- before -------------------------------------------------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        return self.server.faults

    def add(self, *messages: bytes | Message) -> list[Message]:
        """Put messages into the maildrop; they are returned with their uids."""
        return [self.drop.add(message) for message in messages]

    def become(self, **policy: Any) -> None:
        """Change what the server offers from its next connection on."""
        self.server.policy = replace(self.server.policy, **policy)

    def client(self, *, tls: TlsPolicy | None = None, **changes: Any) -> ClientSettings:
        """A client that runs once; `changes` are fields of ClientSettings or Retention."""
        server = Server("pop.example.test", 110, USER, Literal(Secret(PASSWORD)), (AuthType.USERPASS,), False, tls)
        destination = self.destination or MaildirDestination(str(self.maildir), eol=Eol.CRLF)
        client = ClientSettings("a", "user1", server, destination, frequency=0.0, runs=1, omit_received=True)
        return changed_client(client, **changes)

    def settings(self, *clients: ClientSettings) -> Settings:
        folder = str(self.folder)
        return Settings(
            path=f"{folder}/popretr.xml",
            paths=Paths(folder, folder, folder, folder, folder, "testhost", "testhost", "tui-popretr test"),
            clients=clients,
            timeout=self.timeout,
            delay_start=0.0,
            journal=f"{folder}/popretr.sqlite",
            audit=LogSettings(str(self.audit_log)),
            password_variables=frozenset(_variables(clients)),
        )

    # --- running ------------------------------------------------------------------------------------------------------

    async def poll(self, *, watch: Watcher | None = None, **changes: Any) -> SessionResult:
        """Run one session of the client, with these fields changed, and return how it went."""
        return (await self.run(self.client(**changes), watch=watch)).results["a"]

    async def poll_with_quit_refused(self) -> SessionResult:
        """Run one session whose QUIT the server refuses, so that it deletes nothing."""
        self.faults.quit = QuitFault.REFUSED
        result = await self.poll()
        self.faults.quit = QuitFault.NONE
        return result

    async def run(self, *clients: ClientSettings, watch: Watcher | None = None) -> Engine:
        """Run an engine until its clients have done their runs, and return it."""
        failures: list[Exception] = []
        engine = Engine(
            self.settings(*clients),
            Bus(lambda _, failure: failures.append(failure)),
            clock=self.clock,
            connector=self._connector(),
        )

        def record(fact: Fact) -> None:
            self.facts.append(fact)
            if watch is not None:
                watch(engine, fact)

        def record_lines(dialogue: Dialogue) -> None:
            for line in dialogue.lines():
                record(line)

        self.facts.clear()
        engine.subscribe(record)
        engine.bus.subscribe_dialogue(record_lines)
        async with trio.open_nursery() as self._peers:
            with disk_without_threads(self.disk), another_process():
                await engine.run()
            self._peers.cancel_scope.cancel()
        assert self.server.failures == []
        assert failures == []
        discreet(*map(repr, self.facts))
        return engine

    def disk(self) -> float:
        """Return the seconds that this use of the disk takes."""
        return self.disk_seconds

    def _connector(self) -> Callable[[Server, float], Awaitable[Stream]]:
        async def connect(server: Server, timeout: float) -> Stream:
            await trio.lowlevel.checkpoint()
            near, far = memory_connection(on_send=self.on_send)
            self._peers.start_soon(self.server.serve_stream, far)
            return near

        return connect

    # --- afterwards ---------------------------------------------------------------------------------------------------

    def arrived(self) -> list[bytes]:
        """The messages in the Maildir, in the order of their delivery; nothing unfinished may be there."""
        assert not any((self.maildir / "tmp").glob("*"))
        return [path.read_bytes() for path in sorted((self.maildir / "new").glob("*"), key=_delivery_number)]

    def remaining(self) -> list[str]:
        """The uids of the messages on the server."""
        return [message.uid for message in self.drop.messages]

    def said(self, connection: int | None = None) -> list[str]:
        """What the client said to the server, over one connection (the first is 1, the last -1) or over all."""
        if connection is not None and connection < 0:
            connection += self.server.connections + 1
        return [
            line.text.decode()
            for line in self.server.dialogue
            if line.sender == "C" and connection in (None, line.connection)
        ]

    def verbs(self, connection: int | None = None) -> list[str]:
        """The commands the client gave, without their arguments."""
        return [line.split(" ")[0] for line in self.said(connection)]

    def of(self, kind: type[F]) -> list[F]:
        """The facts of one kind of the last poll, in order."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def transcript(self) -> list[str]:
        """The transcript of the last poll, each line with its direction."""
        return [
            f"{line.direction.value} {line.text}"
            for line in self.of(DialogueLine)
            if line.direction != Direction.OPENED
        ]

    def records(self) -> list[Record]:
        """What the journal knows of the maildrop's messages."""
        with self._journal() as journal:
            return journal.records(1)

    def delivered_uids(self) -> set[str]:
        """The uids the journal has as delivered, also while an engine has it open."""
        with TemporaryDirectory() as copy:  # the engine has it for itself
            for name in ("popretr.sqlite", "popretr.sqlite-wal"):
                shutil.copy(self.folder / name, copy)
            with closing(sqlite3.connect(Path(copy, "popretr.sqlite"))) as connection:
                rows = connection.execute("SELECT uid FROM message WHERE state = ?", (MessageState.DELIVERED,))
                return {row[0] for row in rows}

    def troubles(self) -> dict[str, MessageFailure]:
        """The journal's troubles of the maildrop, by uid."""
        with self._journal() as journal:
            return {key.removeprefix("uid:"): trouble for key, trouble in journal.failures(1).items()}

    @contextmanager
    def _journal(self) -> Iterator[Journal]:
        with closing(Journal.open(str(self.folder / "popretr.sqlite"))) as journal:
            yield journal


def _variables(clients: Iterable[ClientSettings]) -> Iterator[str]:
    """The variables that the reader of a configuration finds."""
    for client in clients:
        if isinstance(password := client.server.password, FromEnvironment):
            yield password.name


def _delivery_number(path: Path) -> int:
    return int(path.name.split(".")[1].rpartition("Q")[2])


def verbs(lines: Iterable[str]) -> list[str]:
    """The first word of each line."""
    return [line.split(" ")[0] for line in lines]
