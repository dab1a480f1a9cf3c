"""Signals to the real process: an end in good order, an end at once, a reload that works and one that does not."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.program.process import client, mail, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop, ServerPolicy
from tests.support.popserver_thread import RunningServer, running_server

#: With pipelining all messages would be in flight, and an end in good order waits for those.
ONE_BY_ONE = ServerPolicy(pipelining=False)


def maildrop(name: str = "me", *, messages: int = 0, faults: Faults | None = None) -> ServedMaildrop:
    box = ServedMaildrop(name, PASSWORD, faults=faults)
    for number in range(messages):
        box.add(mail(f"{name}{number}"))
    return box


def test_sigterm_in_mid_session_sends_quit_and_loses_nothing(tmp_path: Path) -> None:
    box = maildrop(messages=200)
    with running_server([box], policy=ONE_BY_ONE, faults=Faults(delay=0.02)) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address))
        with started(path, "--headless", "--once") as program:
            server.wait_for_line(b"RETR", count=3)
            program.send(signal.SIGTERM)
            assert program.ended(within=10) == 0
        said = server.said()
    delivered = len(os.listdir(tmp_path / "var/mail/isp/new"))
    assert said[-1] == b"QUIT"
    assert 0 < delivered < 200
    assert len(box.deleted) == delivered


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    box = maildrop(messages=1, faults=Faults(stall_within={1: 10}))
    with running_server([box]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address))
        with started(path, "--headless", "--once") as program:
            server.wait_for_line(b"RETR")
            program.send(signal.SIGTERM)
            program.wait_for("SIGTERM: ending")
            program.send(signal.SIGINT)
            # what is in flight would be waited for for 8 seconds
            assert program.ended(within=6) == 128 + signal.SIGINT
    assert len(box.messages) == 1


def test_sighup_ends_a_single_run(tmp_path: Path) -> None:
    with running_server([maildrop(messages=1, faults=Faults(stall={"QUIT"}))]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address))
        with started(path, "--headless", "--once") as program:
            server.wait_for_line(b"RETR")
            program.send(signal.SIGHUP)
            program.wait_for("SIGHUP: ending")
            assert program.ended() == 0


def often(name: str, server: RunningServer) -> str:
    return client(name, server.address, user=name, attributes='freq="100ms"')


def test_sighup_takes_over_a_good_file_and_refuses_a_broken_one(tmp_path: Path) -> None:
    boxes = [maildrop(name, messages=1) for name in ("one", "two")]
    before = "<delay_start>0</delay_start>"
    with running_server(boxes) as server:
        path = write_configuration(tmp_path / "c.xml", often("one", server), before=before)
        with started(path, "--headless") as program:
            program.wait_for("one: 1 message")

            write_configuration(tmp_path / "c.xml", often("two", server), "<cleint/>", before=before)
            program.send(signal.SIGHUP)
            program.wait_for("configuration not reloaded")
            assert f"{path}:3:1: error: " in program.wait_for("cleint")
            logins = boxes[0].logins
            server.wait_for_line(b"USER one", count=logins + 2)  # the old one goes on
            assert not boxes[1].logins

            write_configuration(tmp_path / "c.xml", often("two", server), before=before)
            program.send(signal.SIGHUP)
            assert "added two; removed one" in program.wait_for("configuration reloaded")
            program.wait_for("two: 1 message")

            program.send(signal.SIGTERM)
            assert program.ended() == 0


def test_a_reload_keeps_to_the_named_clients(tmp_path: Path) -> None:
    boxes = [maildrop(name, messages=1) for name in ("one", "two")]
    before = "<delay_start>0</delay_start>"
    with running_server(boxes) as server:
        path = write_configuration(tmp_path / "c.xml", often("one", server), often("two", server), before=before)
        with started(path, "--headless", "--client", "one") as program:
            program.wait_for("one: 1 message")
            program.send(signal.SIGHUP)
            program.wait_for("configuration reloaded")
            write_configuration(tmp_path / "c.xml", often("two", server), before=before)
            program.send(signal.SIGHUP)
            program.wait_for("there is no client 'one'")
            program.send(signal.SIGTERM)
            assert program.ended() == 0
    assert boxes[0].logins
    assert not boxes[1].logins


#: Python code: SIGHUP comes before the first session, and the start waits until it was refused.
HANGUP_AT_THE_START = """
import os, signal, trio
from tui_popretr.engine.service import Engine

read, note, refused = Engine._read_standings, Engine.note, trio.Event()

def noting(self, level, text):
    note(self, level, text)
    if "not possible now" in text:
        refused.set()

async def reading(self, keeper):
    os.kill(os.getpid(), signal.SIGHUP)
    await refused.wait()
    await read(self, keeper)

Engine.note, Engine._read_standings = noting, reading
"""


def test_sighup_at_the_start_is_refused_and_ends_nothing(tmp_path: Path) -> None:
    with running_server([maildrop("one", messages=1)]) as server:
        path = write_configuration(tmp_path / "c.xml", often("one", server), before="<delay_start>0</delay_start>")
        with started(path, "--headless", patch=HANGUP_AT_THE_START) as program:
            program.wait_for("SIGHUP: reloading is not possible now")
            program.wait_for("one: 1 message")
            program.stop()
