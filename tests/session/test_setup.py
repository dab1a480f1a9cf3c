"""Errors at the greeting, of a server that expects TLS."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.clock import FakeClock
from tests.support.making import client_settings, server_settings
from tests.support.streams import MemoryStream, Peer, memory_connection
from tui_popretr.bus import Bus
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.errors import PopretrError
from tui_popretr.facts import SessionId
from tui_popretr.session.services import ConnectionServices
from tui_popretr.session.setup import ConnectionSetup

ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # handshake_failure (RFC 8446 §6.2)


@pytest.mark.parametrize("tls", [None, TlsPolicy(latent=True)])
@pytest.mark.parametrize(
    ("octets", "closes"),
    [
        (b"", False),
        (b"", True),
        (ALERT, False),
        (ALERT, True),
    ],
)
@trio_test
async def test_a_server_that_waits_for_tls(
    octets: bytes, closes: bool, tls: TlsPolicy | None, autojump_clock: MockClock
) -> None:
    stream, end = memory_connection()

    async def connect(server: Server, timeout: float) -> MemoryStream:
        return stream

    entry = ConnectionSetup(
        SessionId("a", 1),
        client_settings(server=server_settings(tls=tls)),
        Bus(),
        FakeClock(),
        connect,
        30.0,
        ConnectionServices(),
    )
    connection = await entry.connect()
    peer = Peer(end)
    await peer.send(octets)
    if closes:
        await peer.close()
    with pytest.raises(PopretrError) as caught, trio.fail_after(60):
        await entry.greet(connection)
    connection.close()
    assert caught.value.advice.endswith(
        'if this port speaks TLS from the first byte (as 995 does), use <ssl latent="N"/>'
    )
