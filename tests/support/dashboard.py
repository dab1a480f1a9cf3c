"""A dashboard on a script: a source that tells what the test says, on a clock that only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Final

from textual.events import Key
from textual.pilot import Pilot
from textual.strip import Strip

from tests.support.clock import FakeClock
from tui_popretr.answers import Answer
from tui_popretr.commands import Command, Query
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    ClientInfo,
    ClientsChanged,
    DialogueLine,
    Direction,
    Fact,
    Level,
    MaildropListed,
    Noted,
    RetrievalProgressed,
    SessionAdvanced,
    SessionClosed,
    SessionId,
    SessionResult,
    SessionStarted,
    Stage,
)
from tui_popretr.mailbox import Drained
from tui_popretr.ui.model.memory import Remembered
from tui_popretr.ui.shell.app import Dashboard

#: Keys with another name than their character.
_NAMES: Final = {"/": "slash", "&": "ampersand", "?": "question_mark"}


class ScriptedSource:
    """A ui.source.Source: tell() puts facts in, `performed` has the commands that came out.

    A command is answered with its name, or with the ValueError `refusal`; a query with what `answers` has for its type,
    and not at all where that has nothing. `reported` has what the dashboard said of its
    own defects; it becomes a line of the log, too.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.performed: list[Command] = []
        self.asked: list[Query] = []
        self.answers: dict[type[Query], Answer | ValueError] = {}
        self.refusals: dict[type[Query], str] = {}
        self.reported: list[str] = []
        self.refusal: str | None = None
        self.alive = True
        self._facts: list[Fact] = []
        self._lines: list[DialogueLine] = []
        self._dropped = 0

    def tell(self, *facts: Fact, dropped: int = 0) -> None:
        """Let the next drain() bring these facts; lines of dialogue go where the mailbox puts them."""
        for fact in facts:
            if isinstance(fact, DialogueLine):
                self._lines.append(fact)
            else:
                self._facts.append(fact)
        self._dropped += dropped

    def drain(self) -> Drained:
        drained = Drained(self._facts, self._lines, self._dropped)
        self._facts, self._lines, self._dropped = [], [], 0
        return drained

    def perform(self, command: Command) -> Future[str]:
        self.performed.append(command)
        answer: Future[str] = Future()
        if self.refusal is None:
            answer.set_result(f"{type(command).__name__} done")
        else:
            answer.set_exception(ValueError(self.refusal))
        return answer

    def ask(self, query: Query) -> Future[Answer]:
        self.asked.append(query)
        future: Future[Answer] = Future()
        answer = self.answers.get(type(query))
        if isinstance(answer, ValueError):
            future.set_exception(answer)
        elif answer is not None:
            future.set_result(answer)
        return future

    def refusal_of(self, query: Query) -> str:
        return self.refusals.get(type(query), "")

    def report(self, text: str) -> None:
        self.reported.append(text)
        self.tell(Noted(self.now(), Level.ERROR, None, text))

    def boottime(self) -> float:
        return self.clock.boottime()

    def now(self) -> datetime:
        return self.clock.now()


def info(client: str, *, server: str = "pop.example.net:995", recip: str = "user1", enabled: bool = True) -> ClientInfo:
    """Return what is known of a client."""
    settings = (("server", server), ("username", client), ("password", "****"), ("recip", recip), ("freq", "5m"))
    return ClientInfo(client, server, client, "TLS", recip, f"Maildir /mail/{recip}", 300.0, settings, enabled)


def clients(*infos: ClientInfo | str) -> ClientsChanged:
    """Return the fact that these are the clients."""
    all_ = tuple(each if isinstance(each, ClientInfo) else info(each) for each in infos)
    return ClientsChanged(tuple(each.id for each in all_), all_)


def result(
    ended: datetime,
    *,
    code: ExitCode = ExitCode.OK,
    error: str = "",
    advice: str = "",
    messages: int = 0,
    octets: int = 0,
    kept: int = 0,
    seconds: float = 3.0,
) -> SessionResult:
    """Return how a session ended."""
    started = ended - timedelta(seconds=seconds)
    return SessionResult(code, error, advice, started, ended, messages, octets, messages, 0, 0, kept)


