"""The stream over loopback connections, in clear and under TLS."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.certificates import HOST, Certificates
from tests.support.tls_serving import LOOPBACK, connected, greeter, serving, under_tls
from tui_popretr.errors import ConnectionCut, TlsFailed
from tui_popretr.net.connect import NotConnected, connect, open_unix_stream
from tui_popretr.net.stream import SocketStream
from tui_popretr.net.tls import TlsSession
from tui_popretr.secret import Secret


async def echo(stream: trio.SocketStream) -> None:
    async for octets in stream:
        await stream.send_all(octets)


async def exchange(stream: SocketStream, line: bytes = b"QUIT\r\n") -> list[bytes]:
    """Say a line and return all that is received, piece by piece, up to the end."""
    pieces = [await stream.receive()]
    await stream.send_all(line)
    while octets := await stream.receive():
        pieces.append(octets)
    return pieces


@trio_test
async def test_octets_go_both_ways_in_clear() -> None:
    async with connected(echo) as stream:
        await stream.send_all(b"NOOP\r\n")
        assert await stream.receive() == b"NOOP\r\n"
        host, _, port = stream.remote.rpartition(":")
        assert (host, stream.remote_ip) == (LOOPBACK, LOOPBACK)
        assert port.isdigit()
        assert stream.local.startswith(f"{LOOPBACK}:")
        assert stream.local != stream.remote


@pytest.mark.parametrize("tls", [False, True])
@trio_test
async def test_receive_nowait(tls: bool, certificates: Certificates) -> None:
    context = certificates.server_context()
    released = trio.Event()

    async def serve(plain: trio.SocketStream) -> None:
        stream: Any = trio.SSLStream(plain, context, server_side=True) if tls else plain
        await stream.receive_some()
        await stream.send_all(b"250 ok\r\n")
        await released.wait()
        await stream.aclose()

    async with connected(serve) as stream:
        if tls:
            await stream.start_tls(TlsSession(certificates.policy(), HOST))
        assert stream.receive_nowait() is None
        await stream.send_all(b"NOOP\r\n")
        assert await arrived(stream) == b"250 ok\r\n"
        assert stream.receive_nowait() is None
        released.set()
        assert await arrived(stream) == b""


async def arrived(stream: SocketStream) -> bytes:
    while (octets := stream.receive_nowait()) is None:
        await trio.lowlevel.wait_readable(stream._socket)
    return octets


@pytest.mark.parametrize("tls", [False, True])
@trio_test
async def test_send_nowait_and_send_all_lose_nothing(tls: bool, certificates: Certificates) -> None:
    """send_nowait() sends only what the system takes at once."""
    context = certificates.server_context()
    read = trio.Event()
    received = bytearray()

    async def serve(plain: trio.SocketStream) -> None:
        stream: Any = trio.SSLStream(plain, context, server_side=True) if tls else plain
        if tls:
            await stream.do_handshake()
        await read.wait()
        async for data in stream:
            received.extend(data)
            if received.endswith(b"end"):
                await stream.send_all(b"done")

    async with connected(serve) as stream:
        if tls:
            await stream.start_tls(TlsSession(certificates.policy(), HOST))
        data = bytes(range(256)) * 65536 + b"end"
        sent = stream.send_nowait(data)
        assert sent < len(data)
        while more := stream.send_nowait(data[sent:]):
            sent += more
        read.set()
        await stream.send_all(data[sent:])
        assert await stream.receive() == b"done"
    assert received == data


@trio_test
async def test_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with trio.socket.socket(socket.AF_UNIX) as listening:
        await listening.bind(path)
        listening.listen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, echo, [trio.SocketListener(listening)])
            stream = await open_unix_stream(path, 30.0)
            await stream.send_all(b"NOOP\r\n")
            assert await stream.receive() == b"NOOP\r\n"
            assert (stream.remote, stream.remote_ip, stream.local_ip) == (path, "", "")
            stream.close()
            nursery.cancel_scope.cancel()
    with pytest.raises(NotConnected, match="connection refused"):
        await open_unix_stream(path, 30.0)
    with pytest.raises(NotConnected, match="no such file"):
        await open_unix_stream(str(tmp_path / "none"), 30.0)


@trio_test
async def test_an_ipv6_address_is_written_in_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        async with serving(echo, "::1") as port:
            stream = await connect("::1", port, timeout=30.0)
            assert stream.remote == f"[::1]:{port}"
            assert stream.remote_ip == "::1"
            stream.close()
    except OSError:
        pytest.skip("no IPv6 here")


# --- reading and writing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
@trio_test
async def test_many_octets_arrive_unchanged(tls: bool, certificates: Certificates) -> None:
    data = bytes(range(256)) * 20_000  # more than the buffers of the system hold
    context = certificates.server_context()

    async def serve(plain: trio.SocketStream) -> None:
        await echo(trio.SSLStream(plain, context, server_side=True) if tls else plain)  # type: ignore[arg-type]

    async with connected(serve) as stream, trio.open_nursery() as nursery:
        if tls:
            await stream.start_tls(TlsSession(certificates.policy(), HOST))
        nursery.start_soon(stream.send_all, data)
        received = bytearray()
        while len(received) < len(data):
            received += await stream.receive()
        assert received == data


@trio_test
async def test_two_streams_share_the_buffer() -> None:
    async def shout(stream: trio.SocketStream, letter: bytes) -> None:
        for _ in range(50):
            await stream.send_all(letter * 1000)

    async def serve(stream: trio.SocketStream) -> None:
        await shout(stream, await stream.receive_some(1))

    async def read(letter: bytes, port: int) -> None:
        stream = await connect(LOOPBACK, port, timeout=30.0)
        await stream.send_all(letter)
        received = b""
        while octets := await stream.receive():
            received += octets
        stream.close()
        assert received == letter * 50_000

    async with serving(serve) as port, trio.open_nursery() as nursery:
        for letter in (b"a", b"b", b"c"):
            nursery.start_soon(read, letter, port)


class KeyUpdate(ssl.SSLSocket):
    """A socket that has some octets, then waits for room to send its part of a key update, then has more."""

    answers: list[bytes | None]

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        octets = self.answers.pop(0)
        if octets is None:
            raise ssl.SSLWantWriteError
        buffer[: len(octets)] = octets
        return len(octets)


@trio_test
async def test_what_came_before_a_key_update_is_not_lost(autojump_clock: MockClock) -> None:
    """Neither to another stream that receives meanwhile, nor to a receiver that stops waiting."""
    stream = SocketStream.__new__(SocketStream)
    stream._socket = KeyUpdate.__new__(KeyUpdate)
    stream._socket.answers = [b"first", None, None, b"second", b""]
    received: list[bytes] = []
    with trio.move_on_after(0.005):
        received.append(await stream.receive())
    received.append(await stream.receive())
    assert received == [b"first", b"second"]


@trio_test
async def test_a_connection_that_is_reset_is_a_cut() -> None:
    async def reset(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        linger = b"\x01\0\0\0\0\0\0\0"
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        stream.socket.close()

    async with connected(reset) as stream:
        await stream.send_all(b"x")
        with pytest.raises(ConnectionCut) as caught:
            await stream.receive()
        assert str(caught.value) == "the connection broke: connection reset by peer"
        with pytest.raises(ConnectionCut):
            for _ in range(3):
                await stream.send_all(b"x")


@trio_test
async def test_a_closed_stream_is_a_cut_and_may_be_closed_again() -> None:
    async with connected(echo) as stream:
        stream.close()
        stream.close()
        with pytest.raises(ConnectionCut):
            await stream.send_all(b"x")
        with pytest.raises(ConnectionCut):
            await stream.receive()


@trio_test
async def test_receive_can_be_cancelled(autojump_clock: MockClock) -> None:
    async with connected(echo) as stream:
        for tried in (stream.receive(), stream.send_all(b"x" * 50_000_000)):
            with trio.move_on_after(10.0) as scope:
                await tried
            assert scope.cancelled_caught


# --- TLS as it should be ----------------------------------------------------------------------------------------------


@trio_test
async def test_a_good_certificate(certificates: Certificates) -> None:
    said: list[bytes] = []
    expires = datetime(2037, 1, 1, tzinfo=UTC)
    context = certificates.server_context(HOST, "192.0.2.7", common_name=HOST, not_after=expires)
    async with connected(greeter(context, said=said)) as stream:
        details = await stream.start_tls(TlsSession(certificates.policy(), HOST))
        pieces = await exchange(stream)
    assert b"".join(pieces) == b"+OK ready\r\n"
    assert said == [b"QUIT\r\n"]
    assert details.version == "TLSv1.3"
    assert details.cipher.startswith("TLS_")
    assert details.subject == HOST
    assert details.names == (HOST, "192.0.2.7")
    assert details.expires == expires


@pytest.mark.parametrize(
    ("name", "host"), [("*.example.test", HOST), (LOOPBACK, LOOPBACK), ("::1", "::1"), (HOST, HOST.upper())]
)
@trio_test
async def test_wildcards_addresses_and_case(name: str, host: str, certificates: Certificates) -> None:
    details = await under_tls(greeter(certificates.server_context(name)), certificates.policy(), host)
    assert details.version == "TLSv1.3"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@trio_test
async def test_versions(version: ssl.TLSVersion, certificates: Certificates) -> None:
    def only(context: ssl.SSLContext) -> None:
        context.minimum_version = context.maximum_version = version

    said: list[bytes] = []
    async with connected(greeter(certificates.server_context(configure=only), said=said)) as stream:
        details = await stream.start_tls(TlsSession(certificates.policy(), HOST))
        await exchange(stream)
    assert details.version == version.name.replace("_", ".")
    assert said == [b"QUIT\r\n"]


@trio_test
async def test_an_older_version_than_the_least_is_refused(certificates: Certificates) -> None:
    def only(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2

    with pytest.raises(TlsFailed):
        await under_tls(
            greeter(certificates.server_context(configure=only)), certificates.policy(minimum_version="TLSv1.3")
        )


@trio_test
async def test_the_host_name_is_sent_whatever_peercert_is(certificates: Certificates) -> None:
    asked: list[str] = []

    def note(context: ssl.SSLContext) -> None:
        context.sni_callback = lambda sock, name, ctx: asked.append(name)

    policy = certificates.policy(peer_name="mail.provider.test")
    await under_tls(greeter(certificates.server_context("mail.provider.test", configure=note)), policy)
    assert asked == [HOST]


@pytest.mark.parametrize("form", ["pem", "p12"])
@trio_test
async def test_the_client_shows_its_certificate(form: str, certificates: Certificates) -> None:
    if form == "pem":
        path = certificates.key_file("shown.pem", "right")
    else:
        path = certificates.key_store("shown.p12", "right")
    shown: list[str] = []
    context = certificates.server_context()

    async def serve(plain: trio.SocketStream) -> None:
        stream = trio.SSLStream(plain, context, server_side=True)
        await stream.do_handshake()
        shown.extend(value for rdn in stream.getpeercert()["subject"] for key, value in rdn if key == "commonName")
        await stream.send_all(b"+OK ready\r\n")

    async with connected(serve) as stream:
        policy = certificates.policy(key_store=path, key_store_password=Secret("right"))
        await stream.start_tls(TlsSession(policy, HOST))
        assert await stream.receive() == b"+OK ready\r\n"
    assert shown == ["alice"]


# --- and as it should not ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("octets", [b"", b"+OK 1000 octets\r\nFrom: x"])
@trio_test
async def test_an_end_without_close_notify_is_a_cut(octets: bytes, certificates: Certificates) -> None:
    context = certificates.server_context()

    async def truncate(plain: trio.SocketStream) -> None:
        stream = trio.SSLStream(plain, context, server_side=True, https_compatible=True)
        await stream.do_handshake()
        if octets:
            await stream.send_all(octets)
        await plain.aclose()

    async with connected(truncate) as stream:
        await stream.start_tls(TlsSession(certificates.policy(), HOST))
        received = b""
        with pytest.raises(ConnectionCut, match="TLS connection broke"):
            while more := await stream.receive():
                received += more
        assert received == octets


@trio_test
async def test_an_end_with_close_notify_is_an_end(certificates: Certificates) -> None:
    async with connected(greeter(certificates.server_context())) as stream:
        await stream.start_tls(TlsSession(certificates.policy(), HOST))
        await exchange(stream)
        assert await stream.receive() == b""


@trio_test
async def test_close_sends_close_notify(certificates: Certificates) -> None:
    ended: list[bytes] = []
    done = trio.Event()
    context = certificates.server_context()

    async def serve(plain: trio.SocketStream) -> None:
        stream = trio.SSLStream(plain, context, server_side=True)
        ended.append(bytes(await stream.receive_some()))  # without a good-bye this would be an error
        done.set()

    async with connected(serve) as stream:
        await stream.start_tls(TlsSession(certificates.policy(), HOST))
        stream.close()
        await done.wait()
    assert ended == [b""]


@trio_test
async def test_octets_that_are_not_tls_break_the_connection(certificates: Certificates) -> None:
    context = certificates.server_context()

    async def inject(plain: trio.SocketStream) -> None:
        stream = trio.SSLStream(plain, context, server_side=True)
        await stream.do_handshake()
        await plain.send_all(b"+OK in clear\r\n")
        await plain.receive_some()

    async with connected(inject) as stream:
        await stream.start_tls(TlsSession(certificates.policy(), HOST))
        with pytest.raises(ConnectionCut, match="TLS connection broke"):
            await stream.receive()
