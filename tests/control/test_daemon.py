"""The engine with a control socket: mail is retrieved with and without one, and no password passes over it."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.control.serving import Connection
from tests.support.passwords import PASSWORD
from tests.support.running import Fleet
from tui_popretr.config.model import ClientSettings
from tui_popretr.control.daemon import ControlTask, EngineDaemon
from tui_popretr.control.socket_file import ControlSocket
from tui_popretr.facts import Level, MessageDelivered, Noted


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    tmp_path.chmod(0o700)
    return Fleet(tmp_path)


@asynccontextmanager
async def running(fleet: Fleet, path: str, *clients: ClientSettings, **settings: Any) -> AsyncIterator[None]:
    async with fleet.running(*clients, control_socket=path, **settings) as engine:
        engine.companions.append(ControlTask(engine, "/etc/mail.xml"))
        yield


async def connected(path: str) -> Connection:
    """Connect as soon as the socket is there, and read the hello."""
    with trio.fail_after(1e6):
        while True:
            try:
                connection = Connection(await trio.open_unix_socket(path))
            except OSError:
                await trio.sleep(0.1)
            else:
                await connection.receive()
                return connection


@trio_test
async def test_what_passes_over_the_socket(fleet: Fleet, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Each message is searched for passwords by Connection.receive()."""
    path = str(tmp_path / "control.sock")
    clients = [fleet.client("a", frequency=50.0, mails=3), fleet.client("b", frequency=50.0, password="another")]
    async with running(fleet, path, *clients):
        connection = await connected(path)
        await connection.ask("watch", dialogue=True)
        await connection.send("poll", all=True)
        events: list[dict[str, Any]] = []
        while sum(each.get("event") == "session_closed" for each in events) < 4:
            events.append(await connection.receive())
        assert "PASS ****" in [each.get("text") for each in events]
        assert PASSWORD not in str(events)
        assert [each["n"] for each in events if "n" in each] == list(range(1, sum("n" in each for each in events) + 1))
        other = await connected(path)
        snapshot = await other.ask("watch")
        assert [each["messages"] for each in snapshot["clients"]] == [3, 0]
        assert snapshot["clients"][1]["failures_in_a_row"] >= 1
        history = await other.ask("history", client="b")
        assert {each["code"] for each in history["sessions"]} == {77}
        for each in (connection, other):
            await each.stream.aclose()


@trio_test
async def test_sessions_before_the_start_are_known(fleet: Fleet, tmp_path: Path, autojump_clock: MockClock) -> None:
    path = str(tmp_path / "control.sock")
    await fleet.until_done(fleet.client(runs=1, mails=3))
    fleet.remember = 10
    fleet.ended = None
    async with fleet.running(fleet.client(), control_socket=path, delay_start=1e5) as engine:
        engine.companions += [_slow, ControlTask(engine, "/etc/mail.xml")]
        connection = await connected(path)
        snapshot = await connection.ask("status")
        assert snapshot["clients"][0]["last"]["messages"] == 3
        assert await connection.ask("history", client="\ud800") == "there is no client '\ud800'"
        await connection.stream.aclose()


async def _slow(*, task_status: trio.TaskStatus[None]) -> None:
    await trio.sleep(1)
    task_status.started()


def _full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("trouble", ["file", "folder", "long", "live", "full", "no folder", "none"])
@trio_test
async def test_mail_goes_on_without_a_socket(
    trouble: str, fleet: Fleet, tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o700)
    path = str(place / "control.sock")
    expected = {
        "file": "another file is there",
        "folder": "others can write to the folder",
        "long": "longer than 107 octets",
        "live": "another program listens on it",
        "full": "no space left on device",
        "no folder": "not a directory",
    }
    with socket.socket(socket.AF_UNIX) as listener:
        match trouble:
            case "file":
                (place / "control.sock").touch()
            case "folder":
                place.chmod(0o777)
            case "long":
                path += "x" * 107
            case "live":
                listener.bind(path)
                listener.listen()
            case "full":
                monkeypatch.setattr(os, "chmod", _full_disk)
            case "no folder":
                (place / "file").touch()
                path = str(place / "file" / "folder" / "control.sock")
            case _:
                path = "-"
        async with running(fleet, path, fleet.client("a", mails=2)):
            await trio.sleep(60.0)
    assert len(fleet.of(MessageDelivered)) == 2
    notes = [fact.text for fact in fleet.of(Noted) if "control socket" in fact.text]
    assert [expected[trouble] in note for note in notes] == ([] if trouble == "none" else [True])


@trio_test
async def test_a_bug_closes_the_socket_and_mail_goes_on(
    fleet: Fleet, tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "control.sock")
    async with running(fleet, path, fleet.client("a", mails=2), delay_start=100.0):
        connection = await connected(path)
        monkeypatch.delattr(EngineDaemon, "snapshot")
        await connection.send("status")
        assert await connection.closed()
        await fleet.wait_for(lambda: len(fleet.of(MessageDelivered)) == 2)
        assert os.listdir(tmp_path).count("control.sock") == 0
        await connection.stream.aclose()
    (note,) = [fact for fact in fleet.of(Noted) if "control socket" in fact.text]
    assert note.level is Level.ERROR
    assert "AttributeError" in note.text


@trio_test
async def test_a_hung_file_system_ends_the_wait_for_a_socket(
    fleet: Fleet, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with running(fleet, str(tmp_path / "control.sock"), fleet.client("a", mails=2)):
        others = trio.to_thread.run_sync

        async def run_sync(function: Callable[..., object], *arguments: object, **options: Any) -> object:
            if function is ControlSocket:
                await trio.sleep_forever()
            return await others(function, *arguments, **options)

        with patch.object(trio.to_thread, "run_sync", run_sync):
            await trio.sleep(60.0)
    assert len(fleet.of(MessageDelivered)) == 2
    notes = [fact.text for fact in fleet.of(Noted) if "control socket" in fact.text]
    assert ["its file system has not answered for 10 s" in note for note in notes] == [True]
