"""The loopback address that a provider redirects the browser to (RFC 8252 §7.3): a web server for one answer."""

from __future__ import annotations

import contextlib
import html
from collections.abc import AsyncIterator, Callable
from typing import Final

import h11
import trio

from tui_popretr.errors import LoginPortUnavailable, PopretrError, RedirectIgnored, describe_os_error
from tui_popretr.secret import Secret
from tui_popretr.text import visible
from tui_popretr.wording import sentence

LOOPBACK: Final = "127.0.0.1"
#: Octets of a request's head, at most: codes of some providers have more than 1,000.
_HEAD: Final = 32 * 1024
#: Connections at once, at most. Browsers open some in advance.
_CONNECTIONS: Final = 16
#: Seconds for a request, and for its answer.
_TIMEOUT: Final = 30.0

_HEADERS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("Connection", "close"),
)
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>tui-popretr</title>
<h1>{title}</h1>
<p>{text}</p>
"""
_DONE: Final = ("The answer has arrived", "Close this page, and go back to the terminal.")

#: Returns the authorization code in an address. Raises RedirectIgnored if it is not the answer that is waited for, and
#: another PopretrError if it is, but is an error.
ReadRedirect = Callable[[str], Secret]


def redirect_address(port: int) -> str:
    """Return the address to redirect to."""
    return f"http://{LOOPBACK}:{port}/"


class RedirectListener:
    """Listens at `address`."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self._listener = listener
        self.port: int = listener.socket.getsockname()[1]
        self.address = redirect_address(self.port)
        self._outcome: Secret | PopretrError | None = None
        self._limit = trio.CapacityLimiter(_CONNECTIONS)

    async def receive(self, read: ReadRedirect, ignored: Callable[[PopretrError], None]) -> Secret:
        """Wait for the redirection; return the code that `read` finds. Raises what `read` raises.

        `ignored` is called with the error of each answer that is ignored.
        """
        async with trio.open_nursery() as nursery:

            async def serve(stream: trio.SocketStream) -> None:
                async with self._limit:
                    with trio.move_on_after(_TIMEOUT), contextlib.suppress(trio.BrokenResourceError):
                        await self._serve(stream, read, ignored)
                if self._outcome is not None:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(trio.serve_listeners, serve, [self._listener])
        assert self._outcome is not None
        if isinstance(self._outcome, PopretrError):
            raise self._outcome
        return self._outcome

    async def _serve(
        self, stream: trio.SocketStream, read: ReadRedirect, ignored: Callable[[PopretrError], None]
    ) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD)
        try:
            request = await _request(connection, stream)
        except h11.RemoteProtocolError:
            return
        if request is None:
            return
        status, (title, text) = self._answer(request, read, ignored)
        page = _PAGE.format(title=html.escape(title), text=html.escape(text)).encode()
        response = h11.Response(status_code=status, headers=[*_HEADERS, ("Content-Length", str(len(page)))])
        events = (response, h11.Data(data=b"" if request.method == b"HEAD" else page), h11.EndOfMessage())
        await stream.send_all(b"".join(connection.send(event) or b"" for event in events))

    def _answer(
        self, request: h11.Request, read: ReadRedirect, ignored: Callable[[PopretrError], None]
    ) -> tuple[int, tuple[str, str]]:
        """Return the status and the page for a request."""
        target = request.target.decode("ascii", "replace")
        host = dict(request.headers).get(b"host", b"").decode("ascii", "replace")
        if host != f"{LOOPBACK}:{self.port}" or not target.startswith("/?"):
            return 404, ("Not found", "Only the answer of the provider is expected here.")
        if request.method != b"GET":
            return 405, ("Not allowed", "Only GET is.")
        if self._outcome is not None:
            return 200, _DONE
        try:
            self._outcome = read(f"{self.address}{target[1:]}")
        except RedirectIgnored as problem:
            ignored(problem)
            return 400, (sentence(str(problem)), sentence(problem.advice))
        except PopretrError as problem:
            self._outcome = problem
            return 200, (sentence(str(problem)), "Go back to the terminal.")
        return 200, _DONE


async def _request(connection: h11.Connection, stream: trio.SocketStream) -> h11.Request | None:
    """Return the request, None at the end of the connection. Raises h11.RemoteProtocolError."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some()))
        elif isinstance(event, h11.Request):
            return event
        else:
            return None


@contextlib.asynccontextmanager
async def listening(port: int) -> AsyncIterator[RedirectListener]:
    """Listen on a port of the loopback address, 0: a free one. Raises LoginPortUnavailable."""
    try:
        (listener,) = await trio.open_tcp_listeners(port, host=LOOPBACK, backlog=_CONNECTIONS)
    except OSError as problem:
        reason = visible(describe_os_error(problem.__cause__ if isinstance(problem.__cause__, OSError) else problem))
        raise LoginPortUnavailable(f"cannot listen on port {port} of {LOOPBACK}: {reason}") from problem
    async with listener:
        yield RedirectListener(listener)
