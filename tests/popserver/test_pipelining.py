"""Pipelining, coalescing and streaming."""

from __future__ import annotations

import tracemalloc

import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair, trio_test

from tests.popserver.dialogue import Client, Tapped, connected
from tests.support.popserver import ServedMaildrop, generated_message
from tui_popretr.popserver import PopServer


def _many(count: int, data: bytes) -> ServedMaildrop:
    maildrop = ServedMaildrop("alice", "secret")
    for _ in range(count):
        maildrop.add(data)
    return maildrop


@trio_test
async def test_a_burst_is_answered_in_order_up_to_half_a_command() -> None:
    maildrop = _many(500, b"Subject: x\r\n\r\n.text\r\n")
    server = PopServer([maildrop])
    async with connected(server) as client:
        await client.log_in()
        burst = b"".join(b"RETR %d\r\nDELE %d\r\n" % (n, n) for n in range(1, 501))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, burst + b"UIDL\r\nSTAT\r\nQU")
            for _ in range(500):
                assert (await client.line()).startswith("+OK 21 ")
                assert await client.body() == b"Subject: x\r\n\r\n..text\r\n"
                assert (await client.line()).startswith("+OK marked")
            assert await client.line() == "+OK"
            assert await client.body() == b""
            assert await client.line() == "+OK 0 0"
        assert (await client.ask("IT")).startswith("+OK")
    assert maildrop.deleted == [f"uid-{n}" for n in range(1, 501)]


@trio_test
async def test_replies_travel_together_while_commands_wait() -> None:
    near, far = memory_stream_pair()
    sizes: list[int] = []
    server = PopServer([_many(3, b"x" * 30_000 + b"\r\n")])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, Tapped(far, lambda octets: sizes.append(len(octets))))
        client = Client(near)
        await client.log_in()
        sizes.clear()
        await client.send(b"NOOP\r\n" * 100)
        for _ in range(100):
            assert await client.line() == "+OK"
        assert sizes == [500]
        sizes.clear()
        await client.send(b"RETR 1\r\nRETR 2\r\nRETR 3\r\n")
        for _ in range(3):
            await client.line()
            await client.body()
        assert len(sizes) == 2, "past 64 KiB nothing waits"
        await near.aclose()


@trio_test
async def test_a_huge_message_needs_no_memory() -> None:
    size = 64 * 1024 * 1024
    maildrop = ServedMaildrop("alice", "secret")
    maildrop.add(generated_message(size))
    # in lockstep nothing gathers between the two ends
    near, far = lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(PopServer([maildrop]).serve_stream, far)
        client = Client(near)
        await client.log_in()
        tracemalloc.start()
        try:
            assert (await client.ask("RETR 1")) == f"+OK {size} octets"
            received = 0
            while received < size - 65536:
                received += len(await near.receive_some(1 << 20))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await near.aclose()
    assert peak < 4 * 1024 * 1024


@trio_test
async def test_the_lock_is_released_before_the_reply_to_quit() -> None:
    # with this one the replies in front of QUIT's fill the gathered ones to the brim
    maildrop = _many(1, b"x" * 65_508 + b"\r\n")
    locked: list[bool] = []

    def note(octets: bytes) -> None:
        if octets.endswith(b"good-bye\r\n"):
            locked.append(maildrop.locked)

    near, far = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(PopServer([maildrop]).serve_stream, Tapped(far, note))
        client = Client(near)
        await client.log_in()
        await client.send(b"RETR 1\r\nQUIT\r\n")
        assert len(await client.rest()) > 65_536
    assert locked == [False]
