"""Each fault has its effect, and no other effect."""

from __future__ import annotations

import ssl
from functools import partial

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.popserver.dialogue import Client, connected
from tests.support.popserver import Faults, PipelineFault, PopServer, QuitFault, ServedMaildrop
from tui_popretr.popserver.certificates import ca_path, server_context


def _maildrop(faults: Faults | None = None) -> ServedMaildrop:
    maildrop = ServedMaildrop("alice", "secret", faults=faults)
    for number in range(1, 4):
        maildrop.add(b"Subject: %d\r\n\r\n" % number + b"x" * 1000 + b"\r\n")
    return maildrop


@pytest.mark.parametrize("which", [2, "uid-2"])
@trio_test
async def test_refuse(which: int | str) -> None:
    async with connected(PopServer([_maildrop(Faults(refuse={which}))])) as client:
        await client.log_in()
        assert (await client.ask("RETR 2")).startswith("-ERR")
        for number in (1, 3):
            assert (await client.ask(f"RETR {number}")).startswith("+OK")
            assert (await client.body()).endswith(b"x\r\n")


@pytest.mark.parametrize("which", [2, "uid-2"])
@pytest.mark.parametrize("octets", [0, 1, 500, 1016])
@trio_test
async def test_cut(which: int | str, octets: int) -> None:
    maildrop = _maildrop(Faults(cut={which: octets}))
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        await client.ask("DELE 3")
        await client.send(b"RETR 1\r\nRETR 2\r\nRETR 1\r\n")
        await client.line()
        await client.body()
        assert (await client.line()).startswith("+OK")
        assert len(await client.rest()) == octets
    assert maildrop.retrieved == ["uid-1"]
    assert maildrop.deleted == []
    assert not maildrop.locked


@trio_test
async def test_a_cut_behind_the_end_leaves_the_message_whole() -> None:
    async with connected(PopServer([_maildrop(Faults(cut={1: 10_000}))])) as client:
        await client.log_in()
        await client.ask("RETR 1")
        assert (await client.rest()).endswith(b"x\r\n.\r\n")


@trio_test
async def test_stall_within_a_message(autojump_clock: MockClock) -> None:
    maildrop = _maildrop(Faults(stall_within={1: 100}))
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        await client.ask("RETR 1")
        assert await client.until_silence(300) == b"Subject: 1\r\n\r\n" + b"x" * 86
        assert maildrop.locked
    assert not maildrop.locked, "a stalled session ends when its client goes"


@pytest.mark.parametrize("verb", ["GREETING", "CAPA", "RETR"])
@trio_test
async def test_stall_at_a_command(verb: str, autojump_clock: MockClock) -> None:
    async with connected(PopServer([_maildrop()], faults=Faults(stall={verb}))) as client:
        if verb != "GREETING":
            await client.log_in()
            assert await client.ask("NOOP") == "+OK"
        await client.send(f"NOOP\r\n{verb} 1\r\nNOOP\r\n".encode())
        if verb != "GREETING":
            assert await client.line() == "+OK", "what came before is answered"
        assert await client.until_silence(300) == b""


@trio_test
async def test_a_stall_ends_with_the_idle_timeout(autojump_clock: MockClock) -> None:
    async with connected(PopServer([], faults=Faults(stall={"GREETING"}))) as client:
        assert await client.rest() == b""
        assert trio.current_time() == pytest.approx(600)


@trio_test
async def test_fixed_answers() -> None:
    faults = Faults(answers={"GREETING": b"+OK odd\r\n", "DELE": b"-ERR [SYS/PERM] no\r\n", "NOOP": b"rubbish\0\r\n"})
    maildrop = _maildrop()
    async with connected(PopServer([maildrop], faults=faults)) as client:
        assert await client.line() == "+OK odd"
        await client.ask("USER alice")
        await client.ask("PASS secret")
        assert await client.ask("dele 1") == "-ERR [SYS/PERM] no"
        assert await client.ask("NOOP") == "rubbish\0"
        await client.ask("QUIT")
    assert maildrop.deleted == []


@trio_test
async def test_each_reply_is_delayed(autojump_clock: MockClock) -> None:
    async with connected(PopServer([_maildrop(Faults(delay=2.0))])) as client:
        await client.log_in()
        start = trio.current_time()
        await client.send(b"NOOP\r\n" * 3)
        for count in range(1, 4):
            await client.line()
            assert trio.current_time() - start == pytest.approx(2.0 * count)


