"""The server over real Unix sockets: requests, events, gaps, bounds, and connections that misbehave."""

from __future__ import annotations

import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.control.serving import Connection, check_request, serving
from tests.support.clock import FakeClock
from tests.support.dashboard import closed, result
from tui_popretr.commands import (
    PauseAll,
    PauseClient,
    PollAll,
    PollClient,
    Reload,
    ResumeAll,
    ResumeClient,
    Shutdown,
    StopAll,
    StopSession,
)
from tui_popretr.control import server
from tui_popretr.control.messages import LONGEST_ERROR, MAX_LINE
from tui_popretr.control.server import GAP_INTERVAL, INTERVAL, MAX_CONNECTIONS, MAX_EVENTS, MAX_OCTETS
from tui_popretr.control.snapshots import SnapshotParts
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    ClientPaused,
    ClientQueued,
    Dialogue,
    Direction,
    Level,
    Noted,
    PastSession,
    SessionId,
    SessionStarted,
)

A = SessionId("a", 1)
NOW = FakeClock().now()


@trio_test
async def test_hello_comes_first(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        hello = await Connection(await served.open()).receive()
    assert set(hello["hello"]) == {"program", "version", "protocol", "config", "pid", "started"}
    assert (hello["hello"]["program"], hello["hello"]["protocol"]) == ("tui-popretr", 1)


@pytest.mark.parametrize(
    ("request_", "fields", "command"),
    [
        ("poll", {"client": "a"}, PollClient("a")),
        ("poll", {"all": True}, PollAll()),
        ("pause", {"client": "a"}, PauseClient("a")),
        ("pause", {"all": True}, PauseAll()),
        ("resume", {"client": "a"}, ResumeClient("a")),
        ("resume", {"all": True}, ResumeAll()),
        ("stop", {"client": "a"}, StopSession("a")),
        ("stop", {"all": True}, StopAll()),
        ("reload", {}, Reload()),
        ("shutdown", {}, Shutdown()),
    ],
)
@trio_test
async def test_each_command(
    request_: str, fields: dict[str, Any], command: object, tmp_path: Path, autojump_clock: MockClock
) -> None:
    check_request({"id": 1, "request": request_, **fields})
    async with serving(tmp_path, "a") as served:
        connection = await served.connect()
        assert await connection.ask(request_, future=[1], **fields) == "done"
        served.daemon.refusal = "there is no client a"
        assert await connection.ask(request_, **fields) == "there is no client a"
        assert served.daemon.performed == [command]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ("coffee", "unknown request 'coffee'"),
        ("poll", 'poll needs "client": ID or "all": true'),
        ("history", "history needs a client"),
    ],
)
@trio_test
async def test_a_refused_request_keeps_the_connection(
    request_: str, error: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with serving(tmp_path, "a") as served:
        connection = await served.connect()
        assert await connection.ask(request_) == error
        assert await connection.ask("reload") == "done"


@trio_test
async def test_an_id_may_be_text(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        connection = await served.connect()
        await connection.stream.send_all(b'{"id":"x","request":"reload"}\n{"id":"y","request":"nothing"}\n')
        assert await connection.receive() == {"id": "x", "ok": "done"}
        assert (await connection.receive())["id"] == "y"


@trio_test
async def test_status(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a", "b") as served:
        served.daemon.bus.publish(closed("a", result(NOW, code=ExitCode.LOGIN, error="no")))
        snapshot = await (await served.connect()).ask("status")
    assert [client["id"] for client in snapshot["clients"]] == ["a", "b"]
    assert "view" not in snapshot["clients"][0]
    assert "dialogue" not in snapshot
    last = snapshot["clients"][0]["last"]
    assert (last["code"], last["error"], snapshot["clients"][1]["last"]) == (77, "no", None)
    assert snapshot["clients"][0]["failures_in_a_row"] == 1


@trio_test
async def test_history(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        served.daemon.past = [PastSession("a", NOW, NOW, ExitCode.OK, 1, 10, "")]
        connection = await served.connect()
        answer = await connection.ask("history", client="a", limit=10**30)
        await connection.ask("history", client="a", limit=-1)
    assert answer["sessions"][0]["messages"] == 1
    assert served.daemon.asked == [("a", 1000), ("a", 1)]


# --- watching ---------------------------------------------------------------------------------------------------------


@trio_test
async def test_events_follow_the_snapshot_without_holes(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        bus = served.daemon.bus
        bus.publish(ClientPaused("a"))
        connection = await served.connect()
        snapshot = await connection.ask("watch")
        assert snapshot["clients"][0]["state"] == "paused"
        for number in range(3):
            bus.publish(ClientQueued("a"))
            bus.publish(SessionStarted(SessionId("a", number), NOW))
            await trio.sleep(1.0)
        events = [await connection.receive() for _ in range(6)]
    assert [event["n"] for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event["event"] for event in events] == ["client_queued", "session_started"] * 3
    assert events[-1]["session"] == "a-2"


@trio_test
async def test_dialogue_comes_if_asked_for(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        bus = served.daemon.bus
        plain, talkative = await served.connect(), await served.connect()
        bus.publish_dialogue(Dialogue(A, NOW, [(Direction.IN, "+OK before")]))
        await plain.ask("watch")
        snapshot = await talkative.ask("watch", dialogue=True)
        assert [line["text"] for line in snapshot["dialogue"]] == ["+OK before"]
        bus.publish_dialogue(Dialogue(A, NOW, [(Direction.IN, "+OK"), (Direction.OUT, "QUIT")]))
        await trio.sleep(1.0)
        bus.publish(ClientPaused("a"))
        lines = [await talkative.receive() for _ in range(3)]
        assert (await plain.receive())["event"] == "client_paused"
    assert [line.get("text") for line in lines] == ["+OK", "QUIT", None]
    assert (lines[0]["event"], lines[0]["direction"]) == ("dialogue_line", "<<")


@trio_test
async def test_without_watchers_nothing_is_subscribed(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        bus = served.daemon.bus
        before = len(bus._subscribers), len(bus._dialogue_subscribers)
        connection = await served.connect()
        await connection.ask("watch", dialogue=True)
        assert (len(bus._subscribers), len(bus._dialogue_subscribers)) == (before[0] + 1, before[1] + 1)
        await connection.stream.aclose()
        await trio.sleep(1.0)
        assert (len(bus._subscribers), len(bus._dialogue_subscribers)) == before


@trio_test
async def test_an_action_comes_between_its_events(tmp_path: Path, autojump_clock: MockClock) -> None:
    """What happened before an action is reported before its answer, what it leads to after it."""
    async with serving(tmp_path, "a") as served:
        daemon = served.daemon
        perform = daemon.perform
        connection = await served.connect()
        await connection.ask("watch")

        def performing(command: Any) -> str:
            daemon.bus.publish(ClientPaused("a"))
            return perform(command)

        daemon.perform = performing  # type: ignore[method-assign]
        await trio.sleep(0.95)
        daemon.bus.publish(ClientQueued("a"))
        await connection.send("pause", client="a")
        received = [await connection.receive() for _ in range(3)]
    assert [each.get("event") for each in received] == ["client_queued", None, "client_paused"]


@trio_test
async def test_no_event_comes_before_a_long_snapshot(tmp_path: Path, autojump_clock: MockClock) -> None:
    ids = [f"c{number}" for number in range(500)]
    async with serving(tmp_path, *ids) as served:
        other, connection = await served.connect(), await served.connect()
        await other.ask("watch")
        async with trio.open_nursery() as nursery:

            async def publish() -> None:
                while True:
                    served.daemon.bus.publish(ClientPaused("c1"))
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(publish)
            await connection.send("watch")
            first = await connection.receive()
            while "part" in first:
                first = await connection.receive()
            nursery.cancel_scope.cancel()
    assert "ok" in first


async def _flood(served: Any, count: int, text: str = "x") -> None:
    for _ in range(count):
        served.daemon.bus.publish(Noted(NOW, Level.INFO, None, text))
    await trio.sleep(1.0)


@pytest.mark.parametrize(("count", "octets"), [(MAX_EVENTS + 500, 1), (300, MAX_OCTETS // 100)])
@trio_test
async def test_a_reader_that_stops_gets_a_gap(
    count: int, octets: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with serving(tmp_path, "a") as served:
        connection = await served.connect()
        await connection.ask("watch")
        for _ in range(8):
            await _flood(served, count, "x" * octets)
        served.daemon.bus.publish(ClientPaused("a"))
        await trio.sleep(1.0)
        numbers, lost, state, parts = [], 0, "", SnapshotParts()
        with trio.move_on_after(5.0):
            while True:
                message = await connection.receive()
                lost += message.get("gap", 0)
                if "part" in message:
                    parts.add(message["part"])
                elif "snapshot" in message:
                    state = parts.whole(message["snapshot"])["clients"][0]["state"]
                elif "n" in message:
                    numbers.append(message["n"])
        served.daemon.bus.publish(ClientQueued("a"))
        message = await connection.receive()
        assert message["event"] == "client_queued"
        assert numbers == list(range(1, len(numbers) + 1))
        assert message["n"] == len(numbers) + 1
        assert lost > 0
        assert len(numbers) + lost == 8 * count + 1
        assert state == "paused"


@trio_test
async def test_readers_with_gaps_share_a_snapshot(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, "a") as served:
        daemon = served.daemon
        readers = [await served.connect() for _ in range(10)]
        for each in readers:
            await each.ask("watch")
        taken: list[float] = []
        snapshot = daemon.snapshot

        def counted() -> Any:
            taken.append(trio.current_time())
            return snapshot()

        monkeypatch.setattr(daemon, "snapshot", counted)
        begun = trio.current_time()
        for _ in range(20):
            for _ in range(MAX_EVENTS + 1):
                daemon.bus.publish(Noted(NOW, Level.INFO, None, "x"))
            await trio.sleep(INTERVAL)
        for each in readers:
            lost = 0
            while lost < 20 * (MAX_EVENTS + 1):
                lost += (await each.receive()).get("gap", 0)
            assert lost == 20 * (MAX_EVENTS + 1)
        assert 0 < len(taken) <= (trio.current_time() - begun) / GAP_INTERVAL + 1


@trio_test
async def test_the_queue_of_a_stopped_reader_is_bounded(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = [0, 0]
    put = server._Connection.put

    def measured(self: server._Connection, events: Any) -> None:
        put(self, events)
        largest[0] = max(largest[0], sum(each.count for each in self._waiting))
        largest[1] = max(largest[1], sum(each.octets for each in self._waiting))

    monkeypatch.setattr(server._Connection, "put", measured)
    async with serving(tmp_path, "a") as served:
        stopped, reading = await served.connect(), await served.connect()
        await stopped.ask("watch")
        await reading.ask("watch")
        seen = 0
        for _ in range(3):
            await _flood(served, 500, "x" * 5000)
            for _ in range(500):
                assert (await reading.receive())["event"] == "noted"
                seen += 1
    assert seen == 1_500
    assert 0 < largest[0] <= 2000
    assert 0 < largest[1] <= 4 * 1024 * 1024


# --- connections that misbehave ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (b"hello\n", "a line must hold one JSON object in UTF-8"),
        (b"\xff\xfe\n", "a line must hold one JSON object in UTF-8"),
        (b"[1]\n", "a line must hold one JSON object in UTF-8"),
        (b"{}\n", "Request lacks 'id'"),
        (b'{"id":1}\n', "Request lacks 'request'"),
        (b'{"id":[],"request":"status"}\n', "[] is not one of int, str"),
        (b'{"id":"%b","request":"status"}\n' % (b"x" * 201), "the id of a request has at most 200 characters"),
        (b"x" * MAX_LINE, f"a line is longer than {MAX_LINE} octets"),
        (b"x" * (MAX_LINE + 5) + b"\n", f"a line is longer than {MAX_LINE} octets"),
    ],
)
@trio_test
async def test_a_wrong_line_closes_the_connection(
    octets: bytes, error: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with serving(tmp_path, "a") as served:
        other, connection = await served.connect(), await served.connect()
        await connection.stream.send_all(octets)
        assert await connection.receive() == {"id": None, "error": error}
        assert await connection.closed()
        assert await other.ask("reload") == "done"


@trio_test
async def test_a_long_name_makes_no_long_error(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        connection = await served.connect()
        served.daemon.refusal = f"there is no client '{'x' * 10**6}'"
        for error in (
            await connection.ask("x" * 10**6),
            await connection.ask("poll", client="x"),
        ):
            assert len(error) == LONGEST_ERROR
            assert error.endswith("x…")


@trio_test
async def test_half_a_line_before_the_end(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        connection = await served.connect()
        await connection.stream.send_all(b'{"id":1,"request":"reload"}\n{"id":2,"request":"shutdown"}')
        await connection.stream.send_eof()
        assert await connection.receive() == {"id": 1, "ok": "done"}
        assert await connection.receive() == {"id": None, "error": "the last line has no end"}
        assert await connection.closed()
        assert served.daemon.performed == [Reload()]


@trio_test
async def test_a_line_in_pieces(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        connection = await served.connect()
        for octet in json.dumps({"id": 1, "request": "reload", "more": "x" * 50}).encode() + b"\n":
            await connection.stream.send_all(bytes([octet]))
            await trio.sleep(0.01)
        assert await connection.receive() == {"id": 1, "ok": "done"}


@trio_test
async def test_the_33rd_connection_is_refused(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        open_ = [await served.connect() for _ in range(MAX_CONNECTIONS)]
        refused = [Connection(await served.open()) for _ in range(70)]
        for each in refused:
            assert await each.receive() == {
                "id": None,
                "error": "there are 32 connections already; close another one first",
            }
            assert await each.closed()
        await open_[0].stream.aclose()
        await trio.sleep(0.1)
        assert await (await served.connect()).ask("reload") == "done"


@trio_test
async def test_another_user_is_refused(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, "a") as served:
        for uid, allowed in ((os.geteuid() + 1, False), (0, True), (os.geteuid(), True)):
            monkeypatch.setattr(server, "peer_uid", lambda _, uid=uid: uid)
            message = await Connection(await served.open()).receive()
            assert message.get("error") == (None if allowed else "only the user of the daemon and root may connect")


@trio_test
async def test_a_reset_connection_ends_no_other(tmp_path: Path, autojump_clock: MockClock) -> None:
    """A peer that closes with octets unread resets the connection, while the server reads and while it sends."""
    async with serving(tmp_path, "a") as served:
        other = await served.connect()
        await other.ask("watch")
        for request in (None, "status", "watch"):
            async with AsyncExitStack() as stack:
                raw = await stack.enter_async_context(await served.open())
                if request:
                    await raw.send_all(b'{"id":1,"request":"%b"}\n' % request.encode())
                    await trio.sleep(0.5)
                    await _flood(served, 300, "x" * 1000)
            await _flood(served, 2)
        while (await other.receive()).get("n") != 606:
            pass
        assert await other.ask("reload") == "done"


@trio_test
async def test_another_user_that_can_reach_it(tmp_path: Path) -> None:
    """A process of another user, by SO_PEERCRED. The permissions that keep it away are changed for this test."""
    if os.geteuid() != 0:
        pytest.skip("a process of another user needs root")
    script = (
        "import os, socket\ns = socket.socket(socket.AF_UNIX)\nos.setuid(65534)\n"
        "s.connect('control.sock')\nprint(s.recv(9999).decode())"
    )
    async with serving(tmp_path, "a") as served:
        os.chmod(tmp_path, 0o755)
        os.chmod(served.path, 0o666)
        done = await trio.run_process([sys.executable, "-S", "-c", script], capture_stdout=True, cwd=tmp_path)
        assert json.loads(done.stdout) == {"id": None, "error": "only the user of the daemon and root may connect"}
        assert await (await served.connect()).ask("reload") == "done"


@trio_test
async def test_slow_connections_do_not_delay_the_end(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        silent, half, stopped, gapped = [await served.connect() for _ in range(4)]
        await half.stream.send_all(b'{"id":1,"req')
        for each in (stopped, gapped):
            await each.ask("watch")
        wrong = await served.open()  # has got its error, and does not close
        await wrong.send_all(b"wrong\n")
        for _ in range(4):
            await _flood(served, MAX_EVENTS + 1, "x" * 1000)
        refused = [await served.open() for _ in range(MAX_CONNECTIONS)]
        await trio.sleep(0.1)
        begun = trio.current_time()
        await served.end()
        assert trio.current_time() == begun
        assert await silent.closed()
    assert len(refused) == MAX_CONNECTIONS


@trio_test
async def test_the_server_ends_with_connections_open(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with serving(tmp_path, "a") as served:
        idle, watching = await served.connect(), await served.connect()
        await watching.ask("watch", dialogue=True)
        await served.end()
        assert await idle.closed()
        assert await watching.closed()
    assert not os.path.lexists(served.path)  # noqa: ASYNC240
