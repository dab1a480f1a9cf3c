"""The same screens for the same facts: in the program itself, and attached, where all passes through JSON."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

import pytest
import trio

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, ScriptedSource, clients, closed, dialogue, play, result, retrieving
from tui_popretr.control import messages, snapshots
from tui_popretr.control.codec import event_from_json, event_to_json
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    ClientPaused,
    ClientScheduled,
    ConfigurationReloaded,
    DialogueLine,
    Fact,
    Level,
    MessageDelivered,
    Noted,
    SessionId,
)
from tui_popretr.mailbox import Connection, Drained
from tui_popretr.status import View

CLOCK = FakeClock()
NOW, START = CLOCK.now(), CLOCK.boottime()
SIZES = [(80, 24), (45, 15), (200, 50)]
SCREENS: dict[str, tuple[str, ...]] = {
    "list": (),
    "transcript": ("a",),
    "messages": ("2",),
    "log": ("3",),
    "history": ("4",),
    "details": ("j", "enter"),
    "filter": ("slash", "w", "o"),
    "reload": ("ctrl+r",),
    "stop": ("j", "x"),
    "pause": ("p",),
    "full": ("tab", "f"),
}
FIRST: tuple[Fact, ...] = (
    clients("isp", "work", "home"),
    ClientScheduled("isp", START + 60),
    closed("home", result(NOW, code=ExitCode.LOGIN, error="the login was rejected", advice="check the password")),
    ClientScheduled("home", START + 90),
    *retrieving("work", NOW, received=3, of=10, octets=3000, of_octets=10_000),
    MessageDelivered(
        SessionId("work", 1), NOW, 1, "u1", 1000, "Maildir=/mail/work", "/mail/1", "<1@example.test>", "a@b"
    ),
    Noted(NOW, Level.WARNING, "home", "the login was rejected"),
    *dialogue("work", NOW, ["C: RETR 1", "S: +OK", "S: Subject: Grüße \x1b[31m"]),
)
LATER: tuple[Fact, ...] = (
    ClientPaused("isp"),
    closed("work", result(NOW, messages=3, octets=3000)),
    ClientScheduled("work", START + 300),
    ConfigurationReloaded((), (), ("isp",)),
    *dialogue("work", NOW, ["C: QUIT", "S: +OK bye"]),
)


class WireSource(ScriptedSource):
    """The first facts come as a snapshot, later ones as events; both pass through JSON."""

    def __init__(self) -> None:
        super().__init__()
        self._attached = False

    def drain(self) -> Drained:
        drained = super().drain()
        if self._attached:
            return Drained(_events(drained.facts), _events(drained.lines), drained.dropped)
        self._attached = True
        view = View()
        view.apply(drained.facts, self.boottime(), self.now())
        snapshot = snapshots.take(view, drained.lines, self.boottime(), self.now())
        restored, lines = snapshots.restore(_received(snapshot))
        return Drained([], lines, 0, restored)


def _events(facts: Sequence[Fact | DialogueLine]) -> list:  # type: ignore[type-arg]
    return [event_from_json(messages.decode(messages.encode(event_to_json(fact)))) for fact in facts]


def _received(snapshot: snapshots.Snapshot) -> dict[str, object]:
    """Encode a snapshot and read it, in a thread without the dashboard's loop."""
    read: list[dict[str, object]] = []

    def convert() -> None:
        parts = snapshots.SnapshotParts()
        *first, last = trio.run(lambda: snapshots.encode(snapshot, '{{"snapshot":{}}}'.format, recent=True))
        for line in first:
            parts.add(messages.decode(line)["part"])
        read.append(parts.whole(messages.decode(last)["snapshot"]))

    thread = threading.Thread(target=convert)
    thread.start()
    thread.join()
    return read[0]


def shown(source: ScriptedSource, keys: Sequence[str], size: tuple[int, int]) -> list[str]:
    """Return the screens after the first facts, after the keys, after the later facts, and a minute later."""
    screens: list[str] = []

    async def scene(played: Played) -> None:
        screens.append(played.text)
        await played.press(*keys)
        screens.append(played.text)
        await played.tell(*LATER)
        screens.append(played.text)
        await played.wait(60)
        screens.append(played.text)
        screens.append(str(played.source.performed))

    play(scene, *FIRST, size=size, source=source)
    return screens


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("screen", SCREENS)
def test_attached_and_in_process_are_the_same(screen: str, size: tuple[int, int]) -> None:
    keys = SCREENS[screen]
    in_process, attached = shown(ScriptedSource(), keys, size), shown(WireSource(), keys, size)
    assert attached == in_process
    assert "work" in in_process[0]


