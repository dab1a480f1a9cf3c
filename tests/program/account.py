"""The account that is retrieved from: one of the embedded server's, or Dovecot's."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from tests.crash.cases import Server
from tests.program.site import PASSWORD
from tests.support.dovecot import Dovecot
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import RunningServer, running_server
from tests.support.waiting import wait_for

USER = "me"


class Account(Protocol):
    """A maildrop and how to reach it."""

    @property
    def name(self) -> str: ...

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    def add(self, messages: Iterable[bytes]) -> None:
        """Put messages into the maildrop."""
        ...

    def remaining(self) -> int:
        """How many messages are on the server."""
        ...

    def wait_until_free(self) -> None:
        """Wait until the server has noticed that its client is dead."""
        ...


class EmbeddedAccount:
    """One of the embedded server's."""

    name = USER
    host = "127.0.0.1"

    def __init__(self, running: RunningServer, maildrop: ServedMaildrop) -> None:
        self.port = running.port
        self.running = running
        self._maildrop = maildrop

    def add(self, messages: Iterable[bytes]) -> None:
        for message in messages:
            self.running.call(partial(self._maildrop.add, message))

    def remaining(self) -> int:
        return len(self._maildrop.messages)

    def wait_until_free(self) -> None:
        wait_for(lambda: not self._maildrop.locked, "the end of the session")


@contextmanager
def embedded_account(server: Server) -> Iterator[EmbeddedAccount]:
    """An account of an embedded server of a kind, empty."""
    maildrop = ServedMaildrop(USER, PASSWORD)
    with running_server([maildrop], policy=server.value) as running:
        yield EmbeddedAccount(running, maildrop)


class DovecotAccount:
    """An account of its own in a Dovecot, which lets several sessions in at once: one may still be deleting."""

    def __init__(self, dovecot: Dovecot, name: str) -> None:
        dovecot.add_user(name, PASSWORD)
        self.name = name
        self.host, self.port = dovecot.host, dovecot.port
        self._dovecot = dovecot

    def add(self, messages: Iterable[bytes]) -> None:
        self._dovecot.fill(self.name, messages)

    def remaining(self) -> int:
        return self._dovecot.count(self.name)

    def wait_until_free(self) -> None:
        wait_for(self._is_free, self._not_free)

    def _not_free(self) -> str:
        lines = [line for line in self._dovecot.log_text().splitlines() if self.name in line][-20:]
        processes = [_state_of(pid) for pid in re.findall(r"mpid=(\d+)", "\n".join(lines))]
        sockets = subprocess.run(["ss", "-tanp"], capture_output=True, text=True, check=False).stdout.splitlines()
        connections = [line for line in sockets if f":{self.port} " in line]
        return "\n".join(["the session does not end; the server's log:", *lines, *processes, *connections])

    def _is_free(self) -> bool:
        log = self._dovecot.log_text()
        return len(re.findall(rf"Log(?:in|ged in): user=<{self.name}>", log)) <= len(
            re.findall(rf"pop3\({self.name}\).*Disconnected", log)
        )


def _state_of(pid: str) -> str:
    """Return what the kernel says of a process: why it does not go on."""
    process = Path("/proc", pid)
    try:
        state = [line for line in (process / "status").read_text().splitlines() if line.startswith(("Name", "State"))]
        return f"process {pid}: {state}, kernel function {(process / 'wchan').read_text()}"
    except OSError as error:
        return f"process {pid}: {error.strerror}"
