"""How often a session waits for the server, from the greeting to QUIT's +OK: over a link where each way takes time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair, trio_test

from tests.support.popserver import Utf8Support
from tests.support.streams import MemoryEnd, MemoryStream
from tests.support.worlds import World, mail
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.facts import TlsDetails
from tui_popretr.net.stream import Stream
from tui_popretr.net.tls import TlsSession
from tui_popretr.popserver.channel import Channel
from tui_popretr.session.exploration import WORTH_ASKING

#: Seconds that octets take from one end to the other.
ONE_WAY = 0.5
DETAILS = TlsDetails("TLSv1.3", "TLS_AES_256_GCM_SHA384", "pop.example.test", "Test CA", ("pop.example.test",), None)
TLS = {"plain": None, "STLS": TlsPolicy(latent=True), "TLS": TlsPolicy()}


class SlowWorld(World):
    """A world whose client is ONE_WAY from its server. TLS is there and takes no time: its handshake is not counted."""

    tls: TlsPolicy | None = None

    def _connector(self) -> Callable[[Server, float], Awaitable[Stream]]:
        async def handshake(session: TlsSession) -> TlsDetails:
            return DETAILS

        async def connect(server: Server, timeout: float) -> Stream:
            await trio.lowlevel.checkpoint()
            near, left = memory_stream_pair()
            right, far = memory_stream_pair()
            self._peers.start_soon(carry, left, right)
            self._peers.start_soon(carry, right, left)
            self._peers.start_soon(self._serve, far)
            return MemoryStream(near, handshake=handshake)

        return connect

    async def _serve(self, far: MemoryEnd) -> None:
        await self.server.serve_stream(far, implicit_tls=self.tls is not None and not self.tls.latent)


async def carry(source: MemoryEnd, sink: MemoryEnd) -> None:
    """Carry octets from one to the other; each piece arrives ONE_WAY later, however many are under way."""
    put, get = trio.open_memory_channel[tuple[float, bytes]](10_000)

    async def read() -> None:
        while octets := await source.receive_some():
            await put.send((trio.current_time() + ONE_WAY, bytes(octets)))
        put.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        async for due, octets in get:
            await trio.sleep_until(due)
            try:
                await sink.send_all(octets)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                break
        nursery.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def _tls_without_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's side of TLS, that takes no octets either."""
    secured: set[Channel] = set()

    async def start_tls(channel: Channel, context: object) -> None:
        await channel.flush()
        secured.add(channel)

    monkeypatch.setattr(Channel, "start_tls", start_tls)
    monkeypatch.setattr(Channel, "under_tls", property(lambda channel: channel in secured))


async def round_trips(
    folder: Path, tls: TlsPolicy | None, messages: int, policy: dict[str, Any], **login: Any
) -> float:
    world = SlowWorld(folder)
    world.tls = world.server.tls = tls  # type: ignore[assignment]
    world.become(**policy)
    world.add(*map(mail, range(messages)))
    client = world.client(tls=tls)
    result = (await world.run(replace(client, server=replace(client.server, **login)))).results["a"]
    assert (result.error, result.messages, result.deleted) == ("", messages, messages)
    # the greeting takes one way only
    return ((result.ended - result.started).total_seconds() - ONE_WAY) / (2 * ONE_WAY)


#: (security, PIPELINING, messages): what a session took before CAPA came before the login, and what it takes now.
TABLE = {
    ("plain", True, 0): (5, 5),
    ("plain", True, 3): (6, 6),
    ("plain", False, 0): (5, 5),
    ("plain", False, 3): (13, 13),
    ("STLS", True, 0): (6, 5),
    ("STLS", True, 3): (7, 6),
    ("STLS", False, 0): (6, 6),
    ("STLS", False, 3): (14, 14),
    ("TLS", True, 0): (5, 4),
    ("TLS", True, 3): (6, 5),
    ("TLS", False, 0): (5, 5),
    ("TLS", False, 3): (13, 13),
}


@pytest.mark.parametrize("utf8", [Utf8Support.UNKNOWN, Utf8Support.SUBSTITUTED])
@pytest.mark.parametrize(("security", "pipelining", "messages"), TABLE)
@trio_test
async def test_no_more_round_trips_than_before(
    security: str, pipelining: bool, messages: int, utf8: Utf8Support, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """UTF8 goes with the first command of the login; only without PIPELINING is it waited for."""
    before, now = TABLE[security, pipelining, messages]
    count = await round_trips(tmp_path, TLS[security], messages, {"pipelining": pipelining, "utf8": utf8})
    assert now <= before
    assert count == now + (utf8 is not Utf8Support.UNKNOWN and not pipelining)


@trio_test
async def test_auto_asks_for_the_capabilities_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It took 8, since it asked before the login and again after it."""
    count = await round_trips(tmp_path, None, 0, {}, auth_types=(AuthType.AUTO,))
    assert count == 7


@pytest.mark.parametrize(("messages", "asked"), [(WORTH_ASKING - 1, 1), (WORTH_ASKING, 2)])
@trio_test
async def test_capa_again_after_the_login_where_it_can_pay(
    messages: int, asked: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """That is where there was no PIPELINING before it, and many messages."""
    world = SlowWorld(tmp_path)
    world.become(pipelining=False)
    world.add(*map(mail, range(messages)))
    assert (await world.poll()).messages == messages
    assert world.verbs().count("CAPA") == asked
