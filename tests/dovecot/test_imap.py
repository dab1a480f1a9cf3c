"""From a real POP3 server into real IMAP servers: 500 mixed messages arrive once each, octet for octet."""

from __future__ import annotations

import imaplib
import re
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.dovecot.mixed import mixed_messages
from tests.program.process import run_program
from tests.program.site import PASSWORD, Run, Site, client, without_received
from tests.support import cyrus
from tests.support.cyrus import Cyrus
from tests.support.dovecot import Dovecot, as_retrieved, require_imap
from tests.support.size import NIGHTLY
from tui_popretr.imap import utf7

COUNT = 500
GREEK, AND = "Ταξίδι 2026", "Rock & Roll"
STRANGE = {
    "8-bit": "Subject: Größe\r\n\r\nx\r\n".encode(),
    "NUL": b"Subject: a\r\n\r\na\0b\r\n",
    "NUL in the header": b"Subject: a\0b\r\n\r\nx\r\n",
    "no body": b"Subject: a\r\n",
    "no header": b"\r\nx\r\n",
    "only text": b"This is not a header.\r\n\r\nx\r\n",
    "no name": b": a\r\n\r\nx\r\n",
    "a space in a name": b"Sub ject: a\r\n\r\nx\r\n",
}
REFUSED_BY_CYRUS = frozenset({"NUL in the header", "only text", "no name", "a space in a name"})
DATE = '"23-Nov-2026 07:27:59 +0000"'


class Stored(NamedTuple):
    """A message as an IMAP client sees it."""

    content: bytes
    flags: str
    date: str


@dataclass(frozen=True, slots=True)
class Receiver:
    """An IMAP server with the account "reader".

    `second` is its login with STARTTLS: the secret and the method. `refused`: which of STRANGE it refuses.
    """

    starttls_port: int
    tls_port: int
    ca: Path
    second: tuple[str, str]
    refused: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    """The POP3 server."""
    require_imap()
    with Dovecot(imap=True) as dovecot:
        for name in ("all", "half", "strange"):
            dovecot.add_user(name, PASSWORD)
        yield dovecot


