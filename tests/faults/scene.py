"""Two clients of one configuration, of which a fault is to hit one, and the real program in processes of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.program.process import environment
from tests.program.relay import Relay, RelayThread
from tests.program.site import client, without_received
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import RunningServer
from tests.support.waiting import PATIENCE, wait_for

#: The client that the fault is to hit, and the one that is to go on.
HIT, OTHER = "hit", "other"

_PROJECT = Path(__file__).parents[2]


def accounts() -> list[ServedMaildrop]:
    """The two maildrops, empty."""
    return [ServedMaildrop(name, PASSWORD, uid_prefix=f"{name}-") for name in (HIT, OTHER)]


def mails(name: str, count: int, size: int = 100) -> list[bytes]:
    """Messages of at least `size` octets; those of another name are others."""
    line = b"x" * 76 + b"\r\n"
    return [
        f"Message-ID: <{name}.{number}@faults.test>\r\nSubject: {name} {number}\r\n\r\n".encode()
        + line * (size // len(line) + 1)
        for number in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Done:
    """A process that has ended: its exit code, and what it said on standard error."""

    code: int
    said: str


class Process:
    """The program, running."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path) -> None:
        self.process = process
        self._said = said

    @property
    def said(self) -> str:
        """What it has said on standard error so far."""
        return self._said.read_text()

    def wait_for(self, *texts: str, count: int = 1) -> None:
        """Wait until each of these has been said so often."""

        def come() -> bool:
            said = self.said
            assert self.process.poll() is None, said
            return all(said.count(text) >= count for text in texts)

        try:
            wait_for(come, "that")
        except AssertionError as failure:
            raise AssertionError(f"{texts} has not been said: {self.said}") from failure

    def end(self) -> None:
        """End it by SIGTERM; it must end well."""
        self.process.terminate()
        assert self.finish().code == 0, self.said

    def finish(self) -> Done:
        """Wait for its end."""
        return Done(self.process.wait(PATIENCE), self.said)


class Gate:
    """Lets a client's server fall silent, after so many octets, until it is opened."""

    def __init__(self, thread: RelayThread) -> None:
        self._thread = thread
        self._silent = threading.Event()

    @property
    def port(self) -> int:
        return self._thread.port

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def shut(self, after: int) -> None:
        """Let so many more octets pass from the server."""
        self._silent.clear()
        self._thread.call(partial(self._thread.relay.arm, self._silent.set, down=after))

    def reached(self) -> None:
        """Wait for the silence."""
        assert self._silent.wait(PATIENCE), "so many octets did not come"

    def open(self) -> None:
        """Let everything pass."""
        self._thread.call(self._thread.relay.release)

    def cut(self) -> None:
        """Break the connections."""
        self._thread.call(self._thread.relay.cut)


