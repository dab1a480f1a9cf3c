"""A long line in a process of its own: `python -m benchmarks.delayproxy PORT MILLISECONDS` says where it listens.

What is sent arrives half a round trip later, in either direction, and as much as one likes can be on its way: the line
is long, not thin. A connection costs what it would cost there too. TCP's slow start, losses and narrow lines are not
played.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from benchmarks.serving import serving

HOST: Final = "127.0.0.1"
#: At most so many octets are on their way in one direction; then the sender is no longer listened to.
_ON_THE_WAY: Final = 64 << 20
#: Timers are late, by up to a millisecond (epoll(7)); what is due within this many seconds is passed on.
_EARLY: Final = 0.0005


class _End(asyncio.Protocol):
    """One end of the line. What it hears comes out of `other` after `delay` seconds."""

    def __init__(self, delay: float) -> None:
        self.other: _End
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._coming: deque[tuple[float, bytes]] = deque()  # to be said here, with when; nothing means the end
        self._octets = 0
        self._timer: asyncio.TimerHandle | None = None
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport
        self._wait()

    def data_received(self, data: bytes) -> None:
        self.other.tell(self._loop.time() + self._delay, data)
        if self.other._octets > _ON_THE_WAY:
            assert self._transport is not None
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self.other.tell(self._loop.time() + self._delay, b"")
        return True  # the other direction goes on

    def connection_lost(self, problem: Exception | None) -> None:
        self._transport = None
        self._coming.clear()
        self.other.tell(self._loop.time() + self._delay, b"")

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._wait()

    def tell(self, due: float, data: bytes) -> None:
        """Say this here when it is due."""
        self._coming.append((due, data))
        self._octets += len(data)
        self._wait()

    def refuse(self) -> None:
        """Close it without having said anything more."""
        if self._transport is not None:
            self._transport.close()

    def _wait(self) -> None:
        if self._timer is None and self._coming and self._transport is not None and not self._full:
            self._timer = self._loop.call_at(self._coming[0][0] - _EARLY, self._say)

    def _say(self) -> None:
        self._timer = None
        now = self._loop.time() + _EARLY
        while self._coming and self._coming[0][0] <= now and self._transport is not None and not self._full:
            _, data = self._coming.popleft()
            self._octets -= len(data)
            if data:
                self._transport.write(data)
            else:
                self._close()
        source = self.other._transport
        if self._octets < _ON_THE_WAY // 2 and source is not None and not source.is_closing():
            source.resume_reading()
        self._wait()

    def _close(self) -> None:
        """The other end has nothing more to say, or is gone."""
        assert self._transport is not None
        if self.other._transport is None:
            self._transport.close()
        elif not self._transport.is_closing():
            with suppress(OSError):  # it was broken off meanwhile
                self._transport.write_eof()


async def _listen(port: int, delay: float) -> None:
    dialling: set[asyncio.Task[None]] = set()

    def accept() -> _End:
        client, server = _End(delay), _End(delay)
        client.other, server.other = server, client
        task = asyncio.create_task(dial(client, server))
        dialling.add(task)
        task.add_done_callback(dialling.discard)
        return client

    async def dial(client: _End, server: _End) -> None:
        # Here connect() takes no time, so that the handshake's three packets are waited for now.
        await asyncio.sleep(3 * delay)
        try:
            await asyncio.get_running_loop().create_connection(lambda: server, HOST, port)
        except OSError:
            client.refuse()

    listener = await asyncio.get_running_loop().create_server(accept, HOST, 0, backlog=1024)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


@contextmanager
def far_away(port: int, milliseconds: float) -> Iterator[int]:
    """Put a line of this round trip before a port; gives the port to connect to. Nothing is put there for none."""
    if not milliseconds:
        yield port
        return
    with serving("benchmarks.delayproxy", port, milliseconds) as nearer:
        yield nearer


if __name__ == "__main__":
    asyncio.run(_listen(int(sys.argv[1]), float(sys.argv[2]) / 2000))
