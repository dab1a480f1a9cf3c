"""Draws the pictures of the documentation: the dashboard of the demo. Each run draws the same pictures.

First the demo runs in virtual time and through memory streams, and its facts are recorded. Then the dashboard replays
the record. Run as a module from the project's folder: python -m scripts.screenshots [FOLDER]
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import os
import random
import re
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from html import escape, unescape
from importlib.metadata import version
from typing import Any

import trio
from rich.cells import cell_len
from rich.console import Console
from textual.pilot import Pilot
from trio.testing import MockClock, memory_stream_pair

from scripts.animation import Frame, animate
from scripts.sample_answers import sample_answer
from tests.support.clock import FakeClock
from tests.support.streams import MemoryEnd, MemoryStream
from tests.support.worlds import RunClock, disk_without_threads
from tui_popretr.answers import Answer
from tui_popretr.bus import Bus
from tui_popretr.commands import Command, Query
from tui_popretr.config.account import Server
from tui_popretr.demo import summary
from tui_popretr.demo.folder import make_folder, read_configuration, write_configuration
from tui_popretr.demo.server import HOST, DemoServer, Ports
from tui_popretr.engine.service import Engine
from tui_popretr.facts import ClientInfo, ClientsChanged, Dialogue, DialogueLine, Fact, TlsDetails
from tui_popretr.mailbox import Drained
from tui_popretr.net.stream import Stream
from tui_popretr.net.tls import TlsSession, context_for
from tui_popretr.ui.shell.app import Dashboard

PORTS = Ports(110, 995)
#: When RunClock and FakeClock begin.
BEGIN = datetime(2026, 11, 23, 7, 27, 59, tzinfo=UTC)
#: The path in the pictures that replaces the demo's folder.
FOLDER = "/home/alice/demo"
DISK_SECONDS = 0.004
TITLE = "tui-popretr"
#: In each, every widget handles its messages. Those that follow from them are handled in the next one.
ROUNDS = 8
#: Time between two updates of the dashboard, seconds.
STEP = 0.1


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: file name, terminal size, time in the demo (seconds), and keys to press before."""

    name: str
    size: tuple[int, int]
    moment: float
    keys: tuple[str, ...]


