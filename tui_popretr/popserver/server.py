"""The server: accepts connections and keeps failures of one session away from the others."""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections.abc import Iterable, Mapping

import trio

from tui_popretr.popserver.channel import Channel, Disconnected
from tui_popretr.popserver.maildrop import ServedMaildrop
from tui_popretr.popserver.session import ServerSession

_log = logging.getLogger(__name__)

_CLOSE_TIMEOUT = 5.0


class PopServer:
    """A small POP3 server: USER, APOP, SASL PLAIN (only under TLS) and CRAM-MD5, STLS, implicit TLS, pipelining.

    It serves the given maildrops, keeps everything in memory and does not limit login attempts. `tls` is the context
    for STLS and implicit TLS. A subclass that returns another session() offers more, or less.
    """

    def __init__(self, maildrops: Iterable[ServedMaildrop], *, tls: ssl.SSLContext | None = None) -> None:
        self.maildrops: Mapping[str, ServedMaildrop] = {maildrop.name: maildrop for maildrop in maildrops}
        self.tls = tls
        self.failures: list[Exception] = []  # exceptions in sessions that are bugs of the server

    def session(self, stream: trio.abc.Stream) -> ServerSession:
        """Return the session for a new connection."""
        return ServerSession(self.maildrops, self.tls, Channel(stream))

    async def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        implicit_tls: bool = False,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listen on an address and serve until cancelled; `started` gives the port. Raises OSError.

        It may run more than once at a time, for example for a port with and one without implicit TLS.
        """
        if implicit_tls and self.tls is None:
            raise ValueError("implicit TLS needs a TLS context")
        listeners = await trio.open_tcp_listeners(port, host=host)
        bound: int = listeners[0].socket.getsockname()[1]

        async def serve_one(stream: trio.SocketStream) -> None:
            await self.serve_stream(stream, implicit_tls=implicit_tls)

        task_status.started(bound)
        await trio.serve_listeners(serve_one, listeners)

    async def serve_stream(self, stream: trio.abc.Stream, *, implicit_tls: bool = False) -> None:
        """Serve one connection over any stream and close it. Raises only cancellation."""
        session = self.session(stream)
        finished = False
        try:
            await session.run(implicit_tls=implicit_tls)
            finished = True
        except Disconnected:
            pass
        except Exception as failure:  # noqa: BLE001 - the other sessions go on
            self.failures.append(failure)
            _log.error("a session of the POP3 server failed", exc_info=failure)
        finally:
            await _close(session.channel.stream, graceful=finished)


async def _close(stream: trio.abc.Stream, *, graceful: bool) -> None:
    if graceful:
        # TLS sends close_notify first, to a client that may not read
        with trio.move_on_after(_CLOSE_TIMEOUT), contextlib.suppress(trio.BrokenResourceError, OSError):
            await stream.aclose()
    else:
        await trio.aclose_forcefully(stream)
