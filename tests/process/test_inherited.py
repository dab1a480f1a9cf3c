"""What a real process is started with: signals ignored or blocked, standard streams closed, limits."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program.process import client, environment, mail, run_program, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop, ServerPolicy
from tests.support.popserver_thread import running_server
from tests.support.waiting import PATIENCE, wait_for

ONE_BY_ONE = ServerPolicy(pipelining=False)
MESSAGES = 12
CHLD_IGNORED = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"


def maildrop(messages: int = 1) -> ServedMaildrop:
    box = ServedMaildrop("me", PASSWORD)
    for number in range(messages):
        box.add(mail(f"m{number}"))
    return box


# --- signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", CHLD_IGNORED])
def test_a_command_that_fails_keeps_the_message_on_the_server(tmp_path: Path, before: str) -> None:
    box = maildrop()
    with running_server([box]) as server:
        text = client("isp", server.address, more="<mda command=\"sh -c 'cat >/dev/null; exit 75'\"/>")
        done = run_program(write_configuration(tmp_path / "c.xml", text), "--headless", "--once", before=before)
    assert done.code == 75, done.err
    assert "exit code 75" in done.err
    assert len(box.messages) == 1


@pytest.mark.parametrize("before", ["", CHLD_IGNORED])
def test_the_output_of_a_failed_password_command_is_not_used(tmp_path: Path, before: str) -> None:
    box = maildrop()
    with running_server([box]) as server:
        text = client("isp", server.address)
        text = text.replace(f"<password>{PASSWORD}</password>", "<password command=\"sh -c 'echo wrong; exit 1'\"/>")
        done = run_program(write_configuration(tmp_path / "c.xml", text), "--headless", "--once", before=before)
        said = server.said()
    assert done.code == 78, done.err
    assert "failed (exit code 1)" in done.err
    assert not any(line.startswith(b"PASS") for line in said)


def disposition(number: signal.Signals, how: str) -> str:
    name = f"signal.{number.name}"
    return {
        "default": f"signal.signal({name}, signal.SIG_DFL)",
        "ignored": f"signal.signal({name}, signal.SIG_IGN)",
        "blocked": f"signal.signal({name}, signal.SIG_DFL); signal.pthread_sigmask(signal.SIG_BLOCK, [{name}])",
    }[how]


TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP
TABLE = [
    (TERM, "default", "ends", "ends"),
    (TERM, "ignored", "ends", "ends"),
    (TERM, "blocked", "ends", "ends"),
    (INT, "default", "ends", "ends"),
    (INT, "ignored", "goes on", "goes on"),
    (INT, "blocked", "ends", "ends"),
    (HUP, "default", "ends", "reloads"),
    (HUP, "ignored", "goes on", "goes on"),
    (HUP, "blocked", "ends", "reloads"),
]


@pytest.mark.parametrize(("number", "how", "expected", "_"), TABLE)
def test_signals_in_a_single_run(tmp_path: Path, number: signal.Signals, how: str, expected: str, _: str) -> None:
    box = maildrop(MESSAGES)
    with running_server([box], policy=ONE_BY_ONE, faults=Faults(delay=0.05)) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address))
        with started(path, "--headless", "--once", before=disposition(number, how)) as program:
            server.wait_for_line(b"RETR")
            program.send(number)
            assert program.ended() == 0
            said = program.said
    assert (f"{number.name}: ending" in said) == (expected == "ends")
    assert (len(box.deleted) == MESSAGES) == (expected == "goes on")


@pytest.mark.parametrize(("number", "how", "_", "expected"), TABLE)
def test_signals_in_a_daemon(tmp_path: Path, number: signal.Signals, how: str, _: str, expected: str) -> None:
    with running_server([maildrop()]) as server:
        text = client("isp", server.address, attributes='freq="1h"')
        path = write_configuration(tmp_path / "c.xml", text, before="<delay_start>0</delay_start>")
        with started(path, "--headless", before=disposition(number, how)) as program:
            program.wait_for("isp: 1 message")
            program.send(number)
            if expected == "reloads":
                program.wait_for("configuration reloaded")
            if expected != "ends":
                program.send(TERM)
            assert program.ended() == 0
            said = program.said
    ending = "SIGTERM" if expected != "ends" else number.name
    assert f"{ending}: ending" in said
    assert ("SIGHUP: reading" in said) == (expected == "reloads")


# --- what commands get ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [64, 400, 1024])
def test_commands_have_the_limit_of_open_files_of_before(tmp_path: Path, limit: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    before = f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {hard}))"
    (tmp_path / "word").write_text(f"#!/bin/sh\nulimit -n >{tmp_path}/asked\necho '{PASSWORD}'\n")
    (tmp_path / "word").chmod(0o700)
    box = maildrop(3)
    mda = f"<mda command=\"sh -c 'ulimit -n >>{tmp_path}/handed; cat >/dev/null'\"/>"
    with running_server([box]) as server:
        text = client("isp", server.address, more=mda)
        text = text.replace(f"<password>{PASSWORD}</password>", f'<password command="{tmp_path}/word"/>')
        done = run_program(write_configuration(tmp_path / "c.xml", text), "--headless", "--once", before=before)
    assert done.code == 0, done.err
    assert (tmp_path / "asked").read_text() == f"{limit}\n"
    assert (tmp_path / "handed").read_text() == f"{limit}\n" * 3


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("before", "ignored"),
    [
        ("signal.pthread_sigmask(signal.SIG_SETMASK, [])", 0),
        (CHLD_IGNORED, 0),
        ("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])", 0),
        ("signal.signal(signal.SIGPIPE, signal.SIG_IGN)", 0),
        ("signal.signal(signal.SIGHUP, signal.SIG_IGN)", 1 << signal.SIGHUP - 1),  # as under nohup
    ],
)
def test_commands_have_the_signals_that_programs_expect(tmp_path: Path, before: str, ignored: int) -> None:
    box = maildrop()
    # which of them are blocked and ignored, each as a mask in hexadecimal (proc(5))
    look = "grep -e SigBlk -e SigIgn /proc/self/status"
    mda = f"<mda command=\"sh -c '{look} >{tmp_path}/signals; cat >/dev/null'\"/>"
    with running_server([box]) as server:
        text = client("isp", server.address, more=mda)
        # What runs these tests may ignore more, SIGQUIT for example.
        numbers = "signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}"
        default = f"for number in {numbers}: signal.signal(number, signal.SIG_DFL)\n"
        done = run_program(
            write_configuration(tmp_path / "c.xml", text), "--headless", "--once", before=default + before
        )
    assert done.code == 0, done.err
    values = [line.split() for line in (tmp_path / "signals").read_text().splitlines()]
    standard = (1 << 31) - 1  # the C library has two of its own behind these
    assert {name: int(value, 16) & standard for name, value in values} == {"SigBlk:": 0, "SigIgn:": ignored}


# --- standard streams -------------------------------------------------------------------------------------------------

COMBINATIONS = [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]


def closing(numbers: tuple[int, ...]) -> str:
    return "\n".join(f"os.close({number})" for number in numbers)


@pytest.mark.parametrize("closed", COMBINATIONS)
def test_closed_standard_streams_are_nothing_and_get_nothing(tmp_path: Path, closed: tuple[int, ...]) -> None:
    """What the program opens, as its sockets, lies above them."""
    look = "ls -l /proc/$PPID/fd"
    mda = f"<mda command=\"sh -c '{look} >{tmp_path}/descriptors; cat >/dev/null'\"/>"
    box = maildrop()
    with running_server([box]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address, more=mda))
        done = run_program(path, "--headless", "--once", before=closing(closed))
    assert done.code == 0
    assert box.messages == []
    assert bool(done.err) == (2 not in closed)
    lines = (tmp_path / "descriptors").read_text().splitlines()
    links = dict(line.split()[-3::2] for line in lines if "->" in line)
    assert [links[str(number)] for number in closed] == ["/dev/null"] * len(closed)


@pytest.mark.parametrize("closed", COMBINATIONS)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version",), 0),
        (("info",), 0),
        (("check",), 0),
        (("run",), 64),
        (("transcript", "x"), 64),
        (("check", "x"), 78),
    ],
)
def test_every_command_runs_with_closed_standard_streams(
    tmp_path: Path, closed: tuple[int, ...], arguments: tuple[str, ...], code: int
) -> None:
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1:110"))
    named = (path,) if arguments in (("check",), ("run",), ("info",)) else ()
    done = run_program(*arguments, *named, before=closing(closed), cwd=tmp_path)
    assert done.code == code, done
    assert bool(done.out) == (code == 0 and 1 not in closed)
    if 2 not in closed:
        assert bool(done.err) == (code != 0)
    assert "Traceback" not in done.out + done.err


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("descriptor", [1, 2])
def test_output_waits_for_a_slow_reader(tmp_path: Path, descriptor: int, unbuffered: str) -> None:
    """Non-blocking as ssh and node make it, and not read before it is full."""
    number = 400
    if descriptor == 1:
        clients = [client(f"c{each}", "pop.example.net:995", user=f"u{each}") for each in range(number)]
    else:
        clients = [client(f"c{each}", "pop.example.net:995", attributes="bogus='1'") for each in range(number)]
    path = write_configuration(tmp_path / "c.xml", *clients)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = subprocess.Popen(
        [sys.executable, "-m", "tui_popretr", "check", path],
        stdin=subprocess.DEVNULL,
        stdout=writer if descriptor == 1 else subprocess.DEVNULL,
        stderr=writer if descriptor == 2 else subprocess.DEVNULL,
        env=environment({"PYTHONUNBUFFERED": unbuffered}),
    )
    os.close(writer)
    with open(reader, "rb") as file, process:
        wait_for(lambda: process.poll() is not None or full(reader), "a full pipe")
        lines = file.read().splitlines()
        code = process.wait(PATIENCE)
    assert code == (0 if descriptor == 1 else 78)
    assert sum(line.startswith(b"c") or b"error: unknown" in line for line in lines) == number


def full(descriptor: int) -> bool:
    """Whether a pipe takes no more; its pages may be partly empty."""
    writer = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        return not select.select([], [writer], [], 0)[1]
    finally:
        os.close(writer)