def test_a_view_and_a_connection_replace_what_is_shown() -> None:
    attached = Connection(True, ("attached to 7, since 10:00",))

    async def scene(played: Played) -> None:
        view = View()
        view.apply([clients("new"), ClientScheduled("new", START + 5)], START, NOW)
        played.source.drain = lambda: Drained([], [], 0, view, attached)  # type: ignore[method-assign]
        played.app.drain()
        await played.pilot.pause()
        assert "attached to 7, since 10:00" in played.text
        assert "new" in played.text
        assert "isp" not in played.text

    play(scene, clients("isp"), size=(120, 30))


# --- the state of the connection --------------------------------------------------------------------------------------

ATTACHED = Connection(True, ("attached to 12345, since 10:00", "attached to 12345", "attached"))
READ_ONLY = Connection(True, ("attached to 12345, since 10:00, read-only", "attached to 12345, read-only", "read-only"))
GONE = Connection(False, ("! the daemon has ended; reconnecting", "! the daemon has ended", "! no daemon"))
MISFIT = Connection(False, (f"! {'the daemon is of another version; ' * 4}", "! no connection to the daemon"))


@pytest.mark.parametrize(
    ("connection", "width", "row"),
    [
        (ATTACHED, 45, "3 clients|↓ 1 running|✗ 0 failed|attached"),
        (ATTACHED, 80, "3 clients|↓ 1 running|✗ 0 failed|attached to 12345, since 10:00"),
        (READ_ONLY, 45, "3 clients|↓ 1 running|✗ 0 failed|read-only"),
        (READ_ONLY, 80, "3 clients|↓ 1 running|✗ 0 failed|attached to 12345, since 10:00, read-only"),
        (GONE, 45, "! the daemon has ended; reconnecting"),
        (GONE, 80, "3 clients|↓ 0 running|✗ 0 failed|! the daemon has ended; reconnecting"),
        (GONE, 20, "! no daemon"),
        (MISFIT, 80, "3 clients|↓ 0 running|✗ 0 failed|! no connection to the daemon"),
    ],
)
def test_the_first_line_shows_the_connection(connection: Connection, width: int, row: str) -> None:
    async def scene(played: Played) -> None:
        played.source.drain = lambda: Drained([], [], 0, None, connection)  # type: ignore[method-assign]
        played.app.drain()
        await played.pilot.pause()
        first = played.rows[0]
        assert re.sub("  +|(?<=failed) (?=read-only$)", "|", first.strip()) == row
        assert "  " in first or len(first) == width

    play(scene, *FIRST[:2], *retrieving("work", NOW, received=3, of=10, octets=1, of_octets=10), size=(width, 24))


def test_at_200_columns_all_totals_are_there_too() -> None:
    async def scene(played: Played) -> None:
        played.source.drain = lambda: Drained([], [], 0, None, ATTACHED)  # type: ignore[method-assign]
        played.app.drain()
        await played.pilot.pause()
        assert "today 1 message, 1 kB" in played.rows[1]
        assert "attached to 12345, since 10:00 " in played.rows[0]

    play(scene, *FIRST, size=(200, 50))


@pytest.mark.parametrize("keys", [(), ("j", "enter")])
def test_without_a_daemon_nothing_runs_and_nothing_is_planned(keys: tuple[str, ...]) -> None:
    async def scene(played: Played) -> None:
        await played.press(*keys)
        played.source.drain = lambda: Drained([], [], 0, None, GONE)  # type: ignore[method-assign]
        played.app.drain()
        await played.wait(3)
        text = played.text
        assert "? unknown" in text
        assert "✗ failed" in text or keys
        for lie in ("retrieving", "1:00", "0:57", "1:30", "1:27", "next run  ", "3/10"):
            assert lie not in text
        played.source.drain = ScriptedSource.drain.__get__(played.source)  # type: ignore[method-assign]
        played.app.drain()
        await played.tell(ClientScheduled("work", CLOCK.boottime() + 100))
        assert "1:3" in played.text

    play(scene, *FIRST, size=(100, 30))
