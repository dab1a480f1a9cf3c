"""A POP3 server in a process of its own, that is slow on purpose: `python -m benchmarks.popserver ACCOUNTS DELAY`."""

from __future__ import annotations

import sys

import trio

from tests.support.popserver import Faults, Message, PopServer, ServedMaildrop

PASSWORD = "secret"
MESSAGES = 400
TEXTS = 20
_TEXT = b"Subject: benchmark\r\n\r\n" + b"some words that fill the row of a message, as people write them\r\n" * TEXTS


async def serve(accounts: int, delay: float) -> None:
    """Serve accounts user0, user1 ... until killed, and say the port.

    After the login each reply takes `delay` seconds, a third more or less, so that sessions get out of step.
    """
    maildrops = [
        ServedMaildrop(f"user{number}", PASSWORD, faults=Faults(delay=delay * (2 / 3 + 2 / 3 * number / accounts)))
        for number in range(accounts)
    ]
    message = Message.of(_TEXT)
    for maildrop in maildrops:
        for _ in range(MESSAGES):
            maildrop.add(message)
    async with trio.open_nursery() as nursery:
        port = await nursery.start(PopServer(maildrops).serve)
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    trio.run(serve, int(sys.argv[1]), float(sys.argv[2]))
