"""What becomes of a host's name on the way to its server: look-up, SNI, certificate, Received, journal."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.config.helpers import load_text, settings_of, task
from tests.support.certificates import Certificates
from tests.support.clock import FakeClock
from tests.support.making import client_settings, server_settings
from tests.support.tls_serving import greeter, serving
from tests.support.worlds import World, mail
from tui_popretr.bus import Bus
from tui_popretr.cli.marking import mark
from tui_popretr.config.model import Concurrency, FolderDestination
from tui_popretr.delivery.sinks import sink_for
from tui_popretr.engine.service import connect_tcp
from tui_popretr.engine.slots import SessionSlots
from tui_popretr.errors import HostNotFound
from tui_popretr.facts import SessionId
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Maildrop
from tui_popretr.session.services import ConnectionServices
from tui_popretr.session.setup import ConnectionSetup

#: As written, as looked up, and in the one form for SNI, certificates and the journal.
NAMES = [
    ("pop.example.net", "pop.example.net", "pop.example.net"),
    ("pop.example.net.", "pop.example.net.", "pop.example.net"),
    ("pop.straße.example", "pop.xn--strae-oqa.example", "pop.xn--strae-oqa.example"),
    ("pop.straße.example.", "pop.xn--strae-oqa.example.", "pop.xn--strae-oqa.example"),
]


class Looking(trio.abc.HostnameResolver):
    """A resolver that finds every name on this machine."""

    def __init__(self) -> None:
        self.names: list[object] = []

    async def getaddrinfo(self, host: Any, port: Any, *arguments: Any) -> Any:
        self.names.append(host.decode() if isinstance(host, bytes) else host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def getnameinfo(self, *arguments: Any) -> Any:
        raise AssertionError


def noting(names: list[str | None]) -> Callable[[ssl.SSLContext], None]:
    def configure(context: ssl.SSLContext) -> None:
        context.sni_callback = lambda connection, name, original: names.append(name)

    return configure


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def resolver() -> Looking:
    return Looking()


@pytest.mark.parametrize("peer", [False, True])
@pytest.mark.parametrize(("written", "looked_up", "name"), NAMES)
@trio_test
async def test_look_up_sni_and_certificate(
    written: str, looked_up: str, name: str, peer: bool, certificates: Certificates, resolver: Looking
) -> None:
    trio.socket.set_custom_hostname_resolver(resolver)
    names: list[str | None] = []
    context = certificates.server_context(name, configure=noting(names))
    policy = certificates.policy(peer_name=written if peer else None)
    async with serving(greeter(context)) as port:
        server = server_settings(written, port, tls=policy)
        entry = ConnectionSetup(
            SessionId("a", 1),
            client_settings(server=server),
            Bus(),
            FakeClock(),
            connect_tcp,
            30.0,
            ConnectionServices(),
        )
        wire = await entry.connect()
        wire.close()
    assert resolver.names == [looked_up]
    assert names == [name]


@trio_test
async def test_people_read_what_they_have_written(resolver: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nowhere(*arguments: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(resolver, "getaddrinfo", nowhere)
    trio.socket.set_custom_hostname_resolver(resolver)
    with pytest.raises(HostNotFound, match=r"^no address for pop\.straße\.example\.: name or service not known$"):
        await connect_tcp(server_settings("pop.straße.example."), 30.0)


@pytest.mark.parametrize(("written", "looked_up", "name"), NAMES)
def test_journal_and_places_know_one_form(written: str, looked_up: str, name: str, tmp_path: Path) -> None:
    text = task(
        f'<client id="a" recip="me"><server address="{written.replace("pop", "POP")}"><username>me</username>'
        "<password>x</password></server><maildir>m</maildir></client>"
    )
    (client,) = settings_of(load_text(tmp_path, text)).clients
    assert client.server.address == f"{written.replace('pop', 'POP')}:110"
    with closing(Journal.open(str(tmp_path / "journal"))) as journal:
        mark(journal, client, ["u1"])
        key = Maildrop(name, 110, "me", sink_for(client, journal.id).key)
        assert len(journal.records(journal.maildrop(key))) == 1
    places = SessionSlots(Concurrency(total=9, per_server=1))
    assert places.request(client.server).granted.is_set()
    assert not places.request(server_settings(name, user="somebody else")).granted.is_set()


@pytest.mark.parametrize(("written", "looked_up", "name"), NAMES)
@trio_test
async def test_received_has_the_form_in_ascii(
    written: str, looked_up: str, name: str, world: World, autojump_clock: MockClock
) -> None:
    world.destination = FolderDestination(str(world.folder / "mail"))
    world.add(mail(1))
    server = replace(world.client().server, host=written)
    assert (await world.poll(omit_received=False, server=server)).ok
    (file,) = (world.folder / "mail").iterdir()
    first, _, _ = file.read_bytes().partition(b"\r\n")
    assert re.findall(rb"Received: from ([^ :]+)[ :]", first) == [name.encode()]
