"""Killed at any moment, or the server gone: nothing is lost, nothing comes twice, nothing half-written stays."""

from __future__ import annotations

import os
import random
import re
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from math import inf
from pathlib import Path

import pytest
import trio

from tests.dovecot.relay import Relay, RelayThread
from tests.dovecot.site import PASSWORD, PATIENCE, Run, Site, client, wait_for, without_received
from tests.support.dovecot import Dovecot
from tui_popretr.facts import MessageSkipped
from tui_popretr.journal.records import State

COUNT = 300


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def messages_of_many_sizes(count: int, seed: int) -> list[bytes]:
    """Most are small, some come in several reads of a socket, a few are more than what is kept in memory."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        size = chance.choice([0, 100, 1000, 1000, 5000, 20000, 70000]) if number % 40 else 1_500_000
        line = b"%d of %d " % (number, seed) + b"x" * 60 + b"\r\n"
        header = b"Message-ID: <%d@kills.test>\r\nFrom: k@kills.test\r\n\r\n" % number
        found.append(header + line * (size // len(line) + 1))
    return found


class Killer:
    """Kills the retrieving process at chance moments, until it was killed often enough.

    The moment comes after so many octets that it was sent or that it has sent, or when so many more files have got
    their final names: these are in the middle of the commit.
    """

    def __init__(self, site: Site, relay: RelayThread, destination: Path, seed: int) -> None:
        self.kills = 0
        self._site = site
        self._relay = relay
        self._destination = destination
        self._chance = random.Random(seed)

    def until_a_clean_end(self, kills: int, *, typically: int) -> None:
        """Start the process until it was killed so often, `typically` after so many octets, and then once more."""
        for _ in range(2 * kills):
            match self._chance.choice(["received", "received", "sent", "published"]):
                case "received":
                    code = self._killed_by_relay(down=int(self._chance.expovariate(1 / typically)) + 30)
                case "sent":
                    code = self._killed_by_relay(up=self._chance.randrange(20, 3000))
                case _:
                    code = self._killed_when_published(self._chance.randrange(1, 10))
            assert code in (0, -signal.SIGKILL), self._site.said[-3000:]
            self.kills += code != 0; print(self._published(), end=" ")
            if self.kills == kills:
                break
        assert self.kills == kills, "it ended too often before its moment came"
        assert self._site.once() == 0, self._site.said[-3000:]

    def _killed_by_relay(self, *, down: float = inf, up: float = inf) -> int:
        relay = self._relay
        with self._site.running("--once") as process:  # it takes long to connect, compared with what follows here
            relay.call(partial(relay.relay.arm, process.kill, down=down, up=up))
            return process.wait(PATIENCE)

    def _killed_when_published(self, count: int) -> int:
        self._relay.call(self._relay.relay.release)
        wanted = self._published() + count
        with self._site.running("--once") as process:
            wait_for(lambda: process.poll() is not None or self._published() >= wanted, "a file's final name", pause=0)
            process.kill()
            return process.wait(PATIENCE)

    def _published(self) -> int:
        names = os.listdir(self._destination) if self._destination.exists() else []
        return sum(not name.startswith(".") for name in names)


@pytest.fixture
def relay(dovecot: Dovecot) -> Iterator[RelayThread]:
    """One for all processes of a test: the port is part of what the journal knows a maildrop by."""
    with RelayThread(Relay(dovecot.host, dovecot.port)) as thread:
        yield thread


def assert_audited(site: Site, count: int) -> None:
    """Each delivered message has its line; a second one only if it is marked as recovered."""
    lines = Counter[str]()
    unmarked = Counter[str]()
    for line in site.audit():
        match = re.search(r"MsgID=(\d+)@kills\.test; Size=\d+; Sender=k@kills\.test( \(recovered\))?$", line)
        assert match, line
        lines[match[1]] += 1
        unmarked[match[1]] += match[2] is None
    assert set(lines) == {str(number) for number in range(count)}
    assert max(unmarked.values()) == 1


def test_into_a_maildir(dovecot: Dovecot, site: Site, relay: RelayThread) -> None:
    messages = messages_of_many_sizes(COUNT, 1)
    dovecot.add_user("kills-maildir", PASSWORD)
    dovecot.fill("kills-maildir", messages)
    site.configure(client("me", f"{dovecot.host}:{relay.port}", user="kills-maildir"))
    killer = Killer(site, relay, site.maildir("me") / "new", seed=1)
    killer.until_a_clean_end(25, typically=700_000)
    print("RUNS", relay.relay.connections, "recovered", sum("recovered" in l for l in site.audit()))
    found = Counter(without_received(each) for each in site.mailbox("me"))
    assert found == Counter(each.replace(b"\r\n", b"\n") for each in messages)
    assert list(site.maildir("me").glob("tmp/*")) == []
    assert dovecot.count("kills-maildir") == 0
    assert_audited(site, COUNT)
    assert {record.state for record in site.records()} == {State.DELETED}


def test_into_a_folder_with_the_mail_left_on_the_server(dovecot: Dovecot, site: Site, relay: RelayThread) -> None:
    messages = messages_of_many_sizes(COUNT, 2)
    dovecot.add_user("kills-folder", PASSWORD)
    dovecot.fill("kills-folder", messages)
    folder = f"<downloads_directory>{site.top / 'mail'}</downloads_directory>"
    address = f"{dovecot.host}:{relay.port}"
    site.configure(client("me", address, user="kills-folder", inside=folder, preserve="Y", newonly="Y"))
    killer = Killer(site, relay, site.top / "mail", seed=2)
    killer.until_a_clean_end(15, typically=300_000)
    print("RUNS", relay.relay.connections, "recovered", sum("recovered" in l for l in site.audit()))
    files = sorted((site.top / "mail").iterdir())
    assert all(re.fullmatch(r"\d{8}-\d{6}-me-\d+\.eml", path.name) for path in files)
    assert Counter(without_received(path.read_bytes()) for path in files) == Counter(messages)
    assert dovecot.count("kills-folder") == COUNT
    assert_audited(site, COUNT)
    assert {record.state for record in site.records()} == {State.DELIVERED}
