"""A real headless program as a service of systemd: a datagram socket sees what it reports, in order."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.program.process import client, mail, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tests.support.waiting import PATIENCE
from tui_popretr.headless.systemd import status_text

NOW = "<delay_start>0</delay_start>"


@pytest.mark.parametrize(
    ("clients", "failing", "text"),
    [
        (12, [], "12 clients"),
        (1, [], "1 client"),
        (12, ["work"], "12 clients, 1 failing: work"),
        (3, ["a", "b", "c"], "3 clients, 3 failing: a, b, c"),
        (9, ["a", "b", "c", "d", "e"], "9 clients, 5 failing: a, b, c and 2 more"),
    ],
)
def test_status_in_words(clients: int, failing: Sequence[str], text: str) -> None:
    assert status_text(clients, failing) == text


class Manager:
    """The socket of a service manager."""

    def __init__(self, address: str, receiver: socket.socket) -> None:
        self._address = address
        self._receiver = receiver
        self.seen: list[dict[str, str]] = []

    def environment(self, **more: str) -> str:
        """Python that sets the variables of a service."""
        return f"os.environ.update({ {'NOTIFY_SOCKET': self._address, **more}!r})"

    def wait_for(self, assignment: str) -> dict[str, str]:
        """Return the next message with this assignment."""
        name, _, value = assignment.partition("=")
        while True:
            try:
                text = self._receiver.recv(4096).decode()
            except TimeoutError:
                raise AssertionError(f"no {assignment} came, but {self.seen}") from None
            message = dict(line.split("=", 1) for line in text.split("\n"))
            self.seen.append(message)
            if message.get(name) == value:
                return message

    def states(self) -> list[str]:
        """The states that were reported, without the status and the watchdog."""
        names = [next(iter(message)) for message in self.seen]
        return [name for name in names if name not in ("STATUS", "WATCHDOG")]


@contextmanager
def manager(tmp_path: Path) -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        address = str(tmp_path / "notify")
        receiver.bind(address)
        receiver.settimeout(PATIENCE)
        yield Manager(address, receiver)


def test_ready_reloading_ready_watchdog_stopping(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1:9"))
    with manager(tmp_path) as systemd:
        before = systemd.environment(WATCHDOG_USEC="200000")
        with started(path, "--headless", before=before) as program:
            assert systemd.wait_for("READY=1")["STATUS"] == "1 client"
            assert (tmp_path / "var/popretr.sqlite").exists()
            assert (tmp_path / "var/control.sock").exists()
            systemd.wait_for("WATCHDOG=1")
            systemd.wait_for("WATCHDOG=1")

            asked = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            program.send(signal.SIGHUP)
            assert int(systemd.wait_for("RELOADING=1")["MONOTONIC_USEC"]) >= asked
            systemd.wait_for("READY=1")
            systemd.wait_for("WATCHDOG=1")

            write_configuration(tmp_path / "c.xml", "<cleint/>")
            program.send(signal.SIGHUP)
            systemd.wait_for("RELOADING=1")
            systemd.wait_for("READY=1")

            program.send(signal.SIGTERM)
            systemd.wait_for("STOPPING=1")
            assert program.ended() == 0
    assert systemd.states() == ["READY", "RELOADING", "READY", "RELOADING", "READY", "STOPPING"]


def test_the_watchdog_of_another_process_is_not_fed(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1:9"))
    with manager(tmp_path) as systemd:
        before = systemd.environment(WATCHDOG_USEC="1000", WATCHDOG_PID="1")
        with started(path, "--headless", before=before) as program:
            systemd.wait_for("READY=1")
            program.send(signal.SIGTERM)
            systemd.wait_for("STOPPING=1")
            assert program.ended() == 0
    assert {"WATCHDOG": "1"} not in systemd.seen


def test_without_a_control_socket_it_is_ready_too(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1:9"))
    (tmp_path / "var").mkdir(mode=0o700)
    (tmp_path / "var/control.sock").write_text("another program's")
    with manager(tmp_path) as systemd, started(path, "--headless", before=systemd.environment()) as program:
        systemd.wait_for("READY=1")
        program.wait_for("there is no control socket")


def test_the_status_names_who_fails(tmp_path: Path) -> None:
    with running_server([ServedMaildrop("me", PASSWORD)]) as server:
        good, bad = client("good", server.address), client("bad", server.address, password="wrong")
        path = write_configuration(tmp_path / "c.xml", good, bad, before=NOW)
        with manager(tmp_path) as systemd, started(path, "--headless", before=systemd.environment()):
            systemd.wait_for("STATUS=2 clients, 1 failing: bad")


def test_commands_get_no_notification_socket(tmp_path: Path) -> None:
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail())
    with running_server([box]) as server, manager(tmp_path) as systemd:
        command = f'<mda command="sh -c &quot;env >{tmp_path}/environment&quot;"/>'
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address, more=command), before=NOW)
        before = systemd.environment(WATCHDOG_USEC="1000000")
        with started(path, "--headless", before=before) as program:
            program.wait_for("isp: 1 message")
    environment = (tmp_path / "environment").read_text()
    assert "PATH=" in environment
    assert "NOTIFY_SOCKET" not in environment
    assert "WATCHDOG" not in environment


#: The journal's stream, for which a program is executed whose standard error is a pipe.
TO_THE_JOURNAL = """
status = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
"""


def test_the_journal_gets_priorities(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1:9"), before=NOW)
    with started(path, "--headless", before=TO_THE_JOURNAL) as program:
        assert program.wait_for("isp").startswith("<3>ERROR isp: ")
        program.send(signal.SIGTERM)
        assert program.wait_for("ending") == "<6>INFO SIGTERM: ending; a second signal ends at once"
        assert program.ended() == 0
        assert [line for line in program.said.splitlines() if line[:1] != "<"] == []


def test_problems_of_the_configuration_have_priorities_too(tmp_path: Path) -> None:
    path = write_configuration(
        tmp_path / "c.xml", "<cleint/>", client("isp", "127.0.0.1:110"), before="<timeout>1</timeout>"
    )
    with started(path, "--headless", before=TO_THE_JOURNAL) as program:
        assert program.ended() == 78
        said = program.said.splitlines()
    assert [line[:3] for line in said if ": error: " in line] == ["<3>"]
    assert [line[:3] for line in said if ": warning: " in line] == ["<4>"]
    assert said[-1].startswith("<3>tui-popretr: ")
