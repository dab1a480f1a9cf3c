"""Messages into an IMAP server: a plain imaplib loop, the sink, and the whole program, in one run, as ratios.

    python -m benchmarks.imap [--delay 40] [--messages 2000] [--rounds 3] [--quick]
    python -m benchmarks.imap --memory [--quick]

The server is the Dovecot of the tests, and each run has an account of its own. With --delay this server is far away;
the POP3 server is not. The plain loop has one connection, whose login is not counted; that of the sink and of the
program is. The program records each message in its journal, in the folder --dir, before the server can accept it.
"""

from __future__ import annotations

import argparse
import imaplib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import trio

from benchmarks.appending import HOST, append_all, header, open_sink
from benchmarks.delayproxy import far_away
from benchmarks.machine import doubt_about
from tests.scale.popserver import USER, serving
from tests.support.dovecot import Dovecot, imap_unavailable
from tests.support.passwords import PASSWORD
from tests.support.popserver import generated_message
from tui_popretr.bus import Bus
from tui_popretr.config.reader import load
from tui_popretr.engine.service import Engine

SIZE: Final = 4_000
PLAIN: Final = "plain imaplib loop"
#: Messages of the plain loop at a distance, at most: each costs it two round trips.
_FEW: Final = 100
_MEGABYTE: Final = 2**20


@dataclass(frozen=True, slots=True)
class Target:
    """Where the messages of one run go, and a folder for what the sender keeps."""

    port: int
    account: str
    folder: str


@contextmanager
def plain(target: Target, count: int) -> Iterator[Callable[[], None]]:
    """What a script would do."""
    messages = _messages(count)

    def run() -> None:
        for message in messages:
            answer, said = server.append("INBOX", "", "", message)
            assert answer == "OK", said

    with imaplib.IMAP4(HOST, target.port) as server:
        server.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # it is slower without
        server.login(target.account, PASSWORD)
        yield run


@contextmanager
def by_sink(target: Target, count: int) -> Iterator[Callable[[], None]]:
    """The sink alone."""
    messages = _messages(count)
    yield partial(trio.run, append_all, open_sink(target.port, target.account, target.folder), messages, SIZE)


@contextmanager
def by_program(target: Target, count: int) -> Iterator[Callable[[], None]]:
    """The whole engine, from a POP3 server in another process, which is started before."""
    with serving(count=count, size=SIZE) as address, tempfile.TemporaryDirectory(dir=target.folder) as folder:
        path = Path(folder) / "bench.xml"
        path.write_text(
            f'<pop3download><clients><client id="me" recip="me"><server address="{address}">'
            f"<username>{USER}</username><password>{PASSWORD}</password></server>"
            f"<imap><address>{HOST}:{target.port}</address><username>{target.account}</username>"
            f'<password>{PASSWORD}</password><ssl enabled="N"/></imap></client></clients></pop3download>'
        )
        path.chmod(0o600)
        settings = load(str(path)).settings
        assert settings is not None
        engine = Engine(settings.at_once(), Bus())
        yield partial(trio.run, engine.run)
        (result,) = engine.results.values()
        assert result.messages == count, result.error


#: What is to be timed, when all that it needs is there.
Way = Callable[[Target, int], AbstractContextManager[Callable[[], None]]]
WAYS: Final[dict[str, Way]] = {PLAIN: plain, "sink": by_sink, "whole program": by_program}


def _messages(count: int) -> list[bytes]:
    return [b"".join(generated_message(SIZE, header=header(number)).chunks()) for number in range(count)]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured, at which round trip."""

    messages: int
    rounds: int
    milliseconds: float

    def count(self, name: str) -> int:
        """Return how many messages a way appends."""
        return min(self.messages, _FEW) if name == PLAIN and self.milliseconds else self.messages


def compare(plan: Plan, folder: str) -> dict[str, list[float]]:
    """Return messages a second for each way, in each round."""
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    with Dovecot(imap=True) as dovecot, far_away(dovecot.imap_port, plan.milliseconds) as port:
        for turn in range(plan.rounds):  # in turns, so that what else runs on the machine hits all alike
            for number, (name, way) in enumerate(WAYS.items()):
                count, account = plan.count(name), f"reader-{turn}-{number}"
                dovecot.add_user(account, PASSWORD)
                with way(Target(port, account, folder), count) as run:
                    started = time.perf_counter()
                    run()
                    rates[name].append(count / (time.perf_counter() - started))
                assert dovecot.count(account) == count, f"{name}: {dovecot.count(account)} of {count} have arrived"
    return rates


def memory(size: int, folder: str) -> int:
    """Return by how many octets the memory of a process rises while its sink appends a message of this size."""
    account = "reader"
    with Dovecot(imap=True) as dovecot:
        dovecot.add_user(account, PASSWORD)
        command = [sys.executable, "-m", "benchmarks.appending", f"{dovecot.imap_port}", account, f"{size}", folder]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
        with imaplib.IMAP4(HOST, dovecot.imap_port) as server:
            server.login(account, PASSWORD)
            server.select("INBOX", readonly=True)
            _, answer = server.fetch("2", "(RFC822.SIZE)")
        assert answer == [b"2 (RFC822.SIZE %d)" % size], answer
    return int(done.stdout)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay", type=float, default=0.0, help="the round trip to the IMAP server, in milliseconds")
    parser.add_argument("--memory", action="store_true", help="append one message of 1 GB, and measure the memory")
    parser.add_argument(
        "--quick", action="store_true", help="40 messages once, or one of 50 MB: to see whether it works"
    )
    parser.add_argument(
        "--dir", default=os.environ.get("BENCH_DIR") or "/var/tmp", help="for journals and spooled mail (BENCH_DIR)"
    )
    chosen = parser.parse_args(arguments)
    if reason := imap_unavailable():
        print(reason, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="popretr-bench-", dir=chosen.dir) as folder:
        if chosen.memory:
            size = (50 if chosen.quick else 1024) * _MEGABYTE
            rise = memory(size, folder)
            print(f"one message of {size / _MEGABYTE:,.0f} MB: the memory rises by {rise / _MEGABYTE:.1f} MB")
            print("goal: less than 20 MB")
            return 0
        if doubt := doubt_about(folder):
            print(f"Mind: {doubt}", file=sys.stderr)
        messages, rounds = (40, 1) if chosen.quick else (chosen.messages, chosen.rounds)
        rates = compare(Plan(messages, rounds, chosen.delay), folder)
    print(f"messages of {SIZE:,} octets, a round trip of {chosen.delay:g} ms:")
    base = statistics.median(rates[PLAIN])
    for name, found in rates.items():
        rate = statistics.median(found)
        span = f"({min(found):.0f} to {max(found):.0f})"
        print(f"{name:20} {rate:8.0f} messages/s {span:16} {rate / base:6.2f} of the plain loop")
    print("goal: 1.00 or more, better 3.00; at 40 ms 10.00 or more")
    return 0


if __name__ == "__main__":
    sys.exit(main())
