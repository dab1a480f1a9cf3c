"""How long each step may take, on trio's clock: the server is a script at the other end of a memory stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.streams import MemoryStream, Peer, memory_connection
from tui_popretr.config.model import SmtpDestination
from tui_popretr.delivery.smtp import opening
from tui_popretr.delivery.smtp.sink import SmtpSink
from tui_popretr.errors import SmtpTemporaryFailure

SENDER, A = "popretr@receiver.test", "a@receiver.test"
#: What the server answers at each step.
ANSWERS = {
    "greeting": "220 mx",
    "EHLO": "250 mx",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go",
    "end": "250 taken",
    "QUIT": "221 bye",
}

Serve = Callable[[Peer], Any]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Serve, list[float]]]:
    """Put a server here: it gets the other end of each connection. The list gets the timeouts for connecting."""
    servers: list[tuple[Serve, list[float]]] = []

    async def connect(host: str, port: int, timeout: float) -> MemoryStream:
        (server, timeouts) = servers[0]
        timeouts.append(timeout)
        near, far = memory_connection()
        trio.lowlevel.spawn_system_task(server, Peer(far))
        await trio.lowlevel.checkpoint()
        return near

    monkeypatch.setattr(opening, "open_stream", connect)
    return servers


def silent_at(step: str, drip: float | None = None) -> Serve:
    """A server that does not answer at a step. With `drip`, it sends one digit every `drip` seconds."""

    async def server(peer: Peer) -> None:
        for name, answer in ANSWERS.items():
            if name == "end":
                while await peer.heard() != ".":
                    pass
            elif name != "greeting":
                await peer.heard()
            if name == step:
                while drip is not None:
                    await trio.sleep(drip)
                    await peer.send(b"2")
                await trio.sleep_forever()
            await peer.say(answer)

    return server


async def send(sink: SmtpSink) -> None:
    message = sink.open(7)
    message.write(b"x\r\n")
    message.finish()
    try:
        await sink.send(message, trio.lowlevel.checkpoint)
    finally:
        message.abort()


def sink_to(**settings: Any) -> SmtpSink:
    return SmtpSink(SmtpDestination(SENDER, (A,), host="mx.test", **settings), recip=A, spool="/nonexistent")


@pytest.mark.parametrize("timeout", [600.0, 60.0])
@pytest.mark.parametrize("step", [each for each in ANSWERS if each != "QUIT"])
@trio_test
async def test_a_silent_server(
    step: str, timeout: float, serve: list[tuple[Serve, list[float]]], autojump_clock: MockClock
) -> None:
    timeouts: list[float] = []
    serve.append((silent_at(step), timeouts))
    sink = sink_to(timeout=timeout)
    started = trio.current_time()
    with pytest.raises(SmtpTemporaryFailure, match="did not answer in time") as caught:
        await send(sink)
    expected = timeout if step == "end" else min(120.0, timeout)
    assert trio.current_time() - started == pytest.approx(expected)
    assert ("get it twice" in str(caught.value)) == (step == "end")
    assert timeouts == [30.0]
    assert sink._connection is None


@trio_test
async def test_the_timeout_limits_connecting(serve: list[tuple[Serve, list[float]]], autojump_clock: MockClock) -> None:
    timeouts: list[float] = []
    serve.append((silent_at("QUIT"), timeouts))
    sink = sink_to(timeout=20.0)
    await send(sink)
    assert timeouts == [20.0]
    started = trio.current_time()
    await sink.close()
    assert trio.current_time() - started == pytest.approx(1.0), "the answer to QUIT is waited for a moment"


@trio_test
async def test_single_octets_do_not_extend_a_deadline(
    serve: list[tuple[Serve, list[float]]], autojump_clock: MockClock
) -> None:
    serve.append((silent_at("MAIL", drip=50.0), []))
    started = trio.current_time()
    with pytest.raises(SmtpTemporaryFailure, match="did not answer in time"):
        await send(sink_to())
    assert trio.current_time() - started == pytest.approx(120.0)
