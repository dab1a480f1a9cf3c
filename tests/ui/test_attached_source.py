"""The attached dashboard's source, against a daemon that says what the test says, on a real Unix socket."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.support.clock import FakeClock
from tests.support.dashboard import clients, dialogue
from tests.support.waiting import PATIENCE, wait_for
from tui_popretr.answers import WaitingMail
from tui_popretr.commands import (
    Command,
    DeleteMessages,
    ListWaiting,
    MessageKey,
    PauseClient,
    PollAll,
    PollClient,
    ReadStatistics,
    Reload,
    ResumeClient,
    Shutdown,
    StopSession,
)
from tui_popretr.control import client, messages, snapshots
from tui_popretr.control.client import TIMEOUT, ControlClient, DaemonError
from tui_popretr.control.codec import event_to_json, to_json
from tui_popretr.facts import ClientPaused, ClientScheduled, DialogueLine, Fact, Noted
from tui_popretr.mailbox import Connection
from tui_popretr.status import ClientState, View
from tui_popretr.ui.shell.attached import AttachedSource

CLOCK = FakeClock()
NOW = CLOCK.now()
CONFIG = "/etc/mail.xml"
LINES = dialogue("isp", NOW, [f"S: line {number}" for number in range(100)])
FACTS: tuple[Fact, ...] = (clients("isp", "work"), ClientScheduled("isp", CLOCK.boottime() + 60))
ENDED = "the daemon has ended"


def snapshot(*lines: DialogueLine, facts: tuple[Fact, ...] = FACTS) -> dict[str, Any]:
    """Return the snapshot of a daemon with these facts and lines."""
    view = View()
    view.apply(facts, CLOCK.boottime(), NOW)
    taken = snapshots.take(view, lines, CLOCK.boottime(), NOW)
    (line,) = trio.run(lambda: snapshots.encode(taken, '{{"snapshot":{}}}'.format, recent=True))
    return dict(json.loads(line)["snapshot"])


class Served:
    """The daemon's side of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._reader = connection.makefile("rb")
        self._number = 0

    def send(self, message: dict[str, Any]) -> None:
        self.connection.sendall(messages.encode(message))

    def hello(self, *, config: str = CONFIG, protocol: int = 1, pid: int = 7) -> None:
        message = messages.hello_message(messages.hello(config, pid, NOW))
        message["hello"]["protocol"] = protocol
        self.send(message)

    def request(self) -> dict[str, Any]:
        """Return the next request."""
        return dict(json.loads(self._reader.readline()))

    def watched(self, *lines: DialogueLine, facts: tuple[Fact, ...] = FACTS) -> Served:
        """Answer the request to watch."""
        asked = self.request()
        assert (asked["request"], asked["dialogue"]) == ("watch", True)
        self.send({"id": asked["id"], "ok": snapshot(*lines, facts=facts)})
        return self

    def events(self, *facts: Fact | DialogueLine) -> None:
        for fact in facts:
            self._number += 1
            self.send({"n": self._number, **event_to_json(fact)})

    def gap(self, lost: int, *lines: DialogueLine, facts: tuple[Fact, ...] = FACTS) -> None:
        self.send({"gap": lost})
        self.send({"snapshot": snapshot(*lines, facts=facts)})

    def ended(self) -> bool:
        """Wait until the other side has closed."""
        while self._reader.readline():
            pass
        return True

    def close(self) -> None:
        self._reader.close()
        self.connection.close()