class Scene:
    """The mail of HIT may be kept on a faulty disk, that of OTHER never is; `server` has the accounts() of both."""

    def __init__(self, top: Path, server: RunningServer) -> None:
        self.top = top
        self.server = server
        self.journal = top / "var" / "popretr.sqlite"
        self.audit = top / "audit.log"
        self._transcript = top / "transcript.log"
        #: Where the mail of each arrives, as the test sees it.
        self.maildirs = {HIT: top / "mail" / HIT, OTHER: top / "mail" / OTHER}
        self._sent: dict[str, list[bytes]] = {HIT: [], OTHER: []}
        self._runs = 0

    def send(self, name: str, messages: Iterable[bytes]) -> None:
        """Put messages into an account's maildrop, for a session to see all of them or none."""
        new, maildrop = list(messages), self.server.server.maildrops[name]
        self._sent[name] += new
        self.server.call(lambda: [maildrop.add(message) for message in new])

    def expect(self, name: str, message: bytes) -> None:
        """Know a message for one that may arrive."""
        self._sent[name].append(message)

    @contextmanager
    def gate(self, port: int | None = None) -> Iterator[Gate]:
        """A gate, open at first, before the server or another one of this machine."""
        with RelayThread(Relay("127.0.0.1", port or self.server.port)) as thread:
            try:
                yield Gate(thread)
            finally:
                thread.call(thread.relay.cut)

    def configure(
        self,
        *,
        maildir: Path | None = None,
        address: str | None = None,
        journal: Path | None = None,
        audit: Path | None = None,
        timeout: str = "20s",
        freq: str = "0",
        freq_of_hit: str | None = None,
        user: str | None = None,
        preserve: str = "N",
        newonly: str = "N",
    ) -> None:
        """Write the configuration. `maildir`, `address` and what follows `freq` are HIT's, as the program sees them."""
        addresses = {HIT: address or self.server.address, OTHER: self.server.address}
        places = {HIT: maildir or self.maildirs[HIT], OTHER: self.maildirs[OTHER]}
        clients = [
            client(
                name,
                addresses[name],
                password=PASSWORD,
                inside=f"<maildir>{places[name]}</maildir>",
                freq=freq_of_hit or freq if name == HIT else freq,
                user=user if name == HIT else None,
                preserve=preserve if name == HIT else "N",
                newonly=newonly if name == HIT else "N",
            )
            for name in (HIT, OTHER)
        ]
        path = self.top / "retrieve.xml"
        path.write_text(
            f"<pop3download><audit>{audit or self.audit}</audit><journal>{journal or self.journal}</journal>"
            f"<transcript flush='0'>{self._transcript}</transcript>"
            f"<timeout>{timeout}</timeout><delay_start>0</delay_start>"
            f"<clients>{''.join(clients)}</clients></pop3download>"
        )
        path.chmod(0o600)

    # --- running it ---------------------------------------------------------------------------------------------------

    @contextmanager
    def running(
        self,
        *arguments: str,
        wrapper: Iterable[str] = (),
        environ: Mapping[str, str] | None = None,
        stderr: int | None = None,
    ) -> Iterator[Process]:
        """Run the configuration's schedule; the process does not outlive the block.

        What it says is not known where `stderr` names another place for it.
        """
        self._runs += 1
        path = self.top / f"said-{self._runs}"
        command = [sys.executable, "-m", "tui_popretr", str(self.top / "retrieve.xml"), "--headless", *arguments]
        with path.open("wb") as said:
            process = subprocess.Popen(
                [*wrapper, *command],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said if stderr is None else stderr,
                # whoever enters a namespace leaves the working directory
                env=environment({"PYTHONPATH": str(_PROJECT), **(environ or {})}),
            )
        with process:
            try:
                yield Process(process, path)
            finally:
                process.kill()

    def once(self, *, wrapper: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> Done:
        """Run both clients once."""
        with self.running("--once", wrapper=wrapper, environ=environ) as process:
            return process.finish()

    # --- what came of it ----------------------------------------------------------------------------------------------

    def arrived(self, name: str) -> Counter[bytes]:
        """The messages in new of a client's Maildir, as they were sent. None may be there in part."""
        found = Counter(without_received(path.read_bytes()) for path in self.maildirs[name].glob("new/*"))
        assert set(found) <= set(self._as_stored(name)), "something in new was never sent"
        return found

    def unfinished(self, name: str) -> list[Path]:
        """What lies in tmp."""
        return list(self.maildirs[name].glob("tmp/*"))

    def left(self, name: str) -> int:
        """How many messages are on the server."""
        return len(self.server.server.maildrops[name].messages)

    def assert_all(self, *names: str) -> None:
        """All that was sent has arrived once, and nothing is anywhere else."""
        for name in names or (HIT, OTHER):
            self.assert_all_arrived(name)
            assert self.left(name) == 0

    def assert_all_arrived(self, name: str) -> None:
        """All that was sent has arrived once; it may be on the server still."""
        assert self.arrived(name) == self._as_stored(name)
        assert self.unfinished(name) == []

    def assert_kept(self, name: str) -> None:
        """Each message has arrived or is on the server, perhaps both; nothing has come twice, or in part."""
        found = self.arrived(name)
        assert max(found.values(), default=1) == 1
        server = self.server.server.maildrops[name].messages
        on_server = {b"".join(message.chunks()).replace(b"\r\n", b"\n") for message in server}
        assert set(self._as_stored(name)) == set(found) | on_server

    def heard(self, name: str, verb: str) -> list[str]:
        """The commands of a verb that the server has heard in sessions of an account."""
        dialogue = [line for line in self.server.server.dialogue if line.sender == "C"]
        mine = {line.connection for line in dialogue if line.text == f"USER {name}".encode()}
        told = [line.text.decode() for line in dialogue if line.connection in mine]
        return [text for text in told if text.startswith(verb)]

    def deleting(self, name: str) -> int:
        """How many DELEs the program has sent for a client; its server may not have read them yet."""
        text = self._transcript.read_text() if self._transcript.exists() else ""
        return len(re.findall(rf"^{name}-\d+ \S+ >> DELE ", text, re.MULTILINE))

    def audited(self) -> Counter[str]:
        """How many audit lines each message has, those of recovery left out."""
        text = self.audit.read_text() if self.audit.exists() else ""
        return Counter(re.findall(r"MsgID=([a-z.0-9]+)@faults\.test;.*(?<!\(recovered\))$", text, re.MULTILINE))

    def _as_stored(self, name: str) -> Counter[bytes]:
        return Counter(message.replace(b"\r\n", b"\n") for message in self._sent[name])
