"""A service with two clients: one polls the hostile server, the other a correct one, and must not be affected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import trio

from tests.hostile.server import HELLO, SECRETS, USER, HostileServer
from tests.support.making import client_settings, engine_settings
from tests.support.passwords import PASSWORD
from tests.support.popserver import PopServer, ServedMaildrop
from tests.support.streams import memory_connection
from tests.support.worlds import RunClock, another_process, disk_without_threads, mail
from tui_popretr.bus import Bus
from tui_popretr.clock import Clock, SystemClock
from tui_popretr.config.account import Server
from tui_popretr.config.choices import AuthType
from tui_popretr.config.model import ClientSettings, LogSettings
from tui_popretr.config.sources import Literal
from tui_popretr.engine.service import Engine
from tui_popretr.errors import TlsFailed
from tui_popretr.facts import Dialogue, DialogueLine, Fact, Noted, SessionClosed, SessionResult, TlsDetails
from tui_popretr.net.connect import connect
from tui_popretr.net.stream import Stream
from tui_popretr.secret import Secret

#: Seconds of <timeout>.
TIMEOUT = 30.0
#: The sessions of the client whose server behaves, and the seconds between two of them.
NEIGHBOUR_RUNS, NEIGHBOUR_PAUSE = 2, 10.0
HOSTILE, NEIGHBOUR = "hostile.test", "neighbour.test"

DETAILS = TlsDetails("TLSv1.3", "TLS_AES_256_GCM_SHA384", HOSTILE, "Test CA", (HOSTILE,), None)

F = TypeVar("F")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_FILE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


class Service:
    """Each run() is a process of its own. With `sockets` connections are real, and so is time."""

    def __init__(self, folder: Path, server: HostileServer, *, sockets: bool = False) -> None:
        self.server = server
        self.facts: list[Fact] = []
        self._folder = folder
        self._sockets = sockets
        self._clock: Clock = SystemClock() if sockets else RunClock()
        self._neighbour = ServedMaildrop("neighbour", "open")
        self._neighbours = PopServer([self._neighbour])
        self._neighbour_mails: list[bytes] = []
        self._ports: dict[str, int] = {}

    async def run(self, **changes: Any) -> SessionResult:
        """Run until both clients have done; the result is that of the one with the hostile server.

        `changes` are fields of its ClientSettings, and of its Server. In every case the neighbour gets its mail at
        once, nothing that is told or written has a secret or a control character in it, and nothing unfinished is left.
        """
        failures: list[Exception] = []
        self.facts = []
        async with trio.open_nursery() as self._peers:
            if self._sockets:
                self._ports = {
                    HOSTILE: await self._listen(self.server),
                    NEIGHBOUR: await self._listen(self._neighbours),
                }
            engine = Engine(
                engine_settings(self._folder, _victim(self._folder, changes), self._well_served(), **self._logs()),
                Bus(lambda _, failure: failures.append(failure)),
                clock=self._clock,
                connector=self._connect_by_socket if self._sockets else self._connect,
            )
            engine.subscribe(self._on_fact)
            engine.bus.subscribe_dialogue(self._on_dialogue)
            began = self._clock.now()
            self._send_to_neighbour()
            with ExitStack() as stack:
                stack.enter_context(another_process())
                if not self._sockets:
                    stack.enter_context(disk_without_threads(lambda: 0.0))
                await engine.run()
            with trio.move_on_after(1):
                await self.server.left()
            self._peers.cancel_scope.cancel()
        assert failures == []
        assert self._neighbours.failures == []
        self._check_neighbour(began)
        self._check_words()
        self._check_files()
        return engine.results["victim"]

    def of(self, kind: type[F], client: str = "victim") -> list[F]:
        """The facts of one kind of the last run, of one client."""
        return [fact for fact in self.facts if isinstance(fact, kind) and _client_of(fact) == client]

    def transcript(self) -> list[str]:
        """What the transcript of the last run has of the dialogue with the hostile server."""
        return [f"{line.direction.value} {line.text}" for line in self.of(DialogueLine)]

    def arrived(self) -> Counter[bytes]:
        """The messages of the hostile server that were delivered, and how often each."""
        return _contents(self._folder / "victim")

    # --- running ------------------------------------------------------------------------------------------------------

    def _well_served(self) -> ClientSettings:
        server = Server(NEIGHBOUR, 110, "neighbour", Literal(Secret("open")), (AuthType.USERPASS,), False, None)
        pause = 0.0 if self._sockets else NEIGHBOUR_PAUSE
        return client_settings("neighbour", self._folder, server, frequency=pause, runs=NEIGHBOUR_RUNS)

    def _logs(self) -> dict[str, Any]:
        logs = {name: LogSettings(f"{self._folder}/{name}.log", level="trace") for name in LOGS}
        return {"timeout": TIMEOUT, **logs}

    async def _connect(self, server: Server, timeout: float) -> Stream:
        await trio.lowlevel.checkpoint()

        async def handshake(session: object) -> TlsDetails:
            await near.send_all(HELLO)
            if await near.receive() != HELLO:
                raise TlsFailed("no TLS")
            return DETAILS

        near, far = memory_connection(handshake=handshake)
        peer = self.server.serve if server.host == HOSTILE else self._neighbours.serve_stream
        self._peers.start_soon(peer, far)
        return near

    async def _connect_by_socket(self, server: Server, timeout: float) -> Stream:
        return await connect("127.0.0.1", self._ports[server.host], timeout=timeout)

    async def _listen(self, server: HostileServer | PopServer) -> int:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        serve = server.serve if isinstance(server, HostileServer) else server.serve_stream
        self._peers.start_soon(trio.serve_listeners, serve, [listener])
        port: int = listener.socket.getsockname()[1]
        return port

    def _on_dialogue(self, dialogue: Dialogue) -> None:
        self.facts += dialogue.lines()

    def _on_fact(self, fact: Fact) -> None:
        self.facts.append(fact)
        if isinstance(fact, SessionClosed) and fact.session.client == "neighbour":
            self._send_to_neighbour()

    def _send_to_neighbour(self) -> None:
        message = mail(f"neighbour-{len(self._neighbour_mails)}")
        self._neighbour_mails.append(message)
        self._neighbour.add(message)

    # --- what must be so whatever the server does ---------------------------------------------------------------------

    def _check_neighbour(self, began: datetime) -> None:
        """Its sessions began when they were due and lasted no time, and all of its mail has come."""
        results = [fact.result for fact in self.of(SessionClosed, "neighbour")]
        assert [(each.ok, each.messages, each.deleted) for each in results] == [(True, 1, 1)] * NEIGHBOUR_RUNS
        if not self._sockets:
            due = [began + timedelta(seconds=number * NEIGHBOUR_PAUSE) for number in range(NEIGHBOUR_RUNS)]
            assert [each.started for each in results] == due
            assert all(each.started == each.ended for each in results)
        assert _contents(self._folder / "neighbour") == Counter(self._neighbour_mails[:-1])
        self._neighbour.messages.clear()  # the last was sent when all was over
        self._neighbour_mails.pop()

    def _check_words(self) -> None:
        for fact in self.facts:
            for text in _texts(fact):
                assert not _CONTROL.search(text), fact
                assert not any(secret.decode() in text for secret in SECRETS), fact
        assert not any("Traceback" in fact.text for fact in self.of(Noted))
        for name in LOGS:
            text = (self._folder / f"{name}.log").read_bytes().decode()
            assert not _CONTROL_IN_FILE.search(text), text
        for path in self._folder.iterdir():
            if path.is_file():
                assert not any(secret in path.read_bytes() for secret in SECRETS), path

    def _check_files(self) -> None:
        """Nothing unfinished is left, and no file has come to lie where none belongs."""
        files = {str(path.relative_to(self._folder)) for path in self._folder.rglob("*") if path.is_file()}
        strange = [name for name in files if not _OURS.fullmatch(name)]
        assert strange == []


LOGS = ("audit", "transcript", "trace")
_OURS = re.compile(
    r"(audit|transcript|trace)\.log|popretr\.sqlite(-wal|-shm|\.lock)?|(victim|neighbour)/new/[\w.,=:-]+"
)


def _victim(folder: Path, changes: dict[str, Any]) -> ClientSettings:
    """The client of the hostile server; each change is a field of its Server, or of the client itself."""
    server = Server(HOSTILE, 110, USER, Literal(Secret(PASSWORD)), (AuthType.USERPASS,), False, None)
    of_server = {each.name: changes[each.name] for each in fields(Server) if each.name in changes}
    rest = {name: value for name, value in changes.items() if name not in of_server}
    return client_settings("victim", folder, replace(server, **of_server), frequency=0.0, runs=1, **rest)


def _contents(maildir: Path) -> Counter[bytes]:
    return Counter(path.read_bytes() for path in (maildir / "new").glob("*"))


def _texts(value: object) -> Iterator[str]:
    """All texts in a fact, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _texts(each)
    elif is_dataclass(value):
        for field in fields(value):
            if field.name != "uid":  # it is a key: neutralised where it is shown
                yield from _texts(getattr(value, field.name))


def _client_of(fact: object) -> str | None:
    session = getattr(fact, "session", None)
    client: str | None = session.client if session is not None else getattr(fact, "client", None)
    return client
