"""The tests' OAuth provider behind a port, in a thread: for the program, for Dovecot, and for a browser."""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import h11
import trio

from tests.support.oauth_provider import Answer, OAuthProvider
from tests.support.waiting import PATIENCE

HOST = "127.0.0.1"


async def serve(provider: OAuthProvider, stream: trio.abc.Stream) -> None:
    """Answer the requests of one connection (HTTP/1.1)."""
    connection = h11.Connection(h11.SERVER)
    while True:
        request, body = await _request(connection, stream)
        if request is None:
            return
        headers = {name.decode(): value.decode() for name, value in request.headers}
        answer = provider.answer(request.method.decode(), request.target.decode(), headers, body)
        if answer.status == 0:
            await trio.sleep_forever()
        if answer.status < 0:
            return
        await stream.send_all(_octets(connection, answer))
        if connection.our_state is h11.MUST_CLOSE:
            return
        connection.start_next_cycle()


async def _request(connection: h11.Connection, stream: trio.abc.Stream) -> tuple[h11.Request | None, bytes]:
    request, body = None, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some()))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return request, bytes(body)
        else:
            return None, b""


def _octets(connection: h11.Connection, answer: Answer) -> bytes:
    headers = [
        ("Content-Length", str(len(answer.body))),
        ("Content-Type", answer.content_type),
        ("Cache-Control", "no-store"),
    ]
    if answer.location:
        headers.append(("Location", answer.location))
    response = h11.Response(status_code=answer.status, headers=headers)
    events = (response, h11.Data(data=answer.body), h11.EndOfMessage())
    return b"".join(connection.send(event) or b"" for event in events)


class RunningProvider:
    """A provider that listens on `port`. `provider` can be changed and asked while it runs."""

    def __init__(self, provider: OAuthProvider, tls: ssl.SSLContext | None) -> None:
        self.provider = provider
        self.port = 0
        self._tls = tls
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._ready = threading.Event()
        self._failures: list[BaseException] = []

    def _thread(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as failure:  # noqa: BLE001 - raised in the test's thread
            self._failures.append(failure)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        (listener,) = await trio.open_tcp_listeners(0, host=HOST)
        self.port = listener.socket.getsockname()[1]
        if self._tls is None:
            self.provider.base = f"http://{HOST}:{self.port}"
        else:
            self.provider.base = f"https://localhost:{self.port}"
        self._ready.set()
        with self._scope:
            await trio.serve_listeners(self._connection, [listener])

    async def _connection(self, plain: trio.SocketStream) -> None:
        stream: trio.abc.Stream = plain
        if self._tls is not None:
            stream = trio.SSLStream(plain, self._tls, server_side=True, https_compatible=True)
        with suppress(trio.BrokenResourceError, h11.RemoteProtocolError):
            await serve(self.provider, stream)
            await stream.aclose()

    def _check(self) -> None:
        if self._failures:
            raise self._failures[0]


@contextmanager
def running_provider(*, tls: ssl.SSLContext | None = None) -> Iterator[OAuthProvider]:
    """Run a provider in a thread during the block: http on loopback, or https as localhost with `tls`."""
    running = RunningProvider(OAuthProvider(), tls)
    thread = threading.Thread(target=running._thread, name="oauth provider")
    thread.start()
    try:
        assert running._ready.wait(PATIENCE)
        running._check()
        yield running.provider
    finally:
        if running._token is not None and thread.is_alive():
            running._token.run_sync_soon(running._scope.cancel)
        thread.join()
    running._check()


class _NotFollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def visit(address: str) -> tuple[int, str, str]:
    """Open an address of http as a browser does; return status, page, and the address that it redirects to."""
    assert urlsplit(address).scheme == "http"
    opener = urllib.request.build_opener(_NotFollowed, urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode(), ""
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode(), answer.headers.get("Location", "")


def browse(address: str) -> str:
    """Open an address, follow the redirection to the client, and return its page."""
    status, page, location = visit(address)
    assert status == 302, page
    return visit(location)[1]
