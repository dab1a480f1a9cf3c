"""Messages into a folder of an IMAP server by the sink alone.

    python -m benchmarks.appending PORT ACCOUNT OCTETS FOLDER

appends a small message and one of this size, and prints by how many octets the process's memory rose with the second.
The messages wait in FOLDER until they are sent.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import trio

from tests.scale.measured import peak_memory
from tests.support.passwords import PASSWORD
from tests.support.popserver import generated_message
from tui_popretr.config.model import ImapDestination
from tui_popretr.config.sources import Literal
from tui_popretr.delivery.filedraft import SPILL
from tui_popretr.delivery.imap.sink import ImapSink
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.secret import Secret

HOST = "127.0.0.1"
_SMALL = 10_000


def message_id(number: int) -> str:
    return f"{number}@bench.test"


def header(number: int) -> bytes:
    return f"Message-ID: <{message_id(number)}>\r\n".encode()


def open_sink(port: int, account: str, folder: str) -> ImapSink:
    """Return a sink that has no connection yet."""

    async def password() -> Secret:
        return Secret(PASSWORD)

    destination = ImapDestination(HOST, port, username=account, password=Literal(Secret(PASSWORD)), tls=None)
    return ImapSink(destination, spool=folder, password=password)


async def append_all(sink: ImapSink, messages: Iterable[bytes], size: int) -> None:
    """Append messages of at most `size` octets, in groups like those of the program, and close the sink."""
    await sink.prepare(size)
    waiting: deque[OutgoingMessage] = deque()
    for number, octets in enumerate(messages):
        message = sink.open(number)
        message.write(octets)
        message.finish()
        message.message_id = message_id(number)
        waiting.append(message)
    while waiting:
        await _append(sink, [waiting.popleft() for _ in range(min(len(waiting), sink.group.messages))])
    await sink.close()


async def _append(sink: ImapSink, group: list[OutgoingMessage]) -> None:
    await sink.mark(group)
    for outcome in await sink.send_group(group, trio.lowlevel.checkpoint):
        if not isinstance(outcome, str):
            raise outcome
    for message in group:
        message.abort()


async def _append_one(sink: ImapSink, number: int, size: int) -> None:
    """Append a generated message. What does not fit into memory goes to a file, as in a session."""
    await sink.prepare(size)
    message = sink.open(number)
    for chunk in generated_message(size, header=header(number)).chunks():
        message.write(chunk)
        if message.pending >= SPILL:
            await trio.to_thread.run_sync(message.spill)
    message.finish()
    message.message_id = message_id(number)
    await _append(sink, [message])


async def _measure(port: int, account: str, size: int, folder: str) -> int:
    """Return by how much the memory rose, in octets."""
    sink = open_sink(port, account, folder)
    await _append_one(sink, 0, _SMALL)
    before = _resident()
    await _append_one(sink, 1, size)
    await sink.close()
    return peak_memory() - before


def _resident() -> int:
    kilobytes = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert kilobytes is not None
    return int(kilobytes[1]) * 1024


if __name__ == "__main__":
    print(trio.run(_measure, int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]))
