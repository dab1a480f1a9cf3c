"""What a real process is started with: signals ignored or blocked, standard streams closed, limits."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from tests.cli.program import client, mail, run_program, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver_thread import running_server
from tui_popretr.popserver import Faults, Maildrop, Policy

ONE_BY_ONE = Policy(pipelining=False)
MESSAGES = 12
CHLD_IGNORED = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"


def maildrop(messages: int = 1) -> Maildrop:
    box = Maildrop("me", PASSWORD)
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
def test_the_output_of_a_password_command_that_fails_is_no_password(tmp_path: Path, before: str) -> None:
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
            said = program.said()
    assert any(f"{number.name}: ending" in line for line in said) == (expected == "ends")
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
            said = program.said()
    ending = "SIGTERM" if expected != "ends" else number.name
    assert any(f"{ending}: ending" in line for line in said)
    assert any("SIGHUP: reading" in line for line in said) == (expected == "reloads")


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
        default = "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        done = run_program(
            write_configuration(tmp_path / "c.xml", text), "--headless", "--once", before=default + before
        )
    assert done.code == 0, done.err
    values = [line.split() for line in (tmp_path / "signals").read_text().splitlines()]
    assert {name: int(value, 16) for name, value in values} == {"SigBlk:": 0, "SigIgn:": ignored}
