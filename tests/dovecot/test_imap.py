"""From a real POP3 server into a real IMAP server: 500 mixed messages arrive once each, octet for octet."""

from __future__ import annotations

import imaplib
import re
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import NamedTuple

import pytest

from tests.dovecot.mixed import mixed_messages
from tests.program.process import run_program
from tests.program.site import PASSWORD, Run, Site, client, without_received
from tests.support.dovecot import Dovecot, as_retrieved, require_imap
from tui_popretr.imap import utf7

COUNT = 500
GREEK, AND = "Ταξίδι 2026", "Rock & Roll"
DATE = '"23-Nov-2026 07:27:59 +0000"'


class Stored(NamedTuple):
    """A message as an IMAP client sees it."""

    content: bytes
    flags: str
    date: str


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    require_imap()
    with Dovecot(imap=True) as dovecot:
        yield dovecot


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    return list(mixed_messages(COUNT))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, server: Dovecot, messages: list[bytes]) -> Site:
    """Two accounts with the same mail: one by TLS, the other, with half of it, by STARTTLS with a token."""
    for name in ("all", "half", "reader"):
        server.add_user(name, PASSWORD)
    server.fill("all", messages)
    server.fill("half", messages[: COUNT // 2])
    site = Site(tmp_path_factory.mktemp("imap"))
    trust = f'<ssl tspath="{server.ca}"/>'
    login = f"<username>reader</username><password>{PASSWORD}</password>"
    site.configure(
        client(
            "all",
            f"{server.host}:{server.port}",
            inside=f"<imap><address>127.0.0.1:{server.imaps_port}</address>{login}{trust}"
            f"<authtypes>SASL_SCRAM_SHA_256</authtypes><folder>{GREEK}</folder>"
            "<flags>\\Seen | $Forwarded</flags></imap>",
        ),
        client(
            "half",
            f"{server.host}:{server.port}",
            inside=f"<imap><address>127.0.0.1:{server.imap_port}</address><starttls>Y</starttls>"
            f"<username>reader</username><password>{server.token('reader')}</password>{trust}"
            f"<authtypes>SASL_XOAUTH2</authtypes><folder>{AND.replace('&', '&amp;')}</folder></imap>",
        ),
        timeout="60s",
    )
    return site


@pytest.fixture(scope="module")
def done(site: Site) -> Run:
    done = site.run()
    assert all(result.ok for result in done.results.values()), done.results
    return done


@contextmanager
def reading(server: Dovecot) -> Iterator[imaplib.IMAP4_SSL]:
    """Another client, logged in."""
    context = ssl.create_default_context(cafile=server.ca)
    with imaplib.IMAP4_SSL("127.0.0.1", server.imaps_port, ssl_context=context) as reader:
        reader.authenticate("PLAIN", lambda _: f"\0reader\0{PASSWORD}".encode())
        yield reader


def folder(server: Dovecot, name: str) -> list[Stored]:
    """The messages of a folder."""
    with reading(server) as reader:
        answer, _ = reader.select(f'"{utf7.encode(name).decode()}"', readonly=True)
        assert answer == "OK"
        _, found = reader.fetch("1:*", "(FLAGS INTERNALDATE BINARY.PEEK[])")
        stored = []
        for each in found:
            if isinstance(each, tuple):
                head = each[0].decode()
                flags = re.search(r"FLAGS \(([^)]*)\)", head)
                date = re.search(r'INTERNALDATE ("[^"]*")', head)
                assert flags is not None
                assert date is not None
                stored.append(Stored(each[1], flags[1], date[1]))
        return stored


def expected(message: bytes) -> bytes:
    """What the documented changes make of a message."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", as_retrieved(message))


def digests(messages: list[bytes]) -> Counter[str]:
    return Counter(f"{len(each)} {sha256(each).hexdigest()}" for each in messages)


@pytest.mark.parametrize(("name", "count"), [(GREEK, COUNT), (AND, COUNT // 2)])
def test_each_arrives_once(name: str, count: int, server: Dovecot, done: Run, messages: list[bytes]) -> None:
    found = [without_received(each.content) for each in folder(server, name)]
    assert digests(found) == digests([expected(each) for each in messages[:count]])
    assert server.count("all") == server.count("half") == 0


def test_flags_and_dates(server: Dovecot, done: Run) -> None:
    assert {frozenset(each.flags.split()) - {"\\Recent"} for each in folder(server, GREEK)} == {
        frozenset({"\\Seen", "$Forwarded"})
    }
    assert {frozenset(each.flags.split()) - {"\\Recent"} for each in folder(server, AND)} == {frozenset()}
    assert Counter(each.date for each in folder(server, GREEK)) == {DATE: COUNT}


def test_the_audit_lines_have_the_uids(site: Site, done: Run) -> None:
    lines = [line for line in site.audit() if f"IMAP={GREEK};" in line]
    uids = [int(line.rpartition(":")[2]) for line in lines]
    assert sorted(uids) == list(range(1, COUNT + 1))


def test_messages_were_sent_together(site: Site, done: Run) -> None:
    assert site.transcript().count(">> IMAP APPEND") < COUNT / 4


def test_the_folders_are_subscribed(server: Dovecot, done: Run) -> None:
    with reading(server) as reader:
        _, found = reader.lsub()
    names = b" ".join(each for each in found if isinstance(each, bytes))
    assert all(utf7.encode(each) in names for each in (GREEK, AND))


def test_check_connect_shows_the_folders(site: Site, done: Run, server: Dovecot) -> None:
    found = run_program("check", "--connect", str(site.path))
    assert found.code == 0, found.err
    assert f"  IMAP login:   127.0.0.1:{server.imaps_port} as reader" in found.out
    assert f"  IMAP folder:  {GREEK}, {COUNT} messages" in found.out
    assert f"  IMAP folder:  {AND}, {COUNT // 2} messages" in found.out
    assert PASSWORD not in found.out + found.err