def retrieving(
    client: str, at: datetime, *, run: int = 1, received: int, of: int, octets: int, of_octets: int
) -> list[Fact]:
    """Return the facts of a session that has received so much."""
    session = SessionId(client, run)
    return [
        SessionStarted(session, at),
        SessionAdvanced(session, Stage.LOGIN),
        SessionAdvanced(session, Stage.LISTING),
        MaildropListed(session, of, of_octets, of, of_octets, 0, 0),
        SessionAdvanced(session, Stage.RETRIEVING),
        RetrievalProgressed(session, received, octets),
    ]


def closed(client: str, outcome: SessionResult, *, run: int = 1) -> SessionClosed:
    """Return the fact that a session ended."""
    return SessionClosed(SessionId(client, run), outcome)


def dialogue(client: str, at: datetime, lines: Iterable[str], *, run: int = 1) -> list[DialogueLine]:
    """Return lines of dialogue; `C: ` and `S: ` say who speaks, anything else is an event."""
    session = SessionId(client, run)
    said: list[DialogueLine] = []
    for line in lines:
        match line[:3]:
            case "C: ":
                said.append(DialogueLine(session, at, Direction.OUT, line[3:]))
            case "S: ":
                said.append(DialogueLine(session, at, Direction.IN, line[3:]))
            case _:
                said.append(DialogueLine(session, at, Direction.EVENT, line))
    return said


class Played:
    """A dashboard that is being tested: what it shows, and a hand on its keyboard and its time."""

    def __init__(self, pilot: Pilot[int], source: ScriptedSource) -> None:
        assert isinstance(pilot.app, Dashboard)
        self.pilot = pilot
        self.app: Dashboard = pilot.app
        self.source = source

    async def tell(self, *facts: Fact, dropped: int = 0) -> None:
        """Let facts happen and be shown."""
        self.source.tell(*facts, dropped=dropped)
        self.app.drain()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys and see their effect."""
        await self.pilot.press(*keys)
        self.app.drain()
        await self.pilot.pause()

    async def type_ahead(self, *keys: str) -> None:
        """Press keys at once, as a slow line delivers them, and see their effect."""
        for key in keys:
            name = _NAMES.get(key, key)
            self.app.post_message(Key(name, key if len(key) == 1 else None))
        await self.pilot.pause()
        self.app.drain()
        await self.pilot.pause()

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.source.clock.advance(seconds)
        self.app.tick()
        await self.pilot.pause()

    @property
    def rows(self) -> list[str]:
        """The screen, line by line, without blanks at the ends."""
        size = self.app.screen.size
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips(size)]

    @property
    def text(self) -> str:
        """The screen."""
        return "\n".join(self.rows)

    def styled(self, words: str) -> Strip:
        """Return the first line of the screen with these words, with its styles."""
        strips = self.app.screen._compositor.render_strips(self.app.screen.size)
        return next(strip for strip in strips if words in strip.text)

    def row(self, start: str) -> str:
        """Return the line of the screen that has `start` at the beginning of one of its words."""
        return next(line for line in self.rows if f" {start}" in f" {line}")

    @property
    def notices(self) -> list[str]:
        """The notices that stand."""
        return [notice.message for notice in self.app._notifications]


def play(
    scene: Callable[[Played], Awaitable[None]],
    *facts: Fact,
    size: tuple[int, int] = (99, 29),
    source: ScriptedSource | None = None,
    defects: bool = False,
    detaches: bool = False,
    theme: str = "terminal",
    remembered: Remembered | None = None,
    config: str | None = None,
) -> None:
    """Run a scene with a dashboard that has been told `facts`; it reports defects only where `defects` says so.

    The default size is the largest without frames.
    """
    source = source or ScriptedSource()
    source.tell(*facts)

    async def run() -> None:
        app = Dashboard(
            source,
            title="mail.xml",
            host="host1",
            detaches=detaches,
            theme=theme,
            remembered=remembered,
            config=config,
        )
        async with app.run_test(size=size) as pilot:
            played = Played(pilot, source)
            await pilot.pause()
            await scene(played)

    asyncio.run(run())
    assert bool(source.reported) == defects, source.reported
