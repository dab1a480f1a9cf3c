"""Killed at any moment, or the server gone: nothing is lost, nothing comes twice, nothing half-written stays."""

from __future__ import annotations

import random
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import trio

from tests.dovecot.relay import Relay, RelayThread
from tests.dovecot.site import PASSWORD, PATIENCE, Run, Site, client, without_received
from tests.support.dovecot import HOST, Dovecot, as_retrieved
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Noted
from tui_popretr.journal.records import State

COUNT = 300


def messages_of_many_sizes(count: int, seed: int) -> list[bytes]:
    """Most are small, some have more than one read of a socket, a few more than is kept in memory."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        size = chance.choice([0, 100, 1000, 1000, 5000, 20000, 70000]) if number % 40 else 1_500_000
        line = b"%d of %d " % (number, seed) + b"x" * 60 + b"\r\n"
        header = b"Message-ID: <%d@kills.test>\r\nFrom: k@kills.test\r\n\r\n" % number
        found.append(header + line * (size // len(line) + 1))
    return found


class Murders:
    """Kills the retrieving process after a chosen number of octets, counted in either direction; restarts it."""

    def __init__(self, site: Site, dovecot: Dovecot, seed: int) -> None:
        self.count = 0
        self.kills = 0
        self._site = site
        self._dovecot = dovecot
        self._chance = random.Random(seed)

    def until_a_clean_end(self, kills: int, octets: int, configure: str) -> None:
        """Run again and again; `octets` is the maildrop's size, `configure` a client with PORT for the port."""
        for attempt in range(kills * 3):
            relay = _Murderous(self._dovecot)
            with RelayThread(relay) as thread:
                self._site.configure(configure.replace("PORT", str(thread.port)), transcript=False)
                process = self._site.start("--once")
                if attempt < kills:
                    # Early and late, in what the server says (messages) or in what we say (RETR, DELE, QUIT).
                    relay.down_limit = int(octets * self._chance.random() ** 3 / 4) + 300
                    if self._chance.random() < 0.3:
                        relay.up_limit = self._chance.randrange(60, 6000)
                    relay.victim = process
                try:
                    code = process.wait(PATIENCE)
                finally:
                    process.kill()
                    process.wait()
            if code == -signal.SIGKILL:
                self.kills += 1
            else:
                assert code == 0, self._site.said[-3000:]
                if attempt >= kills or not self._dovecot_has_mail():
                    return
        raise AssertionError(f"{self.kills} kills, and no clean end")

    def _dovecot_has_mail(self) -> bool:
        return True
