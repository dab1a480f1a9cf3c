"""The server itself: accepts connections, and lets none of them harm another."""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections.abc import Callable, Iterable

import trio

from tui_popretr.popserver.channel import Channel, Disconnected
from tui_popretr.popserver.faults import ConnectionCutOff, Faults, Stalled
from tui_popretr.popserver.maildrop import ServedMaildrop
from tui_popretr.popserver.policy import STD, ServerPolicy
from tui_popretr.popserver.session import ServerSession, ServerState
from tui_popretr.popserver.tally import ServerCounters, ServerLine

_log = logging.getLogger(__name__)

_CLOSING_PATIENCE = 5.0


class PopServer:
    """A POP3 server for demonstration and tests: complete, quick, and not meant for the network.

    It knows no accounts but the given maildrops (`maildrops` may be changed while it serves), keeps everything in
    memory and does nothing against guessing. `tls` is the context for STLS and implicit TLS; for EXTERNAL it must ask
    for client certificates (ssl.CERT_OPTIONAL). `clock` returns seconds; ServerPolicy.login_delay is measured with it.
    With `keep_dialogue` the lines of all sessions are kept in `dialogue`, passwords included.
    """

    def __init__(
        self,
        maildrops: Iterable[ServedMaildrop],
        *,
        policy: ServerPolicy = STD,
        tls: ssl.SSLContext | None = None,
        faults: Faults | None = None,
        keep_dialogue: bool = False,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        self.maildrops = {maildrop.name: maildrop for maildrop in maildrops}
        self.policy = policy
        self.faults = Faults() if faults is None else faults
        self.tally = ServerCounters(dialogue=[] if keep_dialogue else None)
        self._tls = tls
        self._clock = clock

    @property
    def dialogue(self) -> list[ServerLine]:
        """The lines said so far; empty unless keep_dialogue was asked for."""
        return self.tally.dialogue or []

    async def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        implicit_tls: bool = False,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listen on an address and serve until cancelled; `started` gives the port. Raises OSError if it cannot listen.

        May be run several times at once, for a port with and one without implicit TLS.
        """
        if implicit_tls and self._tls is None:
            raise ValueError("implicit TLS needs a TLS context")
        listeners = await trio.open_tcp_listeners(port, host=host)
        bound: int = listeners[0].socket.getsockname()[1]

        async def serve_one(stream: trio.SocketStream) -> None:
            await self.serve_stream(stream, implicit_tls=implicit_tls)

        task_status.started(bound)
        await trio.serve_listeners(serve_one, listeners)

    async def serve_stream(self, stream: trio.abc.Stream, *, implicit_tls: bool = False) -> None:
        """Serve one connection over any stream and close it. Raises nothing but cancellation."""
        self.tally.connections += 1
        channel = Channel(stream, self.policy.idle_timeout)
        graceful = False
        try:
            graceful = await self._converse(channel, self.tally.connections, implicit_tls)
        except Exception as failure:  # noqa: BLE001 - one session's trouble is not the others'
            self.tally.failures.append(failure)
            _log.error("a session of the demonstration server failed", exc_info=failure)
        finally:
            await _close(channel.stream, graceful=graceful)

    async def _converse(self, channel: Channel, number: int, implicit_tls: bool) -> bool:
        """Hold the session; return whether the connection is to be closed properly."""
        around = ServerState(self.maildrops, self.policy, self._tls, self.faults, self.tally, self._clock)
        session = ServerSession(around, channel, number)
        try:
            try:
                if implicit_tls and self._tls is not None:
                    self.faults.before("HANDSHAKE")
                    await channel.start_tls(self._tls)
                await session.run()
            except Stalled:
                await channel.discard()
            except ConnectionCutOff:
                await channel.flush()
                return False
        except Disconnected:
            return False
        return True


async def _close(stream: trio.abc.Stream, *, graceful: bool) -> None:
    if graceful:
        # TLS says good-bye first, to a client that may not listen
        with trio.move_on_after(_CLOSING_PATIENCE), contextlib.suppress(trio.BrokenResourceError, OSError):
            await stream.aclose()
    else:
        await trio.aclose_forcefully(stream)
