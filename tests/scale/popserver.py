"""A POP3 server in a process of its own, for messages and maildrops so large that its memory must not be counted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from tests.support.passwords import PASSWORD
from tests.support.popserver import PopServer, ServedMaildrop, generated_message

USER = "me"


@contextmanager
def serving(*, count: int, size: int) -> Iterator[str]:
    """Serve a maildrop with `count` messages of `size` octets; gives the address."""
    command = [sys.executable, "-m", "tests.scale.popserver", str(count), str(size)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


async def serve(count: int, size: int) -> None:
    """Serve until killed, and say the port first."""
    maildrop = ServedMaildrop(USER, PASSWORD)
    for number in range(count):
        maildrop.add(generated_message(size, header=b"Message-ID: <%d@scale.test>\r\n" % number))
    async with trio.open_nursery() as nursery:
        port = await nursery.start(PopServer([maildrop]).serve)
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    trio.run(serve, int(sys.argv[1]), int(sys.argv[2]))