@trio_test
async def test_rate(autojump_clock: MockClock) -> None:
    async with connected(PopServer([_maildrop(Faults(rate=100.0))])) as client:
        await client.log_in()
        start = trio.current_time()
        await client.ask("RETR 1")
        await client.body()
        assert trio.current_time() - start == pytest.approx(10.4, abs=0.5)


@pytest.mark.parametrize(
    ("fault", "answer", "applied"),
    [
        (QuitFault.NONE, b"+OK", True),
        (QuitFault.KEEP, b"+OK", False),
        (QuitFault.REFUSED, b"-ERR", False),
        (QuitFault.CUT_BEFORE_UPDATE, b"", False),
        (QuitFault.CUT_AFTER_UPDATE, b"", True),
    ],
)
@trio_test
async def test_quit(fault: QuitFault, answer: bytes, applied: bool) -> None:
    maildrop = _maildrop(Faults(quit=fault))
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        await client.send(b"DELE 1\r\nQUIT\r\n")
        assert (await client.line()).startswith("+OK")
        assert (await client.rest()).split(b" ")[0] == answer
    assert (maildrop.deleted == ["uid-1"]) is applied
    assert not maildrop.locked


@trio_test
async def test_a_maildrop_has_its_own_faults() -> None:
    bob = ServedMaildrop("bob", "secret")
    bob.add(b"x\r\n")
    server = PopServer([_maildrop(Faults(refuse={1})), bob])
    async with connected(server) as client:
        await client.log_in("bob")
        assert (await client.ask("RETR 1")).startswith("+OK")


@trio_test
async def test_hang_up() -> None:
    maildrop = _maildrop(Faults(hang_up={"STAT"}))
    async with connected(PopServer([maildrop])) as client:
        await client.log_in()
        await client.send(b"STAT\r\n")
        assert await client.rest() == b""
    assert not maildrop.locked


@pytest.mark.parametrize("implicit_tls", [True, False])
@trio_test
async def test_a_handshake_can_stall(implicit_tls: bool, autojump_clock: MockClock) -> None:
    context = ssl.create_default_context(cafile=ca_path())
    server = PopServer([], tls=server_context(), faults=Faults(stall={"HANDSHAKE"}))
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(server.serve_stream, far, implicit_tls=implicit_tls))
        if not implicit_tls:
            client = Client(near)
            await client.line()
            await client.ask("STLS")
        with trio.move_on_after(100) as patience:
            await trio.SSLStream(near, context, server_hostname="localhost").do_handshake()
        assert patience.cancelled_caught
        await near.aclose()
    assert server.failures == []


@pytest.mark.parametrize(
    ("fault", "answers"),
    [
        (PipelineFault.NONE, ["+OK"] * 3),
        (PipelineFault.FORGOTTEN, ["+OK", "+OK"]),
        (PipelineFault.GARBAGE, ["*** buffer overrun ***", "+OK"]),
        (PipelineFault.REFUSED, ["-ERR unknown command", "+OK"]),
        (PipelineFault.CUT, []),
    ],
)
@pytest.mark.parametrize("fits", [True, False])
@trio_test
async def test_faults_of_pipelining(
    fault: PipelineFault, answers: list[str], fits: bool, autojump_clock: MockClock
) -> None:
    """With `fits` there is room for both commands behind the first, else for one and a half."""
    faults = Faults(pipeline=fault, pipeline_room=2 * len(b"NOOP\r\n") - (not fits))
    async with connected(PopServer([_maildrop()], faults=faults)) as client:
        await client.log_in()
        assert await client.ask("NOOP") == "+OK"
        await client.send(b"NOOP\r\n" * 3)
        if fault is PipelineFault.CUT and not fits:
            assert await client.rest() == b""
            return
        lines = (await client.until_silence(1)).decode().splitlines()
        assert lines == (["+OK"] * 3 if fits else answers)


@trio_test
async def test_a_cut_sends_no_close_notify(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    server = PopServer([_maildrop(Faults(cut={1: 5}))], tls=server_tls)
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(server.serve_stream, far, implicit_tls=True))
        client = Client(trio.SSLStream(near, client_tls, server_hostname="localhost"))
        await client.log_in()
        assert (await client.ask("RETR 1")).startswith("+OK")
        with pytest.raises(trio.BrokenResourceError):
            await client.rest()
