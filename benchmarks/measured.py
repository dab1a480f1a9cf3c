"""The dashboard with probes in it, in a process of its own: `python -m benchmarks.measured CONFIGURATION`.

With two more arguments, LINES and MESSAGES, the engine does not retrieve but acts: every client has a session. In
each second, all of them retrieve MESSAGES messages by pipelined commands, and publish LINES lines of dialogue.
Without, it is the real engine. All else is the program's own: run_dashboard, the engine's thread, the mailbox. A report
(JSON) goes to the descriptor REPORTS each time SIGUSR1 comes; it is about the time since the last one. SIGUSR2 makes
the screen stand still for a moment.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from datetime import datetime

import trio

from tui_popretr.bus import Bus
from tui_popretr.commands import Command
from tui_popretr.config.describe import client_info
from tui_popretr.config.reader import load
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    CapabilitiesLearned,
    ClientsChanged,
    Dialogue,
    Direction,
    Fact,
    LoginSucceeded,
    MaildropListed,
    MessageDelivered,
    Part,
    RetrievalProgressed,
    SessionAdvanced,
    SessionClosed,
    SessionConnected,
    SessionId,
    SessionResult,
    SessionStarted,
    Stage,
)
from tui_popretr.mailbox import Drained
from tui_popretr.process.interpreter import collect
from tui_popretr.process.setup import settle
from tui_popretr.ui.shell import app, run
from tui_popretr.ui.shell.app import Dashboard
from tui_popretr.ui.shell.source import Source

#: The probes sleep so long, seconds: what they sleep longer is lag.
NAP = 0.01
#: The screen stands still for so long, seconds.
STALL = 0.5
#: The messages in a session of an actor, and the commands of which it waits for a reply.
IN_SESSION, WINDOW = 40, 8
OCTETS = 4321
#: The milliseconds from a command to its reply.
TOOK = 23.456


class Probe:
    """How late a thread's event loop is, in seconds, and how much processor time the thread uses."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self._clock: int | None = None
        self._used = 0.0

    def begin(self) -> None:
        """Called in the thread."""
        self._clock = time.pthread_getcpuclockid(threading.get_ident())

    def note(self, slept_since: float) -> None:
        self.lags.append(round(time.perf_counter() - slept_since - NAP, 5))

    def take(self) -> dict[str, object]:
        """Return what was since the last time: lags and seconds of processor time."""
        lags, self.lags = self.lags, []
        used = 0.0 if self._clock is None else time.clock_gettime(self._clock)
        since, self._used = used - self._used, used
        return {"lags": lags, "cpu": since}


screen, engine_thread = Probe(), Probe()
published = 0


