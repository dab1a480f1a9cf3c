"""Messages of a service to systemd: notifications (sd_notify(3)), and lines for the journal (sd-daemon(3)).

A notification is one datagram to the socket of NOTIFY_SOCKET. A line for the journal may begin with its syslog priority
in angle brackets.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final

#: Seconds that a message waits while the manager reads none.
_TIMEOUT: Final = 0.1


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """The manager that started this process as a service of Type=notify."""

    address: str  # of its socket; "@" begins an abstract one
    watchdog: float | None = None  # seconds after which it kills a service that sends no WATCHDOG=1

    def notify(self, *assignments: str) -> None:
        """Send assignments such as READY=1. A message that cannot be sent is lost."""
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_TIMEOUT)
            sender.sendto("\n".join(assignments).encode(), address)


def take_manager(environ: MutableMapping[str, str]) -> ServiceManager | None:
    """Return the manager that the environment names, or None.

    The variables are removed: commands that this process starts must not send messages in its name.
    """
    address, microseconds, process = (
        environ.pop(name, "") for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    )
    if not address.startswith(("/", "@")):
        return None
    watched = process in ("", str(os.getpid())) and microseconds.isascii() and microseconds.isdigit()
    return ServiceManager(address, (int(microseconds) / 1e6 or None) if watched else None)


def monotonic_usec() -> str:
    """Return the assignment that a RELOADING=1 needs: microseconds of CLOCK_MONOTONIC."""
    return f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def is_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Return whether `descriptor` is connected to systemd's journal.

    JOURNAL_STREAM has the device and inode of the stream (systemd.exec(5)). They must be compared: the shells of a
    desktop session inherit the variable.
    """
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def mark(line: str, priority: int, descriptor: int = 2) -> str:
    """Return a line for `descriptor`, with its priority (3 error, 4 warning, 5 notice) if that is the journal."""
    return f"<{priority}>{line}" if is_journal(descriptor, os.environ) else line
