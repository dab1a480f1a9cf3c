"""The commands that watch and steer a daemon, with the real program in a process."""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.program.process import client, environment, mail, run_program, started, write_configuration
from tests.support.passwords import PASSWORD, discreet
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tui_popretr.cli.main import main
from tui_popretr.clock import SystemClock
from tui_popretr.control import messages
from tui_popretr.errors import ExitCode

SLOW = "<delay_start>1h</delay_start>"


@contextmanager
def daemon(tmp_path: Path, *, password: str = PASSWORD) -> Iterator[str]:
    """Run a program with the clients `a` (2 messages) and `b` (none), and return its configuration."""
    tmp_path.chmod(0o700)
    drops = [ServedMaildrop("me", PASSWORD), ServedMaildrop("you", PASSWORD)]
    for number in range(2):
        drops[0].add(mail(f"m{number}"))
    with running_server(drops) as server:
        address = f"127.0.0.1:{server.port}"
        config = write_configuration(
            tmp_path / "mail.xml",
            client("a", address, password=password, attributes='freq="1h"'),
            client("b", address, user="you", attributes='freq="1h"'),
            before=SLOW,
        )
        with started(config, "--headless", "-v") as program:
            program.wait_for("first sessions in")
            wait_for_socket(tmp_path)
            yield config


def wait_for_socket(folder: Path) -> None:
    """Connect until the socket accepts: it listens before the first session, but after the first line."""
    path = str(folder / "var" / "control.sock")
    ready = threading.Event()
    for _ in range(300):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(path)
            except OSError:
                ready.wait(0.1)
            else:
                return
    raise AssertionError("no control socket")


def test_the_commands_in_turn(tmp_path: Path) -> None:
    with daemon(tmp_path) as config:
        table = run_program("status", config)
        assert table.code == 0, table.err
        lines = table.out.splitlines()
        assert lines[0].split() == ["client", "state", "next", "run", "messages", "last", "success", "last", "result"]
        assert lines[1].startswith("a       waiting")
        assert "2 clients, 0 running, 0 failed; today no new messages" in lines[3]

        polled = run_program("poll", config, "--all", "--wait")
        assert polled.code == 0, polled.err
        assert polled.out.splitlines()[0] == "all clients run now"
        assert {*polled.out.splitlines()[1:]} == {"a: 2 messages, 147 B, deleted 2", "b: no new messages"} or (
            "a: 2 messages" in polled.out and "b: no new messages" in polled.out
        )

        status = json.loads(run_program("status", config, "--json").out)
        assert [each["messages"] for each in status["clients"]] == [2, 0]
        assert status["clients"][0]["last"]["code"] == 0

        metrics = run_program("status", config, "--prometheus").out
        assert 'popretr_client_messages_total{client="a"} 2.0' in metrics
        assert 'popretr_client_sessions_total{client="b",result="ok"} 1.0' in metrics

        assert run_program("pause", config, "--client", "a", "--client", "b").out == "a is paused\nb is paused\n"
        assert "paused" in run_program("status", config).out
        assert run_program("resume", config, "--all").out == "all clients continue\n"
        assert run_program("stop", config, "--client", "a").out == "a has no session\n"
        assert run_program("reload", config).out == "configuration reloaded: no client has changed\n"
        assert run_program("shutdown", config).out == "ending\n"


def test_a_failed_login_is_the_exit_code(tmp_path: Path) -> None:
    with daemon(tmp_path, password="wrong") as config:
        assert run_program("status", config, "--exit-code").code == ExitCode.OK
        polled = run_program("poll", config, "--client", "b", "--client", "a", "--wait")
        assert polled.code == ExitCode.LOGIN
        assert "a: failed: the server rejected the login" in polled.out
        assert run_program("status", config, "--exit-code").code == ExitCode.LOGIN
        assert run_program("status", config).code == ExitCode.OK


def test_a_client_that_does_not_exist(tmp_path: Path) -> None:
    with daemon(tmp_path) as config:
        for arguments in (("poll", "--client", "x"), ("poll", "--client", "x", "--wait"), ("stop", "--client", "x")):
            done = run_program(arguments[0], config, *arguments[1:])
            assert done.code == ExitCode.USAGE
            assert "there is no client 'x'" in done.err
        done = run_program("tail", config, "--client", "aa")
        assert (done.code, "did you mean 'a'?" in done.err) == (ExitCode.USAGE, True)


def test_a_broken_configuration_can_still_be_watched(tmp_path: Path) -> None:
    with daemon(tmp_path) as config:
        text = Path(config).read_text()
        Path(config).write_text(text.replace('freq="1h"', 'freq="often"'))
        assert run_program("status", config).code == 0


