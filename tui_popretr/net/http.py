"""A document from a web server, by HTTPS (RFC 9112): one GET, bounded in time and size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import h11
import trio

from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import WebRequestFailed
from tui_popretr.net.connect import connect
from tui_popretr.net.stream import Stream
from tui_popretr.net.tls import TlsSession
from tui_popretr.text import visible

HTTPS_PORT: Final = 443
_OK: Final = 200

#: Connects to a host at a port, within the timeout (seconds).
Dial = Callable[[str, int, float], Awaitable[Stream]]


async def dial_tcp(host: str, port: int, timeout: float) -> Stream:
    """The default Dial: TCP by Happy Eyeballs."""
    return await connect(host, port, timeout=timeout)


async def get(host: str, path: str, *, timeout: float, limit: int, dial: Dial = dial_tcp) -> bytes:
    """Return the document at https://HOST/PATH, at most `limit` octets, within `timeout` seconds.

    The certificate is verified with the system's trust store. `host` is in ASCII. A redirection is not followed: the
    user has agreed to ask this host only. Raises WebRequestFailed, or the PopretrError of the connection.
    """
    with trio.move_on_after(timeout) as scope:
        stream = await dial(host, HTTPS_PORT, timeout)
        try:
            await stream.start_tls(TlsSession(TlsPolicy(), host))
            return await _exchange(stream, host, path, limit)
        except h11.RemoteProtocolError as problem:
            raise WebRequestFailed(f"{host} does not speak HTTP: {visible(str(problem), 200)}") from problem
        finally:
            stream.close()
    assert scope.cancelled_caught
    raise WebRequestFailed(f"{host} has not answered within {timeout:g} s")


async def _exchange(stream: Stream, host: str, path: str, limit: int) -> bytes:
    connection = h11.Connection(h11.CLIENT)
    headers = [("Host", host), ("Accept", "text/xml, application/xml"), ("Connection", "close")]
    request = connection.send(h11.Request(method="GET", target=path, headers=headers))
    end = connection.send(h11.EndOfMessage())
    await stream.send_all((request or b"") + (end or b""))
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive())
        elif isinstance(event, h11.Response):
            _require_ok(host, event)
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > limit:
                raise WebRequestFailed(f"{host} sends more than {limit} octets")
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)


def _require_ok(host: str, response: h11.Response) -> None:
    """Raise WebRequestFailed if the response has no document."""
    if response.status_code == _OK:
        return
    target = dict(response.headers).get(b"location", b"").decode("latin-1")
    if target:
        raise WebRequestFailed(f"{host} redirects to {visible(target, 200)}, which is not followed")
    reason = visible(response.reason.decode("latin-1"), 100)
    raise WebRequestFailed(f"{host} has no such document ({response.status_code} {reason})".replace(" )", ")"))
