"""Logging in to a real Dovecot in each way, and appending, finding and making folders there."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from trio.testing import trio_test

from tests.support.dovecot import Dovecot, as_retrieved, installed_version, require_imap
from tests.support.passwords import PASSWORD
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.config.model import ImapDestination
from tui_popretr.config.sources import Literal
from tui_popretr.delivery.imap.connection import ImapConnection
from tui_popretr.delivery.imap.opening import Opening
from tui_popretr.delivery.imap.transfer import Progress, Transfer
from tui_popretr.errors import DeliveryFailed, ImapFolderMissing, ImapLoginFailed, ImapRefused, ImapServerNotTrusted
from tui_popretr.facts import Direction
from tui_popretr.imap import Message
from tui_popretr.secret import Secret

pytestmark = pytest.mark.dovecot

USER = "me@imap.test"
#: What the server offers, cut down to what is needed and to what the test is about.
_OFFER = "imap_capability = IMAP4rev1 SASL-IR {}\n"
#: An account of 20,000 octets, in the words of each version.
_QUOTA = {
    "2.3": "mail_plugins = quota\n"
    "plugin {\n  quota = count:all\n  quota_rule = *:bytes=20000\n  quota_vsizes = yes\n}\n",
    "2.4": "mail_plugins {\n  quota = yes\n}\nquota_storage_size = 20000B\nquota all {\n  driver = count\n}\n",
}
MAIL = b"Message-ID: <1@x.test>\r\nSubject: a\r\n\r\ntext\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    require_imap()
    with Dovecot(imap=True) as dovecot:
        dovecot.add_user(USER, PASSWORD)
        yield dovecot


def destination(server: Dovecot, **more: object) -> ImapDestination:
    """Return the settings that lead to the server, over implicit TLS."""
    tls = TlsPolicy(trust_path=str(server.ca))
    found = ImapDestination(
        "127.0.0.1", port=server.imaps_port, username=USER, password=Literal(Secret(PASSWORD)), tls=tls
    )
    return replace(found, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def connected(
    where: ImapDestination, secret: str = PASSWORD, said: list[str] | None = None
) -> AsyncIterator[ImapConnection]:
    def say(direction: Direction, texts: Iterable[str]) -> None:
        if said is not None:
            said.extend(f"{direction.value} {text}" for text in texts)

    async def ask() -> Secret:
        return Secret(secret)

    connection = await Opening(where, say, ask).open()
    try:
        yield connection
    finally:
        await connection.logout()


# --- logging in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    [
        AuthType.AUTO,
        AuthType.USERPASS,
        AuthType.SASL_PLAIN,
        AuthType.SASL_LOGIN,
        AuthType.SASL_CRAM_MD5,
        AuthType.SASL_SCRAM_SHA_1,
        AuthType.SASL_SCRAM_SHA_256,
    ],
)
@trio_test
async def test_a_password(method: AuthType, server: Dovecot) -> None:
    said: list[str] = []
    async with connected(destination(server, auth_types=(method,)), said=said) as connection:
        assert connection.usable
        assert connection.capabilities.multiappend
    assert PASSWORD not in "".join(said)
    assert said[-1] == "event IMAP Disconnect"


@pytest.mark.parametrize("method", [AuthType.SASL_XOAUTH2, AuthType.SASL_OAUTHBEARER])
@trio_test
async def test_an_access_token(method: AuthType, server: Dovecot) -> None:
    token = server.token(USER)
    async with connected(destination(server, auth_types=(method,)), token) as connection:
        assert connection.usable
    with pytest.raises(ImapLoginFailed, match="does not accept the access token"):
        async with connected(destination(server, auth_types=(method,)), token[:-2]):
            pass


@trio_test
async def test_a_client_certificate(server: Dovecot) -> None:
    tls = TlsPolicy(trust_path=str(server.ca), key_store=str(server.client_cert_for("certified")))
    where = destination(server, tls=tls, auth_types=(AuthType.AUTO,), username=None, password=None)
    async with connected(where) as connection:
        assert connection.usable


@trio_test
async def test_starttls(server: Dovecot) -> None:
    tls = TlsPolicy(latent=True, trust_path=str(server.ca))
    said: list[str] = []
    async with connected(destination(server, port=server.imap_port, starttls=True, tls=tls), said=said):
        assert any(line.startswith("event IMAP TLS (TLSv1.") for line in said)


@trio_test
async def test_a_wrong_password(server: Dovecot) -> None:
    with pytest.raises(ImapLoginFailed, match="AUTHENTICATIONFAILED"):
        async with connected(destination(server), "another"):
            pass


@trio_test
async def test_a_certificate_that_is_not_trusted(server: Dovecot) -> None:
    with pytest.raises(ImapServerNotTrusted, match="signed by an authority that is not trusted here") as caught:
        async with connected(destination(server, tls=TlsPolicy())):
            pass
    assert "in the <ssl> of <imap>" in caught.value.advice


@trio_test
async def test_no_tls_at_that_port(server: Dovecot) -> None:
    with pytest.raises(ImapServerNotTrusted, match="plain text at port") as caught:
        async with connected(destination(server, port=server.imap_port)):
            pass
    assert "<starttls>Y</starttls>" in caught.value.advice


# --- folders and messages ---------------------------------------------------------------------------------------------


def transfer(content: bytes, *, flags: tuple[str, ...] = (), date: str | None = None, piece: int = 65536) -> Transfer:
    async def pieces() -> AsyncGenerator[bytes]:
        for start in range(0, len(content), piece):
            yield content[start : start + piece]

    return Transfer(Message(len(content), flags, date, b"\0" in content), pieces())


async def recorded() -> None:
    pass


@pytest.fixture(
    scope="module",
    params=["LITERAL+ MULTIAPPEND UIDPLUS UNSELECT", "LITERAL+ UIDPLUS", "LITERAL-", ""],
    ids=["all", "pipelined", "literal-minus", "bare"],
)
def offering(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    """A server with fewer capabilities in each case."""
    require_imap()
    with Dovecot(imap=True, more=_OFFER.format(request.param)) as dovecot:
        dovecot.add_user(USER, PASSWORD)
        yield dovecot


@trio_test
async def test_what_is_appended_can_be_found(offering: Dovecot) -> None:
    folded = b"Message-ID:\r\n <2@x.test>\r\n\r\n" + b"y" * 5000
    async with connected(destination(offering)) as connection:
        before = await connection.status("INBOX")
        assert before.next_uid is not None
        three = [
            transfer(MAIL, flags=("\\Seen", "$New"), date=" 7-Feb-2026 22:30:00 +0100"),
            transfer(folded),
            transfer(MAIL),
        ]
        await connection.append("INBOX", three, recorded, together=connection.capabilities.multiappend)
        assert [each.progress for each in three] == [Progress.APPENDED] * 3
        state = await connection.examine("INBOX")
        assert (state.validity, state.next_uid, state.messages) == (
            before.validity,
            before.next_uid + 3,
            before.messages + 3,
        )
        uids = tuple(range(before.next_uid, before.next_uid + 3))
        known = [each.place for each in three]
        assert known == [(state.validity, uid) for uid in uids] or known == [None] * 3
        assert await connection.search("Message-ID", b"<1@x.test>", uids[0]) == (uids[0], uids[2])
        assert await connection.search("Message-ID", b"<2@x.test>", uids[0]) == uids[1:2]
        assert await connection.search("Message-ID", b"<1@x.test>", uids[2] + 1) == ()
        assert await connection.sizes(uids) == {uids[0]: len(MAIL), uids[1]: len(folded), uids[2]: len(MAIL)}
        assert await connection.message_ids(uids) == {uids[0]: "1@x.test", uids[1]: "2@x.test", uids[2]: "1@x.test"}
        await connection.leave_folder()
    assert list(map(as_retrieved, offering.messages(USER)[-3:])) == [MAIL, folded + b"\r\n", MAIL]


@trio_test
async def test_a_missing_folder_is_made(offering: Dovecot) -> None:
    async with connected(destination(offering)) as connection:
        folder = "Entwürfe.Größe & mehr"
        with pytest.raises(ImapFolderMissing):
            await connection.status(folder)
        one = transfer(MAIL)
        await connection.append(folder, [one], recorded)
        assert one.progress is Progress.REFUSED
        assert isinstance(one.error, ImapFolderMissing)
        assert connection.usable
        await connection.create(folder)
        await connection.create(folder)
        await connection.subscribe(folder)
        assert await connection.is_listed(folder)
        again = transfer(MAIL)
        await connection.append(folder, [again], recorded)
        assert again.progress is Progress.APPENDED
        assert (await connection.status(folder)).messages == 1


@trio_test
async def test_a_large_message(server: Dovecot) -> None:
    content = b"Subject: large\r\n\r\n" + b"x" * 998 * 3000 + b"\r\n"
    async with connected(destination(server)) as connection:
        large = transfer(content)
        await connection.append("INBOX", [large], recorded)
        assert large.progress is Progress.APPENDED
    assert as_retrieved(server.messages(USER)[-1]) == content


@trio_test
async def test_nul_goes_where_binary_is_offered(server: Dovecot) -> None:
    async with connected(destination(server)) as connection:
        assert connection.capabilities.binary
        nul = transfer(b"Subject: nul\r\n\r\na\0b\r\n")
        await connection.append("INBOX", [nul], recorded)
        assert nul.progress is Progress.APPENDED


@trio_test
async def test_an_invalid_folder_name(server: Dovecot) -> None:
    async with connected(destination(server)) as connection:
        with pytest.raises(DeliveryFailed) as caught:
            await connection.create("a/b/../c\x7f/")
        assert re.search("cannot make the folder", str(caught.value))
        assert connection.usable


@pytest.fixture
def full() -> Iterator[Dovecot]:
    """A server whose mailboxes are small."""
    require_imap()
    with Dovecot(imap=True, more=_QUOTA[installed_version()]) as dovecot:
        dovecot.add_user(USER, PASSWORD)
        yield dovecot


@trio_test
async def test_a_full_mailbox(full: Dovecot) -> None:
    """It refuses what is too much, in the middle of the literal or at its end, and takes the next one."""
    async with connected(destination(full)) as connection:
        for size in (30_000, 3_000_000):
            too_much = transfer(b"x" * 998 + b"\r\n" + b"y" * size)
            last = transfer(MAIL)
            await connection.append("INBOX", [too_much, last], recorded)
            assert too_much.progress is Progress.REFUSED
            assert type(too_much.error) is ImapRefused
            assert "OVERQUOTA" in str(too_much.error)
            if connection.usable:
                assert last.progress is Progress.APPENDED
            else:
                assert last.progress is Progress.UNSENT
                break
    assert set(map(as_retrieved, full.messages(USER))) == {MAIL}
