"""SRV records, from a real name server on this machine."""

from __future__ import annotations

from typing import Final

import pytest
from trio.testing import trio_test

from tests.support.name_server import SILENT, Records, name_server, resolver_at
from tui_popretr.errors import HostNotFound
from tui_popretr.net.srv import Service, find_services

NAME: Final = "_pop3s._tcp.example.net"


async def ask(records: Records, timeout: float = 30.0) -> list[Service]:
    with name_server(records) as port:
        return await find_services(NAME, timeout=timeout, resolver=resolver_at(port))


@trio_test
async def test_order_by_priority_then_weight() -> None:
    rows = ("20 0 995 late.example.net.", "10 1 995 light.example.net.", "10 9 1995 heavy.example.net.")
    found = await ask({NAME: rows})
    assert found == [("heavy.example.net", 1995), ("light.example.net", 995), ("late.example.net", 995)]


@trio_test
async def test_a_dot_means_no_such_server() -> None:
    assert await ask({NAME: ["0 0 0 ."]}) == []


@trio_test
async def test_no_record() -> None:
    assert await ask({NAME: []}) == []


@trio_test
async def test_no_such_domain() -> None:
    assert await ask({}) == []


@trio_test
async def test_a_name_server_that_does_not_answer() -> None:
    with pytest.raises(HostNotFound, match="the name server does not answer"):
        await ask({NAME: SILENT}, timeout=0.1)


@pytest.mark.parametrize("row", ["0 0 0 pop.example.net.", r"0 0 995 pop\032example.net.", r"0 0 995 \027[2J.example."])
@trio_test
async def test_what_is_no_server_is_left_out(row: str) -> None:
    assert await ask({NAME: [row]}) == []
