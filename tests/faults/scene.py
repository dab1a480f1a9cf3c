"""Two clients of one configuration. A fault affects one of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.program.site import Site, client, without_received
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import RunningServer

#: The client that the fault affects, and the one that must go on.
HIT, OTHER = "hit", "other"


def accounts() -> list[ServedMaildrop]:
    """The two maildrops, empty."""
    return [ServedMaildrop(name, PASSWORD, uid_prefix=f"{name}-") for name in (HIT, OTHER)]


def mails(name: str, count: int, size: int = 100) -> list[bytes]:
    """Messages of at least `size` octets. Each `name` has its own."""
    line = b"x" * 76 + b"\r\n"
    return [
        f"Message-ID: <{name}.{number}@faults.test>\r\nSubject: {name} {number}\r\n\r\n".encode()
        + line * (size // len(line) + 1)
        for number in range(count)
    ]


class Scene(Site):
    """The mail of HIT may be on a faulty disk; the mail of OTHER never is. `server` has the accounts() of both."""

    def __init__(self, top: Path, server: RunningServer) -> None:
        super().__init__(top)
        self.server = server
        #: Where the mail of each arrives, as the test sees it.
        self.maildirs = {HIT: top / "mail" / HIT, OTHER: top / "mail" / OTHER}
        self._sent: dict[str, list[bytes]] = {HIT: [], OTHER: []}

    def send(self, name: str, messages: Iterable[bytes]) -> None:
        """Put messages into an account's maildrop. A session sees all of them or none."""
        new, maildrop = list(messages), self.server.server.maildrops[name]
        self._sent[name] += new
        self.server.call(lambda: [maildrop.add(message) for message in new])

    def expect(self, name: str, message: bytes) -> None:
        """Expect a message that send() did not put into the maildrop."""
        self._sent[name].append(message)

    def configure_both(
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
        """Write the configuration. HIT gets `maildir`, `address` (as the program sees them) and what follows `freq`."""
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
        self.configure(
            *clients, timeout=timeout, more=f"<journal>{journal or self.journal}</journal>", audit=audit, trace=""
        )

    # --- results ------------------------------------------------------------------------------------------------------

    def arrived(self, name: str) -> Counter[bytes]:
        """The messages in new of a client's Maildir, as they were sent. Each must be complete."""
        found = Counter(without_received(path.read_bytes()) for path in self.maildirs[name].glob("new/*"))
        assert set(found) <= set(self._as_stored(name)), "something in new was never sent"
        return found

    def unfinished(self, name: str) -> list[Path]:
        """The files in tmp."""
        return list(self.maildirs[name].glob("tmp/*"))

    def left(self, name: str) -> int:
        """How many messages are on the server."""
        return len(self.server.server.maildrops[name].messages)

    def assert_all(self, *names: str) -> None:
        """All that was sent has arrived once; nothing is in tmp or on the server."""
        for name in names or (HIT, OTHER):
            self.assert_all_arrived(name)
            assert self.left(name) == 0

    def assert_all_arrived(self, name: str) -> None:
        """All that was sent has arrived once. It may still be on the server."""
        assert self.arrived(name) == self._as_stored(name)
        assert self.unfinished(name) == []

    def assert_kept(self, name: str) -> None:
        """Each message has arrived, is on the server, or both. None has arrived twice or incomplete."""
        found = self.arrived(name)
        assert max(found.values(), default=1) == 1
        server = self.server.server.maildrops[name].messages
        on_server = {b"".join(message.chunks()).replace(b"\r\n", b"\n") for message in server}
        assert set(self._as_stored(name)) == set(found) | on_server

    def heard(self, name: str, verb: str) -> list[str]:
        """The commands with this verb that the server has read in sessions of an account."""
        dialogue = [line for line in self.server.server.dialogue if line.sender == "C"]
        mine = {line.connection for line in dialogue if line.text == f"USER {name}".encode()}
        told = [line.text.decode() for line in dialogue if line.connection in mine]
        return [text for text in told if text.startswith(verb)]

    def deleting(self, name: str) -> int:
        """The number of DELEs that the program has sent for a client. Its server may not have read them yet."""
        text = self.transcript_log.read_text() if self.transcript_log.exists() else ""
        return len(re.findall(rf"^{name}-\d+ \S+ >> DELE ", text, re.MULTILINE))

    def audited(self) -> Counter[str]:
        """The number of audit lines of each message, without those of recovery."""
        lines = "\n".join(self.audit())
        return Counter(re.findall(r"MsgID=([a-z.0-9]+)@faults\.test;.*(?<!\(recovered\))$", lines, re.MULTILINE))

    def _as_stored(self, name: str) -> Counter[bytes]:
        return Counter(message.replace(b"\r\n", b"\n") for message in self._sent[name])
