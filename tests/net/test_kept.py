"""Several requests on one connection, and bodies in pieces."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import trio
import trio.testing
import trustme
from trio.testing import memory_stream_pair, trio_test

from tests.support.streams import MemoryEnd, MemoryStream
from tests.support.tls_serving import LOOPBACK, serving
from tui_popretr.errors import ConnectionCut, PopretrError, WebRequestFailed, WebServerSilent
from tui_popretr.net.connect import connect
from tui_popretr.net.exchange import Body, SendPiece
from tui_popretr.net.http import WebConnection
from tui_popretr.net.stream import Stream

LIMIT: Final = 1000
TIMEOUT: Final = 30.0
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """The other ends of the connections, one after the other."""

    def __init__(self) -> None:
        self.ends: list[MemoryEnd] = []
        self._dialed = trio.Condition()

    async def dial(self, host: str, port: int, timeout: float) -> Stream:
        assert (host, port, timeout) == ("127.0.0.1", 80, TIMEOUT)
        near, far = memory_stream_pair()
        async with self._dialed:
            self.ends.append(far)
            self._dialed.notify_all()
        return MemoryStream(near)

    async def connected(self, count: int) -> None:
        """Wait for this number of connections."""
        async with self._dialed:
            while len(self.ends) < count:
                await self._dialed.wait()

    def connection(self) -> WebConnection:
        return WebConnection("http://127.0.0.1/base/", timeout=TIMEOUT, dial=self.dial)

    async def heard(self, end: bytes = b"\r\n\r\n") -> bytes:
        """What has arrived on the last connection, up to an end."""
        received = b""
        while not received.endswith(end):
            octets = bytes(await self.ends[-1].receive_some())
            assert octets, received
            received += octets
        return received

    async def say(self, octets: bytes) -> None:
        await self.ends[-1].send_all(octets)

    async def close(self) -> None:
        await self.ends[-1].aclose()


def body(*pieces: bytes, before_last: Callable[[], object] = lambda: None, octets: int | None = None) -> Body:
    async def write(send: SendPiece) -> None:
        for piece in pieces[:-1]:
            await send(piece)
        before_last()
        await send(pieces[-1])

    return Body(sum(map(len, pieces)) if octets is None else octets, write)


@asynccontextmanager
async def talking(script: Callable[[Server], object]) -> AsyncIterator[tuple[Server, WebConnection]]:
    """A connection, while the server does what the script says."""
    server = Server()
    connection = server.connection()
    async with trio.open_nursery() as nursery:

        async def play() -> None:
            await server.connected(1)
            await script(server)  # type: ignore[misc]

        nursery.start_soon(play)
        yield server, connection
        nursery.cancel_scope.cancel()
    connection.close()


@trio_test
async def test_two_requests_on_one_connection() -> None:
    heard = []

    async def script(server: Server) -> None:
        for _ in range(2):
            heard.append(await server.heard())
            await server.say(OK)

    async with talking(script) as (server, connection):
        for path in ("/a?b=c", "/d"):
            assert (await connection.request("GET", path, [("X", "y")], limit=LIMIT)).body == b"ok"
        assert len(server.ends) == 1
    assert heard[0] == b"GET /base/a?b=c HTTP/1.1\r\nHost: 127.0.0.1\r\nX: y\r\n\r\n"
    assert heard[1].startswith(b"GET /base/d HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "answer",
    [OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), b"HTTP/1.0 200 OK\r\n\r\nok", OK + b"HTTP/1.1 200 OK"],
    ids=["close", "HTTP/1.0", "more than an answer"],
)
@trio_test
async def test_a_connection_that_cannot_be_kept(answer: bytes) -> None:
    async def script(server: Server) -> None:
        await server.heard()
        await server.say(answer)
        if not answer.startswith(OK):  # more than an answer
            await server.ends[0].send_stream.aclose()
        await server.connected(2)
        await server.heard()
        await server.say(OK)

    async with talking(script) as (server, connection):
        for _ in range(2):
            assert (await connection.request("GET", "/", limit=LIMIT)).body == b"ok"
        assert len(server.ends) == 2


@pytest.mark.parametrize("early", [True, False])
@trio_test
async def test_interim_answers_without_end(early: bool) -> None:
    """They are read without a pause: a server that sends them fast enough would stop the whole program."""

    async def script(server: Server) -> None:
        await server.heard(b"\r\n\r\na" if early else b"\r\n\r\nab")
        await server.say(b"HTTP/1.1 102 Processing\r\n\r\n" * 21)

    async def pause(send: SendPiece) -> None:
        await send(b"a")
        if early:
            await trio.testing.wait_all_tasks_blocked()
        await send(b"b")

    async with talking(script) as (_, connection):
        with pytest.raises(WebRequestFailed, match="sends one interim answer after the other"):
            await connection.request("POST", "/", (), Body(2, pause), limit=LIMIT)


@trio_test
async def test_an_idle_connection_that_was_closed() -> None:
    async def script(server: Server) -> None:
        for number in range(2):
            await server.connected(number + 1)
            await server.heard(b"ab" if number else b"\r\n\r\n")
            await server.say(OK)
            await server.close()

    async with talking(script) as (server, connection):
        await connection.request("GET", "/", limit=LIMIT)
        await trio.testing.wait_all_tasks_blocked()
        await connection.request("POST", "/", (), body(b"a", b"b"), limit=LIMIT)
        assert len(server.ends) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
@trio_test
async def test_a_kept_connection_cut_after_the_request(method: str) -> None:
    """What may have been done already is not asked again."""

    async def script(server: Server) -> None:
        await server.heard()
        await server.say(OK)
        await server.heard(b"\r\n\r\n" if method == "GET" else b"text")
        await server.close()
        await server.connected(2)
        await server.heard()
        await server.say(OK)

    async with talking(script) as (server, connection):
        await connection.request("GET", "/", limit=LIMIT)
        if method == "GET":
            assert (await connection.request("GET", "/", limit=LIMIT)).body == b"ok"
            return
        with pytest.raises(ConnectionCut):
            await connection.request("POST", "/", (), body(b"te", b"xt"), limit=LIMIT)
        assert connection.whole
        assert len(server.ends) == 1


@trio_test
async def test_a_kept_connection_cut_before_the_end() -> None:
    """A request that the server does not have whole is sent again."""
    writes = 0

    async def script(server: Server) -> None:
        await server.heard()
        await server.say(OK)
        await server.heard(b"te")
        await server.close()
        await server.connected(2)
        assert (await server.heard(b"text")).endswith(b"\r\n\r\ntext")
        await server.say(OK)

    async with talking(script) as (server, connection):
        await connection.request("GET", "/", limit=LIMIT)

        async def write(send: SendPiece) -> None:
            nonlocal writes
            writes += 1
            await send(b"te")
            if writes == 1:
                await trio.testing.wait_all_tasks_blocked()
            await send(b"xt")

        assert (await connection.request("POST", "/", (), Body(4, write), limit=LIMIT)).body == b"ok"
        assert (writes, len(server.ends)) == (2, 2)


@trio_test
async def test_a_new_connection_cut_before_the_end() -> None:
    async def script(server: Server) -> None:
        await server.heard(b"te")
        await server.close()

    async with talking(script) as (server, connection):

        async def write(send: SendPiece) -> None:
            await send(b"te")
            await trio.testing.wait_all_tasks_blocked()
            await send(b"xt")

        with pytest.raises(ConnectionCut):
            await connection.request("POST", "/", (), Body(4, write), limit=LIMIT)
        assert not connection.whole
        assert len(server.ends) == 1


@trio_test
async def test_a_body_in_pieces() -> None:
    async def script(server: Server) -> None:
        heard = await server.heard(b"three")
        assert heard.endswith(b"Content-Length: 11\r\n\r\nonetwothree")
        await server.say(OK)

    async with talking(script) as (_, connection):
        response = await connection.request("POST", "/", (), body(b"one", b"two", b"three"), limit=LIMIT)
    assert (response.body, response.early) == (b"ok", False)


@trio_test
async def test_an_answer_before_the_end_of_the_body() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"

    async def script(server: Server) -> None:
        await server.heard(b"one")
        await server.say(b"HTTP/1.1 100 Continue\r\n\r\n" + refusal[:30])
        await server.say(refusal[30:])

    sent = []

    async def write(send: SendPiece) -> None:
        for piece in (b"one", b"two", b"end"):
            await send(piece)
            sent.append(piece)
            await trio.testing.wait_all_tasks_blocked()

    async with talking(script) as (_, connection):
        response = await connection.request("POST", "/", (), Body(9, write), limit=LIMIT)
        assert not connection.whole
    assert (response.status, response.body, response.early) == (413, b"no", True)
    assert sent == [b"one"]


@trio_test
async def test_the_error_of_a_body() -> None:
    class FailedError(Exception):
        pass

    def fail() -> None:
        raise FailedError

    async def script(server: Server) -> None:
        await trio.sleep_forever()

    async with talking(script) as (server, connection):
        with pytest.raises(FailedError):
            await connection.request("POST", "/", (), body(b"one", b"two", before_last=fail), limit=LIMIT)
        assert not connection.whole
        assert bytes(await server.ends[0].receive_some()).endswith(b"\r\n\r\none")
        assert bytes(await server.ends[0].receive_some()) == b"", "the connection is closed"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "127.0.0.1 ended the connection before its answer was complete"),
        (OK[:-1], "127.0.0.1 ended the connection before its answer was complete"),
        (b"+OK\r\n\r\n", "127.0.0.1 does not speak HTTP: "),
        (OK.replace(b": 2", b": 2000") + bytes(2000), "127.0.0.1 sends more than 1000 octets"),
    ],
)
@trio_test
async def test_answers_that_are_none(answer: bytes, error: str) -> None:
    async def script(server: Server) -> None:
        await server.heard(b"two")
        await server.say(answer)
        await server.close()

    async with talking(script) as (_, connection):
        with pytest.raises(PopretrError) as caught:
            await connection.request("POST", "/", (), body(b"one", b"two"), limit=LIMIT)
        assert connection.whole
    assert str(caught.value).startswith(error)
    assert isinstance(caught.value, (ConnectionCut, WebRequestFailed))


@trio_test
async def test_a_silent_server(autojump_clock: trio.testing.MockClock) -> None:
    async def script(server: Server) -> None:
        await trio.sleep_forever()

    async with talking(script) as (_, connection):
        with pytest.raises(WebServerSilent, match="has not answered within 30 s"):
            await connection.request("GET", "/", limit=LIMIT)


@trio_test
async def test_waiting_for_the_body_has_no_deadline(autojump_clock: trio.testing.MockClock) -> None:
    async def script(server: Server) -> None:
        await server.heard(b"two")
        await server.say(OK)

    async def write(send: SendPiece) -> None:
        await send(b"one")
        await trio.sleep(10 * TIMEOUT)
        await send(b"two")

    async with talking(script) as (_, connection):
        assert (await connection.request("POST", "/", (), Body(6, write), limit=LIMIT)).status == 200


@pytest.mark.parametrize("url", ["http://example.test/", "ftp://127.0.0.1/"])
def test_addresses_that_are_not_asked(url: str) -> None:
    with pytest.raises(WebRequestFailed):
        WebConnection(url, timeout=TIMEOUT)


@trio_test
async def test_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tickets that the server sends behind the handshake are no answer."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("gmail.example.test").configure_cert(context)
    connections, large = 0, b"x" * 300_000

    async def serve(plain: trio.SocketStream) -> None:
        nonlocal connections
        connections += 1
        stream, received = trio.SSLStream(plain, context, server_side=True), b""
        while octets := await stream.receive_some():
            received += octets
            if received.endswith(large):
                await stream.send_all(OK)
                received = b""

    async with serving(serve) as port:

        async def dial(host: str, asked: int, timeout: float) -> Stream:
            assert (host, asked) == ("gmail.example.test", 443)
            return await connect(LOOPBACK, port, timeout=timeout)

        connection = WebConnection("https://gmail.example.test", timeout=TIMEOUT, dial=dial)
        for _ in range(3):
            response = await connection.request("POST", "/", (), body(large[:9], large[9:]), limit=LIMIT)
            assert (response.body, response.early) == (b"ok", False)
        connection.close()
        assert connections == 1