_THIRD, _FIFTH = ("down",) * 3, ("down",) * 5
PICTURES = (
    Picture("dashboard", (120, 40), 118.5, _FIFTH),
    Picture("dashboard-80x24", (80, 24), 118.5, _THIRD),
    Picture("dashboard-200x50", (200, 50), 118.5, (*_THIRD, "2")),
    Picture("details", (100, 36), 118.5, ("down", "enter")),
    Picture("exchanges", (120, 40), 118.5, ("a", "tab", "e")),
    Picture("server", (120, 40), 118.5, (*_THIRD, "5", "tab", "L", "down", "space")),
    Picture("statistics", (120, 40), 118.5, ("6", "tab")),
)
#: Small screens as text: without frames.
TEXTS = (
    Picture("dashboard-45x15", (45, 15), 118.5, _THIRD),
    Picture("messages-45x15", (45, 15), 118.5, ("2",)),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A frame of the animation: time in the demo and how long it is shown, in seconds; keys to press before."""

    moment: float
    shown: float
    keys: tuple[str, ...] = ()


#: `make demo`, from its first second until the user quits.
ANIMATION, SIZE = "demo", (100, 26)
SCENES = (
    Scene(0.2, 0.6),
    *(Scene(moment, 0.5) for moment in (0.7, 1.3, 1.9, 2.5, 3.1, 3.7, 4.3, 4.9)),
    Scene(5.7, 1.2),
    Scene(6.6, 1.6, ("down",)),
    Scene(7.4, 0.7, ("down",)),
    Scene(8.0, 0.7, ("down",)),
    Scene(8.7, 2.0, ("down",)),
    Scene(9.7, 3.2, ("enter",)),
    Scene(12.4, 0.8, ("escape", "down")),
    *(Scene(moment, 0.6) for moment in (14.4, 16.4, 18.4, 20.4)),
    Scene(21.4, 1.6),
    Scene(23.4, 2.4, ("2",)),
)
#: The frame that is shown where animations are not.
POSTER = 5
#: How long the shell's lines are shown: its prompt, the command, and what the demo prints in the end, seconds.
PROMPT, COMMAND, ENDING = 0.7, 0.9, 4.0

_TEXT = re.compile(
    r'<text class="(?P<style>\S+)" x="(?P<x>\S+)" (?P<y>y="\S+") textLength="(?P<length>\S+)" (?P<clip>clip-path=\S+)>'
    "(?P<text>[^<]*)</text>"
)
_RUN_OF_TEXT = re.compile(r"\S+(?: \S+)*")


# --- running the demo -------------------------------------------------------------------------------------------------


class Loopback(MemoryStream):
    """A connection to the demo's server through memory, with real TLS if the client uses TLS."""

    def __init__(self, end: MemoryEnd, server: Server, number: int) -> None:
        super().__init__(end, handshake=self._shake_hands)
        self._transport = end
        self._server = server
        self.local, self.remote, self.remote_ip = f"{HOST}:{50_000 + number}", f"{HOST}:{server.port}", HOST

    async def _shake_hands(self, session: TlsSession) -> TlsDetails:
        assert self._server.tls is not None
        stream: Any = trio.SSLStream(self._end, context_for(self._server.tls), server_hostname=HOST)
        await stream.do_handshake()
        self._end = stream
        return session.verified(stream)

    def close(self) -> None:
        self._end = self._transport
        super().close()


@dataclass(slots=True)
class Record:
    """A run of the demo: its facts with their times, and the lines that it prints in the end."""

    facts: list[tuple[float, Fact]] = field(default_factory=list)
    ending: list[str] = field(default_factory=list)


def play(seconds: float) -> Record:
    """Run the demo for this number of seconds."""
    record = Record()
    # The order in which trio resumes tasks is random. Its hook for Hypothesis makes it depend on the seed alone.
    trio._core._run._hypothesis_plugin_setup()
    trio._core._run._r.seed(0)
    with tempfile.TemporaryDirectory() as scratch, disk_without_threads(lambda: DISK_SECONDS):
        trio.run(_perform, os.path.join(scratch, "demo"), seconds, record, clock=MockClock(autojump_threshold=0))
    return record


async def _perform(path: str, seconds: float, record: Record) -> None:
    clock = RunClock()
    demo = DemoServer(BEGIN, watched=True)
    folder = make_folder(path)
    write_configuration(folder, demo.accounts, PORTS)
    numbers = itertools.count(1)

    async def connect(server: Server, _: float) -> Stream:
        await trio.sleep(DISK_SECONDS)
        near, far = memory_stream_pair()
        nursery.start_soon(partial(demo.server.serve_stream, far, implicit_tls=server.port == PORTS.tls))
        return Loopback(near, server, next(numbers))

    def note(fact: Fact) -> None:
        if isinstance(fact, ClientsChanged):
            fact = replace(fact, infos=tuple(_moved(info, folder.path) for info in fact.infos))
        record.facts.append((trio.current_time(), fact))

    def note_lines(dialogue: Dialogue) -> None:
        for line in dialogue.lines():
            note(line)

    engine = Engine(read_configuration(folder), Bus(_fail), clock=clock, connector=connect, until_done=False)
    engine.subscribe(note)
    engine.bus.subscribe_dialogue(note_lines)
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(demo.arrivals, clock.now)
            await engine.run()
    printed = *summary.places(folder, demo.accounts), "", *summary.ending(folder, (), keep=True)
    record.ending = [line.replace(folder.path, FOLDER) for line in printed]


def _fail(_: object, problem: Exception) -> None:
    raise problem


def _moved(info: ClientInfo, path: str) -> ClientInfo:
    settings = tuple((name, value.replace(path, FOLDER)) for name, value in info.settings)
    return replace(info, destination=info.destination.replace(path, FOLDER), settings=settings)


# --- replaying it -----------------------------------------------------------------------------------------------------


class Replay:
    """A ui.source.Source that replays the record up to the time of its clock."""

    def __init__(self, record: Record) -> None:
        self._facts = record.facts
        self._times = [at for at, _ in record.facts]
        self._replayed = 0
        self._clock = FakeClock(BEGIN)
        self.seconds = 0.0
        self.alive = True
        self.problem: BaseException | None = None

    def drain(self) -> Drained:
        until = bisect_right(self._times, self.seconds)
        facts = [fact for _, fact in self._facts[self._replayed : until]]
        self._replayed = until
        lines = [fact for fact in facts if isinstance(fact, DialogueLine)]
        return Drained([fact for fact in facts if not isinstance(fact, DialogueLine)], lines, 0)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        self._clock.advance(seconds)

    def perform(self, command: Command) -> Future[str]:
        raise NotImplementedError

    def ask(self, query: Query) -> Future[Answer]:
        future: Future[Answer] = Future()
        answer = sample_answer(query, self.now())
        if isinstance(answer, ValueError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        return future

    def report(self, text: str) -> None:
        raise AssertionError(text)

    def boottime(self) -> float:
        return self._clock.boottime()

    def now(self) -> datetime:
        return self._clock.now()


class Stage:
    """A dashboard that replays a record, seen from outside."""

    def __init__(self, pilot: Pilot[object], replay: Replay) -> None:
        assert isinstance(pilot.app, Dashboard)
        self._pilot, self._app, self._replay = pilot, pilot.app, replay

    async def show(self, moment: float, keys: Iterable[str]) -> str:
        """Let time pass until a moment, press the keys, and return the screen as SVG."""
        await self._reach(moment, keys)
        return tidy(self._app.export_screenshot(title=TITLE, simplify=True))

    async def read(self, moment: float, keys: Iterable[str]) -> str:
        """Let time pass until a moment, press the keys, and return the screen as text."""
        await self._reach(moment, keys)
        strips = self._app.screen._compositor.render_strips(self._app.screen.size)
        return "".join(f"{strip.text.rstrip()}\n" for strip in strips)

    async def _reach(self, moment: float, keys: Iterable[str]) -> None:
        while self._replay.seconds < moment:
            self._replay.advance(STEP)
            self._app.drain()
        await self._settle()
        for key in keys:
            await self._pilot.press(key)
            await self._settle()
        self._app.drain()
        self._app.tick()
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(ROUNDS):
            await self._pilot.pause(0)


@contextlib.asynccontextmanager
async def stage(record: Record, size: tuple[int, int]) -> AsyncIterator[Stage]:
    replay = Replay(record)
    async with Dashboard(replay, title="demo", host="host").run_test(size=size) as pilot:
        yield Stage(pilot, replay)


async def draw(picture: Picture, record: Record) -> str:
    """Return the picture as SVG."""
    async with stage(record, picture.size) as seen:
        return await seen.show(picture.moment, picture.keys)


async def write_down(picture: Picture, record: Record) -> str:
    """Return the picture as text."""
    async with stage(record, picture.size) as seen:
        return await seen.read(picture.moment, picture.keys)


async def film(record: Record) -> str:
    """Return the animation as SVG."""
    command = "$ make demo"
    frames = [Frame(shell(["$ "]), PROMPT), Frame(shell([command]), COMMAND)]
    async with stage(record, SIZE) as seen:
        frames += [Frame(await seen.show(scene.moment, scene.keys), scene.shown) for scene in SCENES]
    frames.append(Frame(shell([command, *record.ending, "$ "]), ENDING))
    return animate(frames, poster=2 + POSTER, size=SIZE, title="make demo: the dashboard retrieves from seven clients")


def shell(lines: Sequence[str]) -> str:
    """Return a terminal with these lines as SVG, as draw() returns the dashboard."""
    width, height = SIZE
    console = Console(width=width, height=height, file=io.StringIO(), record=True, force_terminal=True)
    for line in lines[-height:]:
        console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=False)
    return tidy(console.export_svg(title=TITLE))


def tidy(svg: str) -> str:
    """Return the SVG with each run of text at its own position, so that columns align in any font and viewer."""
    return _TEXT.sub(_parted, svg)


def _parted(found: re.Match[str]) -> str:
    text = unescape(found["text"]).replace("\N{NO-BREAK SPACE}", " ")
    if not text.strip():  # the end of a line
        return ""
    width = float(found["length"]) / cell_len(text)
    tags = []
    for run in _RUN_OF_TEXT.finditer(text):
        x = float(found["x"]) + width * cell_len(text[: run.start()])
        length = width * cell_len(run[0])
        words = escape(run[0]).replace(" ", "&#160;")
        tags.append(f'<text class="{found["style"]}" x="{x:g}" {found["y"]} textLength="{length:g}" {found["clip"]}>')
        tags.append(f"{words}</text>")
    return "".join(tags)


def main(folder: str = os.path.join("docs", "images")) -> None:
    """Draw all pictures into a folder."""
    os.environ["TZ"] = "UTC"
    os.environ["PATH"] = ""  # as for a user who has not installed the program
    time.tzset()
    random.seed(0)
    record = play(max(picture.moment for picture in PICTURES) + STEP)
    os.makedirs(folder, exist_ok=True)
    for picture in PICTURES:
        write(folder, picture.name, asyncio.run(draw(picture, record)))
    for picture in TEXTS:
        write_text(folder, picture.name, asyncio.run(write_down(picture, record)))
    write(folder, ANIMATION, asyncio.run(film(play(SCENES[-1].moment + STEP))))


def drawn_with() -> str:
    """Return the last line of a picture: other versions may draw it differently."""
    return f"<!-- Drawn with Textual {version('textual')} and Rich {version('rich')} -->"


def write(folder: str, name: str, svg: str) -> None:
    path = os.path.join(folder, f"{name}.svg")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{svg.rstrip()}\n{drawn_with()}\n")
    sys.stdout.write(f"{path}\n")


def write_text(folder: str, name: str, text: str) -> None:
    path = os.path.join(folder, f"{name}.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