class Scene:
    """A source, the daemon that it is attached to, and what it has received until now."""

    def __init__(self, listener: socket.socket, stack: ExitStack) -> None:
        self.clock = FakeClock()
        self.lines: list[DialogueLine] = []
        self.facts: list[Fact] = []
        self.views: list[View] = []
        self.connections: list[Connection] = []
        self.dropped = 0
        self._listener = listener
        self._stack = stack

    def attach(self, *, read_only: bool = False) -> Served:
        """Start the source; return the daemon's side after the hello."""
        path = self._listener.getsockname()
        first: list[ControlClient] = []
        probe = _thread(lambda: first.append(ControlClient(path)))
        served = self.accept()
        served.hello()
        probe()
        self.source = AttachedSource(first[0], read_only=read_only, clock=self.clock, retry=0.01)
        self._stack.enter_context(self.source)
        return served

    def accept(self) -> Served:
        """Return the next connection."""
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE)
        served = Served(connection)
        self._stack.callback(served.close)
        return served

    def come_back(self, *lines: DialogueLine, pid: int = 8) -> Served:
        """Be the daemon that the source finds when it connects again."""
        served = self.accept()
        served.hello(pid=pid)
        return served.watched(*lines)

    def drain(self) -> Scene:
        drained = self.source.drain()
        self.lines += drained.lines
        self.facts += drained.facts
        self.dropped += drained.dropped
        if drained.view is not None:
            self.views.append(drained.view)
        if drained.connection is not None:
            self.connections.append(drained.connection)
        return self

    def until(self, condition: Callable[[], object]) -> None:
        """Drain until a condition holds."""
        wait_for(lambda: self.drain() and condition(), lambda: f"not with {self.texts} {self.connections} {self.facts}")

    def until_line(self, number: int) -> None:
        self.until(lambda: LINES[number] in self.lines)

    def until_title(self, text: str) -> None:
        self.until(lambda: self.title.startswith(text))

    @property
    def title(self) -> str:
        return self.connections[-1].texts[0] if self.connections else ""

    @property
    def texts(self) -> list[int]:
        """The numbers of the lines that have come."""
        return [LINES.index(line) for line in self.lines]

    @property
    def log(self) -> list[str]:
        return [fact.text for fact in self.facts if isinstance(fact, Noted)]


def _thread(act: Callable[[], object]) -> Callable[[], None]:
    """Do it in a thread; return what waits for its end."""
    thread = threading.Thread(target=act)
    thread.start()
    return thread.join


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack, _listening(tmp_path) as listener:
        yield Scene(listener, stack)


@contextmanager
def _listening(folder: Path) -> Iterator[socket.socket]:
    before = os.getcwd()
    os.chdir(folder)  # paths of sockets must be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("control.sock")
            listener.listen()
            listener.settimeout(PATIENCE)
            yield listener
    finally:
        os.chdir(before)


def refusal(answer: Future[str]) -> str:
    """Wait for the answer, which must be an error, and return its text."""
    problem = answer.exception(PATIENCE)
    assert isinstance(problem, ValueError)
    return str(problem)


# --- snapshots and events ---------------------------------------------------------------------------------------------


def test_the_snapshot_comes_first_then_events(scene: Scene) -> None:
    daemon = scene.attach().watched(*LINES[:3])
    daemon.events(ClientPaused("isp"), *LINES[3:5])
    scene.until_line(4)
    assert scene.texts == [0, 1, 2, 3, 4]
    assert [list(view.clients) for view in scene.views] == [["isp", "work"]]
    assert (scene.facts, scene.dropped) == ([ClientPaused("isp")], 0)
    assert scene.connections == [
        Connection(True, ("attached to 7, since 07:27", "attached to 7", "attached")),
    ]


def test_a_gap_whose_snapshot_overlaps_repeats_no_line(scene: Scene) -> None:
    daemon = scene.attach().watched(*LINES[:3])
    daemon.events(LINES[3])
    scene.until_line(3)
    daemon.gap(9, *LINES[1:7])
    daemon.events(LINES[7])
    scene.until_line(7)
    assert scene.texts == list(range(8))
    assert scene.dropped == 0
    assert len(scene.views) == 2


def test_a_gap_that_lost_lines_counts_them(scene: Scene) -> None:
    daemon = scene.attach().watched(*LINES[:2])
    scene.until_line(1)
    daemon.gap(6, *LINES[8:10])
    scene.until_line(9)
    assert (scene.texts, scene.dropped) == ([0, 1, 8, 9], 6)


def test_many_lines_before_a_gap_overlap(scene: Scene) -> None:
    daemon = scene.attach().watched(*LINES[:60])
    daemon.events(*LINES[60:80])
    daemon.gap(1, *LINES[40:90])
    daemon.events(*LINES[90:])
    scene.until_line(99)
    assert (scene.texts, scene.dropped) == (list(range(100)), 0)


