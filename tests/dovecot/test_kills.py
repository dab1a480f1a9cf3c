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
from tui_popretr.errors import ExitCode
from tui_popretr.journal.records import State

COUNT = 300


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


class Account:
    """An account with COUNT messages, and more where they are used up."""

    def __init__(self, dovecot: Dovecot, name: str) -> None:
        dovecot.add_user(name, PASSWORD)
        self.name = name
        self.messages: list[bytes] = []
        self._dovecot = dovecot
        self.fill()

    def fill(self) -> None:
        """Add messages: most are small, some come in several reads, a few are more than what is kept in memory."""
        first = len(self.messages)
        more = []
        for number in range(first, first + COUNT):
            size = (0, 100, 1000, 1000, 5000, 20000, 70000)[number % 7] if number % 40 else 1_500_000
            line = b"%d " % number + b"x" * 60 + b"\r\n"
            header = b"Message-ID: <%d@kills.test>\r\nFrom: k@kills.test\r\n\r\n" % number
            more.append(header + line * (size // len(line) + 1))
        self._dovecot.fill(self.name, more)
        self.messages += more

    @property
    def remaining(self) -> int:
        """How many messages are on the server."""
        return self._dovecot.count(self.name)

    def in_maildir(self) -> Counter[bytes]:
        """All messages, with the line ends of a Maildir."""
        return Counter(each.replace(b"\r\n", b"\n") for each in self.messages)


class Killer:
    """Kills the retrieving process at chance moments, until it was killed often enough.

    The moment comes after so many octets that it was sent or that it has sent, or when so many more files have got
    their final names: these are in the middle of the commit.
    """

    def __init__(self, site: Site, relay: RelayThread, account: Account, destination: Path, seed: int) -> None:
        self.kills = 0
        self._account = account
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
            if code == 0:  # it was done before its moment came
                self._account.fill()
                continue
            self.kills += 1
            if self.kills == kills:
                break
        assert self.kills == kills
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
    account = Account(dovecot, "kills-maildir")
    site.configure(client("me", f"{dovecot.host}:{relay.port}", user=account.name))
    killer = Killer(site, relay, account, site.maildir("me") / "new", seed=1)
    killer.until_a_clean_end(25, typically=1_200_000)
    found = Counter(without_received(each) for each in site.mailbox("me"))
    assert found == account.in_maildir()
    assert list(site.maildir("me").glob("tmp/*")) == []
    assert account.remaining == 0
    assert_audited(site, len(account.messages))
    assert {record.state for record in site.records()} == {State.DELETED}


def test_into_a_folder_with_the_mail_left_on_the_server(dovecot: Dovecot, site: Site, relay: RelayThread) -> None:
    account = Account(dovecot, "kills-folder")
    folder = f"<downloads_directory>{site.top / 'mail'}</downloads_directory>"
    address = f"{dovecot.host}:{relay.port}"
    site.configure(client("me", address, user=account.name, inside=folder, preserve="Y", newonly="Y"))
    killer = Killer(site, relay, account, site.top / "mail", seed=2)
    killer.until_a_clean_end(15, typically=300_000)
    files = sorted((site.top / "mail").iterdir())
    assert all(re.fullmatch(r"\d{8}-\d{6}-me-\d+\.eml", path.name) for path in files)
    assert Counter(without_received(path.read_bytes()) for path in files) == Counter(account.messages)
    assert account.remaining == len(account.messages)
    assert_audited(site, len(account.messages))
    assert {record.state for record in site.records()} == {State.DELIVERED}


@pytest.mark.parametrize("comes_back", ["at once", "later"])
def test_the_server_goes_away_in_a_session(dovecot: Dovecot, site: Site, comes_back: str) -> None:
    account = Account(dovecot, f"restart-{comes_back.replace(' ', '-')}")
    relay = Relay(dovecot.host, dovecot.port)

    async def main() -> tuple[Run, Run]:
        async with trio.open_nursery() as nursery:
            port = await nursery.start(relay.serve)
            site.configure(client("me", f"{dovecot.host}:{port}", user=account.name))
            at_gate = trio.Event()
            relay.arm(at_gate.set, down=2_000_000)
            runs: list[Run] = []

            async def retrieve() -> None:
                runs.append(await site.arun())

            async with trio.open_nursery() as retrieving:
                retrieving.start_soon(retrieve)
                await at_gate.wait()
                await trio.to_thread.run_sync(dovecot.restart if comes_back == "at once" else dovecot.stop)
                relay.cut()  # Dovecot's own processes may finish a session that is under way
            await trio.to_thread.run_sync(dovecot.start)
            runs.append(await site.arun())
            nursery.cancel_scope.cancel()
        return runs[0], runs[1]

    first, second = trio.run(main)
    result = first.results["me"]
    assert result.deleted < COUNT
    if comes_back == "at once":  # one reconnection in the same run, which goes on after the message that broke off
        assert result.code is ExitCode.TEMPORARY, result
        assert (result.messages, result.failed, result.deleted) == (COUNT - 1, 1, COUNT - 1)
    else:
        assert not result.ok
        assert 0 < result.messages < COUNT
        assert result.deleted == 0
    assert second.results["me"].ok, second.results["me"]
    assert second.results["me"].messages == COUNT - result.messages
    assert Counter(without_received(each) for each in site.mailbox("me")) == account.in_maildir()
    assert account.remaining == 0
    assert_audited(site, COUNT)