@pytest.fixture(
    scope="module",
    params=[
        "dovecot",
        pytest.param("cyrus", marks=pytest.mark.skipif(not NIGHTLY, reason="Cyrus is for the nightly tests")),
    ],
)
def receiver(request: pytest.FixtureRequest, server: Dovecot) -> Iterator[Receiver]:
    """Debian's Cyrus takes no access tokens: Cyrus SASL has neither XOAUTH2 nor OAUTHBEARER."""
    if request.param == "dovecot":
        server.add_user("reader", PASSWORD)
        yield Receiver(server.imap_port, server.imaps_port, server.ca, (server.token("reader"), "SASL_XOAUTH2"))
        return
    cyrus.require()
    with Cyrus(PASSWORD) as started:
        started.add_user("reader")
        yield Receiver(started.port, started.tls_port, started.ca, (PASSWORD, "SASL_PLAIN"), REFUSED_BY_CYRUS)


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    return list(mixed_messages(COUNT))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, server: Dovecot, receiver: Receiver, messages: list[bytes]) -> Site:
    """Two accounts with the same mail: one by TLS with SCRAM, the other, with half of it, by STARTTLS."""
    server.fill("all", messages)
    server.fill("half", messages[: COUNT // 2])
    site = Site(tmp_path_factory.mktemp("imap"))
    login = f'<username>reader</username><ssl tspath="{receiver.ca}"/>'
    secret, method = receiver.second
    site.configure(
        client(
            "all",
            f"{server.host}:{server.port}",
            inside=f"<imap><address>127.0.0.1:{receiver.tls_port}</address>{login}"
            f"<password>{PASSWORD}</password><authtypes>SASL_SCRAM_SHA_256</authtypes><folder>{GREEK}</folder>"
            "<flags>\\Seen | $Forwarded</flags></imap>",
        ),
        client(
            "half",
            f"{server.host}:{server.port}",
            inside=f"<imap><address>127.0.0.1:{receiver.starttls_port}</address><starttls>Y</starttls>{login}"
            f"<password>{secret}</password><authtypes>{method}</authtypes>"
            f"<folder>{AND.replace('&', '&amp;')}</folder></imap>",
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
def reading(receiver: Receiver) -> Iterator[imaplib.IMAP4_SSL]:
    """Another client, logged in."""
    context = ssl.create_default_context(cafile=receiver.ca)
    with imaplib.IMAP4_SSL("127.0.0.1", receiver.tls_port, ssl_context=context) as reader:
        reader.authenticate("PLAIN", lambda _: f"\0reader\0{PASSWORD}".encode())
        yield reader


def folder(receiver: Receiver, name: str) -> list[Stored]:
    """The messages of a folder."""
    with reading(receiver) as reader:
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
def test_each_arrives_once(
    name: str, count: int, server: Dovecot, receiver: Receiver, done: Run, messages: list[bytes]
) -> None:
    found = [without_received(each.content) for each in folder(receiver, name)]
    assert digests(found) == digests([expected(each) for each in messages[:count]])
    assert server.count("all") == server.count("half") == 0


def test_flags_and_dates(receiver: Receiver, done: Run) -> None:
    assert {frozenset(each.flags.split()) - {"\\Recent"} for each in folder(receiver, GREEK)} == {
        frozenset({"\\Seen", "$Forwarded"})
    }
    assert {frozenset(each.flags.split()) - {"\\Recent"} for each in folder(receiver, AND)} == {frozenset()}
    assert Counter(each.date for each in folder(receiver, GREEK)) == {DATE: COUNT}


def test_the_audit_lines_have_the_uids(site: Site, done: Run) -> None:
    lines = [line for line in site.audit() if f"IMAP={GREEK};" in line]
    uids = [int(line.rpartition(":")[2]) for line in lines]
    assert sorted(uids) == list(range(1, COUNT + 1))


def test_messages_were_sent_together(site: Site, done: Run) -> None:
    assert site.transcript().count(">> IMAP APPEND") < COUNT / 4


def test_the_folders_are_subscribed(receiver: Receiver, done: Run) -> None:
    with reading(receiver) as reader:
        _, found = reader.lsub()
    names = b" ".join(each for each in found if isinstance(each, bytes))
    assert all(utf7.encode(each) in names for each in (GREEK, AND))


def test_check_connect_shows_the_folders(site: Site, done: Run, receiver: Receiver) -> None:
    found = run_program("check", "--connect", str(site.path))
    assert found.code == 0, found.err
    assert f"  IMAP login:   127.0.0.1:{receiver.tls_port} as reader" in found.out
    assert f"  IMAP folder:  {GREEK}, {COUNT} messages" in found.out
    assert f"  IMAP folder:  {AND}, {COUNT // 2} messages" in found.out
    assert PASSWORD not in found.out + found.err


def test_what_is_refused_stays(server: Dovecot, receiver: Receiver, tmp_path: Path) -> None:
    """Each strange message between two ordinary ones, which are not affected."""
    ordinary = [b"Message-ID: <%d@ordinary.test>\r\n\r\nx\r\n" % number for number in range(len(STRANGE))]
    server.fill("strange", (each for pair in zip(STRANGE.values(), ordinary, strict=True) for each in pair))
    site = Site(tmp_path)
    site.configure(
        client(
            "strange",
            f"{server.host}:{server.port}",
            inside=f"<imap><address>127.0.0.1:{receiver.tls_port}</address><username>reader</username>"
            f'<password>{PASSWORD}</password><ssl tspath="{receiver.ca}"/><folder>strange</folder></imap>',
        ),
    )
    refused = [message for name, message in STRANGE.items() if name in receiver.refused]
    arrived = [message for name, message in STRANGE.items() if name not in receiver.refused]
    for delivered in (len(STRANGE) * 2 - len(refused), 0):
        result = site.run().results["strange"]
        assert (result.messages, result.failed, result.ok) == (delivered, len(refused), not refused)
        assert server.messages("strange") == refused
        found = [each.content for each in folder(receiver, "strange")]
        found = [without_received(each) if each.startswith(b"Received: ") else each for each in found]
        assert Counter(found) == Counter([*arrived, *ordinary])
