"""Messages into a mail server: the plain loop, the sink, and the whole program, in one run, as ratios.

    python -m benchmarks.smtp [--postfix] [--messages 1000] [--rounds 3]

The server is a real Postfix of the tests (as root), or one that keeps nothing, so that only the sending side is
measured. The plain loop is smtplib.sendmail over one connection. The program retrieves the same messages from the
embedded POP3 server, and makes each durable in its journal before it ends the next one; the journal is on the disk of
the current folder.
"""

from __future__ import annotations

import argparse
import smtplib
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import trio

from tests.delivery.smtp.postfix import Postfix
from tests.scale.mailserver import taking
from tests.scale.popserver import USER, serving
from tests.support.passwords import PASSWORD
from tests.support.popserver import generated_message
from tui_popretr.bus import Bus
from tui_popretr.config.model import SmtpDestination
from tui_popretr.config.reader import load
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.smtp.sink import SmtpSink
from tui_popretr.engine.service import Engine

SENDER, RECIPIENT = "x@receiver.test", "me@receiver.test"
SIZE = 10_000


def plain(port: int, messages: list[bytes]) -> None:
    """What a script would do."""
    with smtplib.SMTP("127.0.0.1", port) as server:
        for message in messages:
            server.sendmail(SENDER, [RECIPIENT], message)


def by_sink(port: int, messages: list[bytes]) -> None:
    """The sink alone."""
    trio.run(_by_sink, port, messages)


async def _by_sink(port: int, messages: list[bytes]) -> None:
    destination = SmtpDestination(SENDER, (RECIPIENT,), host="127.0.0.1", port=port)
    sink = SmtpSink(destination, recip=RECIPIENT, spool=tempfile.gettempdir())
    await sink.prepare(SIZE)
    waiting: deque[OutgoingMessage] = deque()
    for number, octets in enumerate(messages):
        message = sink.open(number)
        message.write(octets)
        message.finish()
        waiting.append(message)
    while waiting:
        await sink.send(waiting.popleft(), trio.lowlevel.checkpoint, lambda: waiting[0] if waiting else None)
    await sink.close()


@contextmanager
def by_program(port: int, messages: list[bytes]) -> Iterator[Callable[[], None]]:
    """The whole engine, from a POP3 server in another process, which is started before."""
    with serving(count=len(messages), size=SIZE) as address, tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "bench.xml"
        path.write_text(
            f'<pop3download><clients><client id="me" recip="{RECIPIENT}"><server address="{address}">'
            f"<username>{USER}</username><password>{PASSWORD}</password></server>"
            f"<smtp><sender>{SENDER}</sender><address>127.0.0.1:{port}</address></smtp></client></clients></pop3download>"
        )
        path.chmod(0o600)
        settings = load(str(path)).settings
        assert settings is not None
        engine = Engine(settings.at_once(), Bus())
        yield partial(trio.run, engine.run)
        (result,) = engine.results.values()
        assert result.messages == len(messages), result.error


#: What is to be timed, when all that it needs is there.
Way = Callable[[int, list[bytes]], AbstractContextManager[Callable[[], None]]]
WAYS: dict[str, Way] = {
    "plain smtplib loop": lambda port, messages: nullcontext(partial(plain, port, messages)),
    "sink": lambda port, messages: nullcontext(partial(by_sink, port, messages)),
    "whole program": by_program,
}


@contextmanager
def nothing_kept(count: int) -> Iterator[int]:
    """A server that keeps nothing; it must have had so many messages in the end. Gives the port."""
    with taking() as server, ThreadPoolExecutor() as pool:
        arrived = pool.submit(lambda: [server.next_message() for _ in range(count)])  # its pipe must not fill up
        yield server.port
        assert len(arrived.result()) == count


@contextmanager
def real(count: int) -> Iterator[int]:
    """A Postfix, likewise."""
    with Postfix("me") as server:
        yield server.port
        assert len(server.mailbox("me", count)) == count


def measure(server: Callable[[int], AbstractContextManager[int]], way: Way, messages: list[bytes]) -> float:
    """Return messages a second."""
    with server(len(messages)) as port, way(port, messages) as run:
        started = time.perf_counter()
        run()
        return len(messages) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postfix", action="store_true", help="deliver into a real Postfix")
    chosen = parser.parse_args()
    message = b"".join(generated_message(SIZE, header=b"Message-ID: <0@bench.test>\r\n").chunks())
    server = real if chosen.postfix else nothing_kept
    runs = {name: partial(measure, server, way, [message] * chosen.messages) for name, way in WAYS.items()}
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(chosen.rounds):  # in turns, so that what else runs on the machine hits all alike
        for name, run in runs.items():
            rates[name].append(run())
    base = statistics.median(rates["plain smtplib loop"])
    for name, found in rates.items():
        rate = statistics.median(found)
        print(f"{name:20} {rate:8.0f} messages/s   {rate / base:5.2f} of the plain loop")
    print("goal: 0.80 or more")


if __name__ == "__main__":
    main()