def test_equal_lines_are_all_shown_once(scene: Scene) -> None:
    replies = dialogue("isp", NOW, ["S: +OK deleted"] * 300)
    daemon = scene.attach().watched(LINES[0], *replies[:100])
    daemon.close()
    scene.come_back(LINES[0], *replies, LINES[1], pid=7)
    scene.until_line(1)
    assert scene.lines == [LINES[0], *replies, LINES[1]]


def test_facts_before_a_snapshot_are_in_it(scene: Scene) -> None:
    daemon = scene.attach().watched()
    daemon.events(ClientPaused("isp"))
    daemon.gap(1, LINES[0], facts=(*FACTS, ClientPaused("isp")))
    daemon.events(ClientPaused("work"), LINES[1])
    wait_for(lambda: LINES[1] in scene.source._lines._waiting, "the last line")
    scene.drain()
    assert scene.facts == [ClientPaused("work")]
    assert [view.clients["isp"].state for view in scene.views] == [ClientState.PAUSED]


def test_events_of_a_later_version_are_skipped(scene: Scene) -> None:
    daemon = scene.attach().watched()
    daemon.send({"n": 1, "event": "moon_risen", "phase": 1})
    daemon.send({"news": True})
    daemon.events(LINES[0])
    scene.until_line(0)
    assert scene.facts == []


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "request_"),
    [
        (PollAll(), {"request": "poll", "all": True}),
        (PollClient("isp"), {"request": "poll", "client": "isp"}),
        (PauseClient("isp"), {"request": "pause", "client": "isp"}),
        (ResumeClient("isp"), {"request": "resume", "client": "isp"}),
        (StopSession("isp"), {"request": "stop", "client": "isp"}),
        (Reload(), {"request": "reload"}),
    ],
)
def test_each_command_is_a_request(command: Command, request_: dict[str, object], scene: Scene) -> None:
    daemon = scene.attach().watched()
    scene.until_title("attached")
    done, refused = scene.source.perform(command), scene.source.perform(command)
    first, second = daemon.request(), daemon.request()
    assert [{**each, "id": 0} for each in (first, second)] == [{"id": 0, **request_}] * 2
    daemon.send({"id": second["id"], "error": "there is no client isp"})
    daemon.send({"id": first["id"], "ok": "done"})
    assert done.result(PATIENCE) == "done"
    assert refusal(refused) == "there is no client isp"


def test_the_daemon_is_not_shut_down(scene: Scene) -> None:
    scene.attach().watched()
    scene.until_title("attached")
    assert refusal(scene.source.perform(Shutdown())) == "an attached dashboard cannot do this"


def test_read_only_sends_no_request(scene: Scene) -> None:
    daemon = scene.attach(read_only=True).watched()
    scene.until_title("attached to 7, since 07:27, read-only")
    assert scene.connections[0].texts[1:] == ("attached to 7, read-only", "read-only")
    assert "read-only" in refusal(scene.source.perform(PollAll()))
    scene.source.__exit__(None, None, None)
    assert daemon._reader.readline() == b""


def test_before_the_snapshot_nothing_can_be_done(scene: Scene) -> None:
    daemon = scene.attach()
    assert refusal(scene.source.perform(PollAll())) == (
        "there is no connection to the daemon yet, so this cannot be done"
    )
    assert "no connection to the daemon yet" in scene.source.refusal_of(ListWaiting("isp"))
    daemon.watched(LINES[0])
    scene.until_line(0)


def test_an_answer_is_lost_with_the_connection(scene: Scene) -> None:
    daemon = scene.attach().watched()
    scene.until_title("attached")
    answer = scene.source.perform(PollAll())
    daemon.request()
    daemon.close()
    assert refusal(answer) == f"the connection broke before the daemon answered: {ENDED}"


