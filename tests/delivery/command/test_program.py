"""The whole program, from a POP3 server to a command: no end of it leaves a command behind, or loses anything."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from xml.sax.saxutils import quoteattr

import pytest

from tests.delivery.command.handing import Lifeline
from tests.program.process import Program, client, mail, run_program, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import RunningServer, running_server
from tests.support.waiting import wait_for

#: As in tests/shutdown.
IN_ORDER, AT_ONCE = 10.0 + 3.0, 6.0
TERM, INT = signal.SIGTERM, signal.SIGINT

#: Hangs with a child until there is a file $1/go, and saves the message then.
SCRIPT = """\
#!/bin/sh
{grip}
sleep 1000 &
while [ ! -e "$1/go" ]; do sleep 0.05; done
kill $!
cat >"$1/saved.$$"
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A program whose client delivers to a command that hangs."""

    folder: Path
    box: ServedMaildrop
    server: RunningServer
    lifeline: Lifeline
    configuration: str

    @contextmanager
    def hanging(self) -> Iterator[Program]:
        """The program, with its command running."""
        with started(self.configuration, "--headless", "--once") as program:
            wait_for(lambda: self.lifeline.begun, "the command")
            yield program

    def go(self) -> None:
        """Let the command go on."""
        (self.folder / "go").touch()

    def saved(self) -> list[bytes]:
        """What has arrived."""
        return [path.read_bytes() for path in self.folder.glob("saved.*")]

    def assert_nothing_is_left(self, program: Program) -> None:
        """See that the command has ended with its children, and that the next run brings all mail, once."""
        wait_for(lambda: not self.lifeline.alive, "the end of the command and its child")
        said = program.said
        assert "Traceback" not in said
        assert "internal error" not in said
        assert self.saved() == []
        assert len(self.box.messages) == 3
        self.go()
        done = run_program(self.configuration, "--headless", "--once")
        assert done.code == 0, done.err
        assert sorted(self.saved()) == sorted(mail(name).replace(b"\r\n", b"\n") for name in "abc")
        assert self.box.messages == []


@pytest.fixture
def stage(tmp_path: Path, lifeline: Lifeline) -> Iterator[Stage]:
    program = tmp_path / "save"
    program.write_text(SCRIPT.format(grip=lifeline.grip))
    program.chmod(0o700)
    box = ServedMaildrop("me", PASSWORD)
    for name in "abc":
        box.add(mail(name))
    with running_server([box]) as server:
        command = quoteattr(f"{quote(str(program))} {quote(str(tmp_path))}")
        whole = client("isp", server.address, attributes='omitreceivedheader="Y"', more=f"<mda command={command}/>")
        configuration = write_configuration(tmp_path / "c.xml", whole, before="<delay_start>0</delay_start>")
        yield Stage(tmp_path, box, server, lifeline, configuration)


def test_an_end_waits_for_a_command_and_then_no_more(stage: Stage) -> None:
    with stage.hanging() as program:
        program.send(TERM)
        assert program.ended(within=IN_ORDER) == 0
        stage.assert_nothing_is_left(program)


@pytest.mark.parametrize("second", [TERM, INT])
def test_a_second_signal_waits_for_no_command(stage: Stage, second: signal.Signals) -> None:
    with stage.hanging() as program:
        program.send(TERM)
        program.wait_for("ending")
        program.send(second)
        assert program.ended(within=AT_ONCE) == 128 + second
        stage.assert_nothing_is_left(program)


def test_a_command_that_ends_in_time_has_delivered(stage: Stage) -> None:
    with stage.hanging() as program:
        program.send(TERM)
        program.wait_for("ending")
        stage.go()
        assert program.ended(within=IN_ORDER) == 0
        assert stage.server.said()[-1] == b"QUIT"
    assert len(stage.saved()) == 3, "what had come whole is delivered"
    assert stage.box.messages == []
    done = run_program(stage.configuration, "--headless", "--once")
    assert (done.code, len(stage.saved())) == (0, 3)


def test_a_failed_command_gives_exit_code_and_error_text(stage: Stage) -> None:
    (stage.folder / "save").write_text("#!/bin/sh\necho no room >&2; exit 75\n")
    done = run_program(stage.configuration, "--headless", "--once")
    assert done.code == 75
    assert "save ended with exit code 75 (a temporary failure): no room" in done.err
    assert len(stage.box.messages) == 3
