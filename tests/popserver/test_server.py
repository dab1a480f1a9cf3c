"""The server on real sockets: the standard library's client, TLS in both ways, clients that behave badly."""

from __future__ import annotations

import os
import poplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.popserver.dialogue import Client, connected, listening
from tests.support.popserver import ServedMaildrop, generated_message
from tui_popretr.popserver import Message, PopServer
from tui_popretr.popserver.certificates import ca_path, server_context


def _maildrop() -> ServedMaildrop:
    maildrop = ServedMaildrop("alice", "secret")
    maildrop.add(b"Subject: 1\r\n\r\n.One\r\n..\r\n")
    maildrop.add(b"Subject: 2\r\n\r\nTwo\r\n")
    return maildrop


@contextmanager
def _closing(pop: poplib.POP3) -> Iterator[poplib.POP3]:
    try:
        yield pop
    finally:
        pop.close()


async def _in_thread(dialogue: Callable[[], None]) -> None:
    await trio.to_thread.run_sync(dialogue)


def _retrieve(pop: poplib.POP3) -> None:
    assert pop.retr(1)[1] == [b"Subject: 1", b"", b".One", b".."]
    pop.dele(1)
    pop.quit()


@trio_test
async def test_poplib_in_clear() -> None:
    maildrop = _maildrop()
    async with listening(PopServer([maildrop])) as port:

        def dialogue() -> None:
            with _closing(poplib.POP3("127.0.0.1", port, timeout=20)) as pop:
                offered = {"UIDL": [], "PIPELINING": [], "SASL": ["CRAM-MD5"]}
                assert offered.items() <= pop.capa().items()
                pop.user("alice")
                pop.pass_("secret")
                assert pop.stat() == (2, 43)
                assert pop.list()[1] == [b"1 24", b"2 19"]
                assert pop.uidl()[1] == [b"1 uid-1", b"2 uid-2"]
                assert pop.top(2, 0)[1] == [b"Subject: 2", b""]
                _retrieve(pop)

        await _in_thread(dialogue)
    assert maildrop.deleted == ["uid-1"]


@trio_test
async def test_poplib_apop() -> None:
    maildrop = _maildrop()
    async with listening(PopServer([maildrop])) as port:

        def dialogue() -> None:
            with _closing(poplib.POP3("127.0.0.1", port, timeout=20)) as pop:
                with pytest.raises(poplib.error_proto):
                    pop.apop("alice", "wrong")
                pop.apop("alice", "secret")
                _retrieve(pop)

        await _in_thread(dialogue)
    assert maildrop.deleted == ["uid-1"]


@trio_test
async def test_poplib_stls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    maildrop = _maildrop()
    async with listening(PopServer([maildrop], tls=server_tls)) as port:

        def dialogue() -> None:
            with _closing(poplib.POP3("127.0.0.1", port, timeout=20)) as pop:
                assert "STLS" in pop.capa()
                pop.stls(client_tls)
                capabilities = pop.capa()
                assert "STLS" not in capabilities
                assert capabilities["SASL"] == ["PLAIN", "CRAM-MD5"]
                assert "USER" in capabilities
                with pytest.raises(poplib.error_proto):
                    pop._shortcmd("STLS")  # type: ignore[attr-defined]
                pop._shortcmd("AUTH PLAIN AGFsaWNlAHNlY3JldA==")  # type: ignore[attr-defined]
                _retrieve(pop)

        await _in_thread(dialogue)
    assert maildrop.deleted == ["uid-1"]


@trio_test
async def test_poplib_implicit_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    maildrop = _maildrop()
    maildrop.add(b"Subject: big\r\n\r\n" + b"x" * 70 * 30_000 + b"\r\n")
    async with listening(PopServer([maildrop], tls=server_tls), implicit_tls=True) as port:

        def dialogue() -> None:
            with _closing(poplib.POP3_SSL("127.0.0.1", port, timeout=20, context=client_tls)) as pop:
                assert "STLS" not in pop.capa()
                pop.user("alice")
                pop.pass_("secret")
                _retrieve(pop)

        await _in_thread(dialogue)
    assert maildrop.deleted == ["uid-1"]