def test_without_an_answer_the_connection_is_ended(scene: Scene) -> None:
    daemon = scene.attach().watched()
    scene.until_title("attached")
    answer = scene.source.perform(PollAll())
    daemon.request()
    scene.clock.advance(client.TIMEOUT - 1)
    scene.drain()
    assert not answer.done()
    scene.clock.advance(1)
    scene.drain()
    assert daemon.ended()
    assert refusal(answer) == "the connection broke before the daemon answered: the daemon does not answer"
    scene.until_title("! the daemon does not answer; reconnecting")
    scene.come_back()
    scene.until_title("attached to 8")


def test_requests_that_are_not_read_do_not_block(scene: Scene) -> None:
    scene.attach().watched()
    scene.until_title("attached")
    for _ in range(100_000):
        answer = scene.source.perform(PollAll())
        if answer.done():
            break
    assert refusal(answer).startswith("the daemon does not answer")
    scene.until_title("!")
    assert scene.title == "! the daemon does not answer; reconnecting"


# --- the daemon goes, and another comes -------------------------------------------------------------------------------


def test_it_says_that_the_daemon_has_ended(scene: Scene) -> None:
    scene.attach().watched(LINES[0]).close()
    scene.until_title(f"! {ENDED}; reconnecting")
    assert scene.connections[-1] == Connection(False, (f"! {ENDED}; reconnecting", f"! {ENDED}", "! no daemon"))
    assert scene.log == [f"{ENDED}; the dashboard tries to connect again"]
    assert refusal(scene.source.perform(PollAll())) == f"{ENDED}, so this cannot be done"
    assert scene.texts == [0]


def test_after_a_broken_connection_no_line_comes_twice(scene: Scene) -> None:
    daemon = scene.attach().watched(*LINES[:3])
    daemon.events(LINES[3])
    daemon.close()
    scene.come_back(*LINES[2:6], pid=7).events(LINES[6])
    scene.until_line(6)
    assert (scene.texts, scene.dropped) == (list(range(7)), 0)


def test_what_was_sent_before_the_end_is_shown(scene: Scene) -> None:
    daemon = scene.attach().watched(LINES[0])
    daemon.events(ClientPaused("isp"), LINES[1])
    daemon.close()
    scene.until_title(f"! {ENDED}")
    assert scene.texts == [0, 1]
    assert ClientPaused("isp") in scene.facts


def test_a_daemon_of_another_configuration_is_refused(scene: Scene) -> None:
    scene.attach().watched().close()
    other = scene.accept()
    other.hello(config="/etc/other.xml")
    assert other.ended()
    scene.until_title("! the daemon that runs now has another configuration; reconnecting")
    assert scene.connections[-1].texts[1:] == ("! no connection to the daemon", "! no connection")
    scene.come_back()
    scene.until_title("attached to 8")
    assert len(scene.views) == 2


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b'{"id": null, "error": "there are 32 connections already"}\n', "there are 32 connections already"),
        (b"HTTP/1.1 400 Bad Request\n", "the daemon sent an invalid message"),
        (b'{"hello": {}}\n', "the program that listens on the control socket is not tui-popretr"),
    ],
)
def test_what_listens_then_may_be_of_no_use(sent: bytes, reason: str, scene: Scene) -> None:
    scene.attach().watched().close()
    other = scene.accept()
    other.connection.sendall(sent)
    assert other.ended()
    scene.until(lambda: reason in scene.title)
    assert any(reason in line for line in scene.log)
    scene.come_back()
    scene.until_title("attached to 8")


def test_a_daemon_of_another_protocol_is_refused(scene: Scene) -> None:
    scene.attach().watched().close()
    other = scene.accept()
    other.hello(protocol=2)
    assert other.ended()
    scene.until(lambda: "speaks version 2 of the control protocol" in scene.title)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"nothing\n", "the daemon sent an invalid message"),
        (b'{"n": 1, "event": "client_paused"}\n', "the daemon sent an invalid message"),
        (b'{"snapshot": {}}\n', "the daemon sent an invalid message"),
        (b'{"id": null, "error": "a line must hold one JSON object"}\n', "a line must hold one JSON object"),
        (b'{"id": [], "ok": 1}\n', "the daemon refused the connection"),
    ],
)
def test_an_invalid_message_ends_the_connection(sent: bytes, reason: str, scene: Scene) -> None:
    daemon = scene.attach().watched()
    daemon.connection.sendall(sent)
    assert daemon.ended()
    scene.until(lambda: reason in scene.title)
    scene.come_back()
    scene.until_title("attached to 8")