def test_a_reload_that_is_impossible_changes_nothing(tmp_path: Path) -> None:
    with daemon(tmp_path) as config:
        good = Path(config).read_text()
        Path(config).write_text(good.replace('freq="1h"', 'freq="often"'))
        done = run_program("reload", config)
        assert done.code == ExitCode.CONFIGURATION
        assert done.out == ""
        first, second, last = done.err.splitlines()
        assert re.fullmatch(rf"tui-popretr: {config}:2:\d+: error: .*often.*", first), first
        assert f"{config}:3:" in second
        assert last == "tui-popretr: the daemon keeps the old configuration"
        polled = run_program("poll", config, "--client", "a", "--wait")
        assert (polled.code, "a: 2 messages" in polled.out) == (0, True)

        Path(config).write_text(good.replace('freq="1h"', 'freq="2h"', 1))
        assert run_program("reload", config).out == "configuration reloaded: 1 changed\n"


@contextmanager
def tail(config: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A running `tail` whose output is a pipe."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tui_popretr", "tail", config, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Return the lines of its output up to the first with this text."""
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        discreet(line)
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError(f"{text!r} did not come; {lines}")


def poll_until_watched(config: str, process: subprocess.Popen[str], text: str) -> list[str]:
    """Poll until `tail` shows this: it may not have connected at the first time."""
    done = threading.Event()

    def poll() -> None:
        while not done.wait(0.2):
            run_program("poll", config, "--all")

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        return lines_until(process, text)
    finally:
        done.set()
        thread.join()


def test_tail_shows_the_dialogue_until_ctrl_c(tmp_path: Path) -> None:
    with daemon(tmp_path) as config, tail(config, "--client", "b") as process:
        lines = [*poll_until_watched(config, process, ">> USER"), *lines_until(process, ">> QUIT")]
        assert any(re.fullmatch(r"\d\d:\d\d:\d\d b-\d+ >> PASS \*{4}", line) for line in lines), lines
        assert not any(" a-" in line for line in lines)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_tail_of_events_until_the_reader_ends(tmp_path: Path) -> None:
    with daemon(tmp_path) as config, tail(config, "--json") as process:
        first = poll_until_watched(config, process, '"session_started"')  # tail may have come amid a session
        lines = [json.loads(line) for line in (*first, *lines_until(process, '"QUIT"'))]
        assert {"session_started", "dialogue_line"} <= {each.get("event") for each in lines}
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        while process.poll() is None:
            run_program("poll", config, "--all")
        assert process.returncode == 141
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_tail_when_the_daemon_ends(tmp_path: Path) -> None:
    with daemon(tmp_path) as config, tail(config) as process:
        poll_until_watched(config, process, ">> QUIT")
        run_program("shutdown", config)
        assert process.wait(30) == ExitCode.UNAVAILABLE
        assert process.stderr is not None
        assert process.stderr.read() == "tui-popretr: the daemon closed the connection\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("poll", "--all"),
        ("pause", "--all"),
        ("resume", "--all"),
        ("stop", "--all"),
        ("reload",),
        ("shutdown",),
        ("tail",),
    ],
)
def test_without_a_daemon(arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_configuration(tmp_path / "mail.xml", client("a", "127.0.0.1:1"))
    assert main([arguments[0], config, *arguments[1:]]) == ExitCode.UNAVAILABLE
    error = capsys.readouterr().err
    assert error == (
        f"tui-popretr: no daemon runs with {config}\ntui-popretr: start one: tui-popretr {config} --headless"
        " (if one runs, its log says why it has no control socket)\n"
    )


def test_root_asks_as_the_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_configuration(tmp_path / "mail.xml", client("a", "127.0.0.1:1"))
    if os.geteuid() == 0:
        os.chown(config, pwd.getpwnam("daemon").pw_uid, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    user = pwd.getpwuid(os.stat(config).st_uid).pw_name
    assert main(["status", config]) == ExitCode.UNAVAILABLE
    error = capsys.readouterr().err
    assert f"root finds no daemon for {config}, which belongs to {user}\n" in error
    assert f": sudo -u {user} tui-popretr status {config}\n" in error


def test_a_configuration_without_a_socket(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_configuration(tmp_path / "mail.xml", client("a", "127.0.0.1:1"), before="<control>-</control>")
    code = main(["status", config])
    assert "has no control socket" in capsys.readouterr().err
    assert code == ExitCode.UNAVAILABLE


def test_a_path_that_is_too_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    socket_path = f"{tmp_path}/{'x' * 107}"
    config = write_configuration(
        tmp_path / "mail.xml", client("a", "127.0.0.1:1"), before=f"<dirpaths><var>{socket_path}</var></dirpaths>"
    )
    assert main(["status", config]) == ExitCode.UNAVAILABLE
    assert f"no daemon can listen at {socket_path}/control.sock: its path is longer" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["poll"], ["poll", "--client", "a", "--all"], ["stop"]])
def test_clients_have_to_be_named(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_configuration(tmp_path / "mail.xml", client("a", "127.0.0.1:1"))
    assert main([arguments[0], config, *arguments[1:]]) == ExitCode.USAGE
    assert f"{arguments[0]} needs --client ID or --all" in capsys.readouterr().err


@contextmanager
def other_side(path: Path, sent: bytes, *, reads: bool = False) -> Iterator[None]:
    """A listening socket that sends this to whatever connects, and closes; `reads`: after a request."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(sent)
                if reads:
                    connection.recv(1000)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def hello(config: str, protocol: int = 1) -> bytes:
    message = messages.hello_message(messages.hello(config, 1, SystemClock().now()))
    message["hello"]["protocol"] = protocol
    return messages.encode(message)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (hello("/other.xml"), "runs with /other.xml"),
        (hello("CONFIG", 2), "speaks version 2 of the control protocol"),
        (b"HTTP/1.1 400 Bad Request\n", "sent an invalid message"),
        (b'{"hello": {}}\n', "is not tui-popretr"),
        (b'{"id": null, "error": "there are 32 connections already"}\n', "there are 32 connections already"),
        (b"", "closed the connection"),
        (b"x" * (messages.MAX_LINE + 2), "an invalid message: a line is longer than"),
        (hello("CONFIG"), "the connection"),
    ],
)
def test_a_socket_of_another_program(
    sent: bytes, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_configuration(tmp_path / "mail.xml", client("a", "127.0.0.1:1"))
    with other_side(tmp_path / "var" / "control.sock", sent.replace(b"CONFIG", os.path.realpath(config).encode())):
        assert main(["status", config]) == ExitCode.UNAVAILABLE
    assert error in capsys.readouterr().err


CLIENT = {
    "id": "a",
    "state": "waiting",
    "due": None,
    "progress": None,
    "last": None,
    "messages": 0,
    "octets": 0,
    "kept": 0,
    "failures_in_a_row": 0,
    "last_success": None,
    "last_message": None,
}
SNAPSHOT = {
    "time": "2026-11-30T05:10:00+01:00",
    "boottime": 1.0,
    "parts": 0,
    "clients": [CLIENT],
    "totals": {"clients": 1, "running": 0, "failed": 0, "messages_today": 0, "octets_today": 0},
}


def answer(snapshot: object) -> bytes:
    return messages.encode({"id": 1, "ok": snapshot}) + messages.encode({"gap": [1]})


@pytest.mark.parametrize("arguments", [("status",), ("status", "--prometheus"), ("tail",), ("poll", "--all", "--wait")])
@pytest.mark.parametrize(
    "snapshot",
    [
        None,
        [],
        {**SNAPSHOT, "clients": {"a": 1}},
        {**SNAPSHOT, "clients": [{"id": "a"}]},
        {**SNAPSHOT, "clients": [{**CLIENT, "last_success": "yesterday"}]},
        {**SNAPSHOT, "clients": [{**CLIENT, "last": {"result": "x", "code": 4242}}]},
        {**SNAPSHOT, "clients": [{**CLIENT, "sessions": {"0": "x"}}]},
    ],
)
def test_an_invalid_snapshot(
    snapshot: object, arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_configuration(tmp_path / "mail.xml", client("a", "127.0.0.1:1"))
    sent = hello(os.path.realpath(config)) + answer(snapshot)
    with other_side(tmp_path / "var" / "control.sock", sent, reads=True):
        assert main([arguments[0], config, *arguments[1:]]) == ExitCode.UNAVAILABLE
    assert "sent an invalid message" in capsys.readouterr().err


def test_a_valid_snapshot_and_an_odd_gap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_configuration(tmp_path / "mail.xml", client("a", "127.0.0.1:1"))
    sent = hello(os.path.realpath(config)) + answer(SNAPSHOT)
    with other_side(tmp_path / "var" / "control.sock", sent, reads=True):
        assert main(["tail", config]) == ExitCode.UNAVAILABLE
    out, error = capsys.readouterr()
    assert out == "... some events are left out: the output is too slow\n"
    assert "closed the connection" in error