@trio_test
async def test_commands_in_clear_before_tls_are_discarded(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    server = PopServer([_maildrop()], tls=server_tls)
    async with connected(server) as clear:
        await clear.line()
        await clear.ask("USER alice")
        await clear.send(b"STLS\r\nUSER eve\r\n")
        assert (await clear.line()).startswith("+OK")
        client = Client(trio.SSLStream(clear.stream, client_tls, server_hostname="localhost"))
        assert (await client.ask("PASS secret")) == "-ERR USER comes first"


@trio_test
async def test_quit_sends_close_notify(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    server = PopServer([_maildrop()], tls=server_tls)
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(server.serve_stream, far, implicit_tls=True))
        client = Client(trio.SSLStream(near, client_tls, server_hostname="localhost"))
        await client.log_in()
        assert (await client.ask("QUIT")).startswith("+OK")
        assert await client.rest() == b""


@trio_test
async def test_closing_does_not_wait_for_a_client_that_reads_nothing(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, autojump_clock: MockClock
) -> None:
    server = PopServer([_maildrop()], tls=server_tls)
    near, far = trio.testing.lockstep_stream_pair()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(server.serve_stream, far, implicit_tls=True))
            client = Client(trio.SSLStream(near, client_tls, server_hostname="localhost"))
            await client.log_in()
            assert (await client.ask("QUIT")).startswith("+OK")
    await near.aclose()
    assert server.failures == []


@trio_test
async def test_without_a_context_there_is_no_tls() -> None:
    server = PopServer([_maildrop()])
    async with connected(server) as client:
        await client.line()
        assert "STLS" not in await client.rows("CAPA")
        assert (await client.ask("STLS")).startswith("-ERR")
    with pytest.raises(ValueError):
        await server.serve(implicit_tls=True)


@trio_test
async def test_other_sessions_survive_bad_clients(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    maildrop = _maildrop()
    maildrop.add(generated_message(50_000_000))
    server = PopServer([maildrop], tls=server_tls)
    async with listening(server) as clear, listening(server, implicit_tls=True) as tls:
        # no TLS where TLS is wanted; closed at once; rubbish; closed behind STLS
        for port, octets in (
            (tls, b"USER alice\r\n"),
            (tls, b""),
            (clear, b"\0\xff\r\n" * 50),
            (clear, b"STLS\r\n\x16"),
        ):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            if octets:
                await stream.send_all(octets)
            await trio.aclose_forcefully(stream)
        # gone in the middle of a message, in clear and under TLS
        for port in (clear, tls):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            wrapped: trio.abc.Stream = stream
            if port == tls:
                wrapped = trio.SSLStream(stream, client_tls, server_hostname="localhost")
            client = Client(wrapped)
            await client.log_in()
            assert (await client.ask("RETR 3")).startswith("+OK")
            await trio.aclose_forcefully(stream)
            with trio.fail_after(20):
                while maildrop.locked:
                    await trio.lowlevel.checkpoint()
        async with await trio.open_tcp_stream("127.0.0.1", clear) as stream:
            client = Client(stream)
            await client.log_in()
            assert (await client.ask("QUIT")).startswith("+OK")
    assert maildrop.logins == 3


@trio_test
async def test_a_bug_in_one_session_ends_only_that_one(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half\r\n"
        raise RuntimeError("broken source")

    maildrop = _maildrop()
    maildrop.add(Message(100, broken))
    server = PopServer([maildrop])
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, far)
        client = Client(near)
        await client.log_in()
        await client.send(b"RETR 3\r\n")
        await client.rest()
    assert [str(failure) for failure in server.failures] == ["broken source"]
    assert not maildrop.locked
    server.failures.clear()
    async with connected(server) as client:
        await client.log_in()


@trio_test
async def test_cancelling_closes_every_connection() -> None:
    maildrop = _maildrop()
    async with trio.open_nursery() as nursery:
        async with listening(PopServer([maildrop])) as port:
            client = Client(await trio.open_tcp_stream("127.0.0.1", port))
            await client.log_in()
        assert await client.rest() == b""
        await client.stream.aclose()
        nursery.cancel_scope.cancel()
    assert not maildrop.locked


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
@trio_test
async def test_the_certificate_is_valid_for_loopback(name: str) -> None:
    context = ssl.create_default_context(cafile=ca_path())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    near, far = trio.testing.memory_stream_pair()
    server = PopServer([_maildrop()], tls=server_context())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(server.serve_stream, far, implicit_tls=True))
        client = Client(trio.SSLStream(near, context, server_hostname=name))
        await client.log_in()
        await client.stream.aclose()


@trio_test
async def test_the_certificate_is_valid_for_loopback_only() -> None:
    context = ssl.create_default_context(cafile=ca_path())
    near, far = trio.testing.memory_stream_pair()
    server = PopServer([_maildrop()], tls=server_context())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(server.serve_stream, far, implicit_tls=True))
        with pytest.raises(trio.BrokenResourceError) as broken:
            await trio.SSLStream(near, context, server_hostname="example.test").do_handshake()
        assert isinstance(broken.value.__cause__, ssl.SSLCertVerificationError)
        await near.aclose()


def test_the_private_key_of_the_authority_is_not_shipped() -> None:
    with open(ca_path()) as file:
        assert "PRIVATE KEY-----" not in file.read()
    folder = os.path.dirname(ca_path())
    assert sorted(name for name in os.listdir(folder) if name.endswith(".pem")) == ["demo-ca.pem", "demo-server.pem"]