def test_a_defect_is_said_and_does_not_end_the_source(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise KeyError("a defect")

    daemon = scene.attach().watched()
    scene.until_title("attached")
    monkeypatch.setattr("tui_popretr.ui.shell.attached.event_from_json", fail)
    daemon.events(LINES[0])
    scene.until_title("! internal error: KeyError('a defect'); reconnecting")
    monkeypatch.undo()
    scene.come_back()
    scene.until_title("attached to 8")


def test_the_same_reason_is_said_once(scene: Scene) -> None:
    scene.attach().watched().close()
    for _ in range(3):
        other = scene.accept()
        other.hello(config="/etc/other.xml")
        assert other.ended()
    scene.until(lambda: "another configuration" in scene.title)
    assert len([line for line in scene.log if "another configuration" in line]) == 1


def test_it_ends_while_the_daemon_does_not_answer(scene: Scene) -> None:
    daemon = scene.attach()
    daemon.request()
    scene.source.__exit__(None, None, None)
    assert not scene.source._thread.is_alive()


def test_a_hello_that_does_not_come_is_an_error(scene: Scene) -> None:
    with pytest.raises(DaemonError, match="the daemon does not answer"):
        ControlClient("control.sock", timeout=0.01)
    assert scene.accept().ended()


# --- queries ----------------------------------------------------------------------------------------------------------


def test_a_query_and_its_answer(scene: Scene) -> None:
    served = scene.attach()
    served.watched()
    wait_for(lambda: scene.drain().views != [], "the snapshot")
    answer = scene.source.ask(ListWaiting("isp"))
    asked = served.request()
    assert asked == {"id": asked["id"], "request": "waiting", "client": "isp"}
    scene.clock.advance(10 * TIMEOUT)  # a session may take long
    scene.drain()
    mail = WaitingMail("isp", NOW, 0, 0, ())
    served.send({"id": asked["id"], "ok": to_json(mail)})
    assert answer.result(PATIENCE) == mail
    refused = scene.source.ask(ReadStatistics())
    served.send({"id": served.request()["id"], "error": "the journal is not open"})
    with pytest.raises(ValueError, match="the journal is not open"):
        refused.result(PATIENCE)


def test_a_request_with_many_messages_is_sent_whole(scene: Scene) -> None:
    served = scene.attach()
    served.watched()
    wait_for(lambda: scene.drain().views != [], "the snapshot")
    named = tuple(MessageKey(number, "u" * 450 + str(number), 1, "0" * 64) for number in range(500))
    answer = scene.source.ask(DeleteMessages("isp", named))
    assert not answer.done()
    assert len(served.request()["messages"]) == 500


def test_an_answer_of_another_form(scene: Scene) -> None:
    served = scene.attach()
    served.watched()
    wait_for(lambda: scene.drain().views != [], "the snapshot")
    answer = scene.source.ask(ListWaiting("isp"))
    served.send({"id": served.request()["id"], "ok": "done"})
    with pytest.raises(ValueError, match="the daemon sent an invalid answer"):
        answer.result(PATIENCE)


def test_a_read_only_dashboard_looks_and_changes_nothing(scene: Scene) -> None:
    served = scene.attach(read_only=True)
    served.watched()
    wait_for(lambda: scene.drain().views != [], "the snapshot")
    delete = DeleteMessages("isp", (MessageKey(1, "u", 1),))
    with pytest.raises(ValueError, match="read-only"):
        scene.source.ask(delete).result(PATIENCE)
    assert "read-only" in scene.source.refusal_of(delete)
    assert scene.source.refusal_of(ListWaiting("isp")) == ""
    scene.source.ask(ListWaiting("isp"))
    assert served.request()["request"] == "waiting"
