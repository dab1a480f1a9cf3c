"""Connecting, and looking up names."""

from __future__ import annotations

import gc
import socket
import threading

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.tls_serving import LOOPBACK, serving
from tui_popretr.errors import HostNotFound, ServerUnreachable
from tui_popretr.net.connect import connect
from tui_popretr.net.resolver import SLOW, Resolver


async def echo(stream: trio.SocketStream) -> None:
    async for octets in stream:
        await stream.send_all(octets)


@trio_test
async def test_a_refused_connection() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ServerUnreachable) as caught:
        await connect(LOOPBACK, port, timeout=30.0)
    assert str(caught.value) == f"cannot connect to {LOOPBACK} port {port}: connection refused"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str] | socket.gaierror]:
    """What the resolver knows, in place of the machine's."""
    known: dict[str, list[str] | socket.gaierror] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: bytes | str, port: int, *arguments: int, **more: int) -> list[object]:
        name = host.decode() if isinstance(host, bytes) else host
        if more.get("flags", arguments[3] if len(arguments) > 3 else 0) & socket.AI_NUMERICHOST:
            return list(real(host, port, *arguments, **more))
        answer = known[name]
        if isinstance(answer, socket.gaierror):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@trio_test
async def test_a_name_without_an_address(names: dict[str, list[str] | socket.gaierror]) -> None:
    names["nowhere.test"] = socket.gaierror(-2, "Name or service not known")
    trio.socket.set_custom_hostname_resolver(Resolver())
    with pytest.raises(HostNotFound) as caught:
        await connect("nowhere.test", 110, timeout=30.0)
    assert str(caught.value) == "no address for nowhere.test: name or service not known"


@pytest.mark.parametrize("host", ["x" * 70 + ".test", "a..test", "pop\udce9.test"])
@trio_test
async def test_an_impossible_host_name(host: str) -> None:
    with pytest.raises(HostNotFound):
        await connect(host, 110, timeout=30.0)


@trio_test
async def test_the_next_address_is_tried(names: dict[str, list[str] | socket.gaierror]) -> None:
    trio.socket.set_custom_hostname_resolver(Resolver())
    names["pop.test"] = ["127.0.0.3", LOOPBACK]
    async with serving(echo) as port:
        stream = await connect("pop.test", port, timeout=30.0)
        assert stream.remote == f"{LOOPBACK}:{port}"
        stream.close()
    with pytest.raises(ServerUnreachable, match="connection refused"):
        await connect("pop.test", port, timeout=30.0)


@trio_test
async def test_requests_for_the_same_name_share_one_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go_on = [], threading.Event()

    def slow(host: str, *others: object) -> list[str]:
        asked.append(host)
        go_on.wait(30)
        if host == "bad.test":
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [host]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    resolver, answers = Resolver(), []

    async def ask(host: str) -> None:
        try:
            answers.append(await resolver.getaddrinfo(host, 110))
        except socket.gaierror:
            answers.append("none")

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as impatient:
            async with trio.open_nursery() as given_up:
                given_up.start_soon(ask, "pop.test")  # giving up does not end the look-up for the others
                await trio.testing.wait_all_tasks_blocked()
                impatient.cancel()
        for host in ("pop.test", "bad.test") * 3:
            nursery.start_soon(ask, host)
        await trio.testing.wait_all_tasks_blocked()
        go_on.set()
    assert sorted(asked) == ["bad.test", "pop.test"]
    assert sorted(map(str, answers)) == ["['pop.test']"] * 3 + ["none"] * 3
    await ask("pop.test")
    assert sorted(asked) == ["bad.test", "pop.test", "pop.test"], "an answer is not kept"


@trio_test
async def test_a_later_request_does_not_wait_for_a_look_up_that_hangs(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = 0

    async def in_thread(self: Resolver, *arguments: object) -> str:
        nonlocal looked_up
        looked_up += 1
        if looked_up == 1:
            await trio.sleep(1000)
        return f"answer {looked_up}"

    monkeypatch.setattr(Resolver, "_in_thread", in_thread)
    resolver = Resolver()
    with trio.move_on_after(SLOW + 1) as scope:
        await resolver.getaddrinfo("pop.test", 110)
    assert scope.cancelled_caught
    assert await resolver.getaddrinfo("pop.test", 110) == "answer 2"


@trio_test
async def test_a_server_that_does_not_answer(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(host: str, port: int) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(trio, "open_tcp_stream", never)
    with pytest.raises(ServerUnreachable, match=r"pop\.test port 110 did not answer within 30 s"):
        await connect("pop.test", 110, timeout=30.0)
    assert trio.current_time() == pytest.approx(30.0)


@trio_test
async def test_a_connection_closed_at_once_leaves_no_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(sock: socket.socket) -> None:
        raise OSError(107, "Transport endpoint is not connected")

    async with serving(echo) as port:
        monkeypatch.setattr("tui_popretr.net.connect.SocketStream", gone)
        with pytest.raises(ServerUnreachable, match="endpoint is not connected"):
            await connect(LOOPBACK, port, timeout=30.0)
        gc.collect()  # a socket left open would be a warning, and so an error
