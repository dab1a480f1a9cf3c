"""Accounts that each hold their client's session in one state, and then check that their mail has arrived."""

from __future__ import annotations

import copy
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.shutdown.states import IMPLICIT_TLS, State
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop
from tests.support.popserver_thread import RunningServer, running_server
from tests.support.waiting import wait_for
from tui_popretr.popserver.certificates import server_context


def _message(name: str, number: int, size: int) -> bytes:
    """A message that differs from all others."""
    header = f"Message-ID: <{name}.{number}@example.test>\r\nFrom: a@example.test\r\n\r\n".encode()
    return header + (b"x" * 70 + b"\r\n") * (size // 72)


class Account:
    """One client's account, on a server of its own; its mail goes into `folder`/var/mail."""

    def __init__(self, name: str, state: State, folder: Path, servers: ExitStack) -> None:
        self.name = name
        self.state = state
        self._mail = folder / "var/mail" / name
        self._messages = [_message(name, number, size) for number, size in enumerate(state.sizes)]
        self._drop = ServedMaildrop(name, PASSWORD, faults=copy.deepcopy(state.account))
        for each in self._messages:
            self._drop.add(each)
        self.server: RunningServer = servers.enter_context(
            running_server(
                [self._drop],
                policy=state.policy,
                tls=server_context() if state.ssl else None,
                faults=copy.deepcopy(state.server),
            )
        )

    def client(self, name: str = "", *, address: str = "", command: str = "") -> str:
        """A <client> of this account. With a `name`, it is a further client of the same account."""
        state, name = self.state, name or self.name
        address = address or (self.server.tls_address if state.ssl == IMPLICIT_TLS else self.server.address)
        kind = "downloads_directory" if state.folder else "maildir"
        password = f'<password command="{command}"/>' if command else f"<password>{PASSWORD}</password>"
        return (
            f'<client id="{name}" recip="{name}" freq="5h" omitreceivedheader="Y" {state.attributes}>'
            f'<{kind}>%DIRVAR%/mail/%U%</{kind}><server address="{address}"><username>{self.name}</username>{password}'
            f"<authtypes>{state.login}</authtypes></server>{state.ssl}</client>"
        )

    def is_held(self) -> bool:
        """Whether the session is in its state, as far as the server sees it."""
        state = self.state
        return (
            self.server.server.connections >= state.connections
            and (not state.hears or any(line.startswith(state.hears) for line in self.server.said()))
            and state.arrived in (None, len(self._files()))
        )

    def repair(self) -> None:
        """Remove the server's faults, and wait until the last session has ended."""
        self.server.server.faults, self._drop.faults = Faults(), None
        wait_for(lambda: not self._drop.locked, lambda: f"{self.name} is locked")

    def trouble(self) -> str:
        """Return what is wrong after all mail should have arrived; "" if nothing is."""
        wanted = Counter(map(_text, self._messages))
        arrived = Counter(_text(path.read_bytes()) for path in self._files())
        if arrived != wanted:
            return f"{(wanted - arrived).total()} lost, {(arrived - wanted).total()} too many"
        if self._drop.messages:
            return f"{len(self._drop.messages)} still on the server"
        return " ".join(path.name for path in self._mail.glob(".*" if self.state.folder else "tmp/*"))

    def _files(self) -> list[Path]:
        return list(self._mail.glob("*.eml" if self.state.folder else "new/*"))


def _text(message: bytes) -> bytes:
    """Return a message with LF line ends, whatever the destination wrote."""
    return message.replace(b"\r\n", b"\n")
