"""systemd's notification protocol: what the environment says, and datagrams to paths and abstract addresses."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tui_popretr.process.systemd import ServiceManager, is_journal, take_manager

PID = str(os.getpid())


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": ""}, None),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, None),
        ({"NOTIFY_SOCKET": "/run/n"}, ServiceManager("/run/n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "2000000"}, ServiceManager("@n", 2.0)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": PID}, ServiceManager("@n", 2.0)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, ServiceManager("@n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "0"}, ServiceManager("@n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "soon"}, ServiceManager("@n")),
    ],
)
def test_the_environment(environ: dict[str, str], expected: ServiceManager | None) -> None:
    left = {**environ, "HOME": "/h"}
    assert take_manager(left) == expected
    assert left == {"HOME": "/h"}


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_a_message_is_one_datagram(kind: str, tmp_path: Path) -> None:
    address = str(tmp_path / "n") if kind == "path" else f"@{tmp_path}/n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address.replace("@", "\0"))
        receiver.settimeout(10)
        ServiceManager(address).notify("READY=1", "STATUS=fünf")
        assert receiver.recv(100) == "READY=1\nSTATUS=fünf".encode()


@pytest.mark.parametrize("address", ["/nonexistent/n", f"/{'x' * 200}", "@nothing-listens-here"])
def test_no_manager_is_no_error(address: str) -> None:
    ServiceManager(address).notify("READY=1")


def test_a_manager_that_reads_nothing_delays_nothing(tmp_path: Path) -> None:
    address = str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
            filler.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    filler.sendto(b"x", address)
        ServiceManager(address).notify("READY=1")


def test_the_journal_is_known_by_its_device_and_inode() -> None:
    reading, writing = os.pipe()
    try:
        status = os.fstat(writing)
        stream = f"{status.st_dev}:{status.st_ino}"
        assert is_journal(writing, {"JOURNAL_STREAM": stream})
        assert not is_journal(writing, {})
        assert not is_journal(writing, {"JOURNAL_STREAM": ""})
        assert not is_journal(writing, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"})
        assert not is_journal(writing, {"INVOCATION_ID": "1", "JOURNAL_STREAM": "8:1"}), "a shell's inheritance"
    finally:
        os.close(reading)
        os.close(writing)
    assert not is_journal(writing, {"JOURNAL_STREAM": stream})