class Counting:
    """A source that counts what it hands out."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.taken = self.dropped = self.facts = 0

    def drain(self) -> Drained:
        drained = self._source.drain()
        self.taken += len(drained.lines)
        self.dropped += drained.dropped
        self.facts += len(drained.facts)
        return drained

    def perform(self, command: Command) -> Future[str]:
        return self._source.perform(command)

    def report(self, text: str) -> None:
        self._source.report(text)

    @property
    def alive(self) -> bool:
        return self._source.alive

    def boottime(self) -> float:
        return self._source.boottime()

    def now(self) -> datetime:
        return self._source.now()


class Measured(Dashboard):
    """A dashboard that knows how late its loop is."""

    def __init__(self, source: Source, **others: object) -> None:
        self.counting = Counting(source)
        super().__init__(self.counting, **others)  # type: ignore[arg-type]
        self._begun = time.perf_counter(), time.process_time()

    def on_mount(self) -> None:
        self._probing = asyncio.create_task(self._probe())
        # not by the loop: it would take the signals that end the program away from who waits for them
        signal.signal(signal.SIGUSR1, lambda *_: self._report())
        signal.signal(signal.SIGUSR2, lambda *_: time.sleep(STALL))

    async def _probe(self) -> None:
        screen.begin()
        while True:
            before = time.perf_counter()
            await asyncio.sleep(NAP)
            screen.note(before)

    def _report(self) -> None:
        (clock, cpu), self._begun = self._begun, (time.perf_counter(), time.process_time())
        counting, source = self.counting, self.counting._source
        told = {
            "seconds": self._begun[0] - clock,
            "cpu": self._begun[1] - cpu,
            "screen": screen.take(),
            "engine": engine_thread.take(),
            "running": self.view.running,
            "taken": counting.taken,
            "dropped": counting.dropped,
            "facts": counting.facts,
            "published": published,
        }
        counting.taken = counting.dropped = counting.facts = 0
        assert source is not None
        os.write(int(os.environ["REPORTS"]), json.dumps(told).encode() + b"\n")


class Probed(Engine):
    """The engine, with a task that tells how late the sessions are."""

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._probe)
            await self._go()
            nursery.cancel_scope.cancel()

    async def _go(self) -> None:
        await super().run()

    async def _probe(self) -> None:
        engine_thread.begin()
        while True:
            before = time.perf_counter()
            await trio.sleep(NAP)
            engine_thread.note(before)


class Acting(Probed):
    """Instead of retrieving, publishes what sessions would: `lines` and `messages` a second of all together."""

    lines = messages = 0

    async def _go(self) -> None:
        infos = tuple(client_info(each, self.settings.timeout) for each in self.settings.clients)
        self.bus.publish(ClientsChanged(tuple(each.id for each in infos), infos))
        # a message has two commands and two replies besides
        actors = [Actor(self, each.id, number, self.lines // self.messages - 4) for number, each in enumerate(infos)]
        done, begun = 0, trio.current_time()
        while not self.stopping.is_set():
            await trio.sleep(NAP)
            while done < (trio.current_time() - begun) * self.messages * 2:
                actors[done // 2 % len(actors)].answer()
                done += 1


class Actor:
    """A client that is always in a session. Beginnings are spread over the messages of a session.

    `texts` lines of a message are published as well.
    """

    def __init__(self, engine: Engine, client: str, number: int, texts: int) -> None:
        self._engine = engine
        self._client = client
        self._texts = texts
        self._run = 0
        self._first = number % IN_SESSION
        self._start()

    def _tell(self, fact: Fact) -> None:
        self._engine.bus.publish(fact)

    def _say(self, direction: Direction, text: str, part: Part) -> None:
        global published
        published += 1
        self._engine.bus.publish_dialogue(
            Dialogue(self._session, self._engine.clock.now(), [(direction, text)], [part])
        )

    def _send(self, verb: str, message: int) -> None:
        self._sent += 1
        self._waiting.append((self._sent, verb, message))
        self._say(Direction.OUT, f"{verb} {message}", Part(self._sent))

    def _start(self) -> None:
        self._run += 1
        self._session = SessionId(self._client, self._run)
        self._at = self._engine.clock.now()
        self._sent = 0
        self._waiting: deque[tuple[int, str, int]] = deque()
        self._say(Direction.OPENED, "pop.example.net:995", Part(0))
        self._say(Direction.IN, "+OK ready", Part(0, TOOK))
        self._tell(SessionStarted(self._session, self._at))
        self._tell(SessionConnected(self._session, self._at, "192.0.2.1:40000", "192.0.2.7:995", None))
        self._tell(SessionAdvanced(self._session, Stage.LOGIN))
        self._tell(CapabilitiesLearned(self._session, ("TOP", "UIDL", "PIPELINING")))
        self._tell(LoginSucceeded(self._session, "PLAIN"))
        self._tell(SessionAdvanced(self._session, Stage.LISTING))
        size = IN_SESSION * OCTETS
        self._tell(MaildropListed(self._session, IN_SESSION, size, IN_SESSION, size, 0, 0))
        self._tell(SessionAdvanced(self._session, Stage.RETRIEVING))
        for message in range(self._first + 1, min(self._first + WINDOW, IN_SESSION) + 1):
            self._send("RETR", message)

    def _close(self) -> None:
        now = self._engine.clock.now()
        count = IN_SESSION - self._first
        self._tell(SessionAdvanced(self._session, Stage.CLOSING))
        result = SessionResult(ExitCode.OK, "", "", self._at, now, count, count * OCTETS, count, 0, 0)
        self._tell(SessionClosed(self._session, result))
        self._first = 0

    def answer(self) -> None:
        """Answer the oldest command; a message retrieved is delivered, and DELE is sent."""
        if not self._waiting:
            self._close()
            self._start()
        number, verb, message = self._waiting.popleft()
        self._say(Direction.IN, "+OK" if verb == "RETR" else "+OK marked for deletion", Part(number, TOOK))
        if verb == "RETR":
            self._retrieve(number, message)
            self._send("DELE", message)
            if message + WINDOW <= IN_SESSION:
                self._send("RETR", message + WINDOW)

    def _retrieve(self, number: int, message: int) -> None:
        for line in range(self._texts - 1):
            text = f"line {line} of message {message}, which has some words in it that fill the row"
            self._say(Direction.IN, text, Part(number))
        if self._texts:
            self._say(Direction.EVENT, f"Received MessageBody octets={OCTETS}", Part(number, None, OCTETS))
        at = self._engine.clock.now()
        self._tell(RetrievalProgressed(self._session, message, message * OCTETS))
        uid, path = f"uid-{self._run}-{message}", f"/var/mail/{self._client}/new/{message}"
        mailbox, sender = f"Mailbox={self._client}", "someone@example.net"
        self._tell(
            MessageDelivered(self._session, at, message, uid, OCTETS, mailbox, path, f"<{uid}@example.net>", sender)
        )


def main(path: str, lines: str | None = None, messages: str = "500") -> int:
    """Run the dashboard until it is ended; return its exit code."""
    settle()
    collect()
    settings = load(path).settings
    assert settings is not None
    bus = Bus()
    if lines is None:
        engine: Probed = Probed(settings, bus, until_done=False)
    else:
        engine = Acting(settings, bus, until_done=False)
        Acting.lines, Acting.messages = int(lines), int(messages)
    setattr(app, Dashboard.__name__, Measured)  # run_dashboard imports it late
    return run.run_dashboard(engine, title="benchmark")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
