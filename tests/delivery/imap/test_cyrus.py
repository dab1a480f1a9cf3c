"""Logging in to a real Cyrus, and appending, finding and making folders there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from trio.testing import trio_test

from tests.delivery.imap.test_dovecot_connection import MAIL, connected, recorded, transfer
from tests.support.cyrus import Cyrus, require
from tests.support.passwords import PASSWORD
from tests.support.size import NIGHTLY
from tui_popretr.config.choices import AuthType
from tui_popretr.config.model import ImapDestination
from tui_popretr.config.sources import Literal
from tui_popretr.delivery.imap.connection import FolderState
from tui_popretr.delivery.imap.transfer import Progress
from tui_popretr.errors import ImapFolderMissing, ImapLoginFailed
from tui_popretr.secret import Secret

pytestmark = pytest.mark.skipif(not NIGHTLY, reason="Cyrus is for the nightly tests")


@pytest.fixture(scope="module")
def server() -> Iterator[Cyrus]:
    require()
    with Cyrus(PASSWORD) as cyrus:
        yield cyrus


def destination(server: Cyrus, user: str, method: AuthType = AuthType.AUTO) -> ImapDestination:
    server.add_user(user)
    password = Literal(Secret(PASSWORD))
    return ImapDestination(
        "127.0.0.1", port=server.port, username=user, password=password, tls=None, auth_types=(method,)
    )


@pytest.mark.parametrize("method", [AuthType.AUTO, AuthType.USERPASS, AuthType.SASL_LOGIN, AuthType.SASL_SCRAM_SHA_1])
@trio_test
async def test_logging_in(method: AuthType, server: Cyrus) -> None:
    async with connected(destination(server, "joe", method)) as connection:
        assert connection.capabilities.multiappend
    with pytest.raises(ImapLoginFailed):
        async with connected(destination(server, "joe", method), "another"):
            pass


@pytest.mark.parametrize("together", [True, False])
@trio_test
async def test_what_is_appended_can_be_found(together: bool, server: Cyrus) -> None:
    async with connected(destination(server, f"jane{together}".lower())) as connection:
        before = await connection.status("INBOX")
        assert before.next_uid is not None
        dated = transfer(MAIL, flags=("\\Seen", "$New"), date=" 7-Feb-2026 22:30:00 +0100")
        folded = transfer(b"Message-ID:\r\n <2@x.test>\r\n\r\ny\r\n")
        await connection.append("INBOX", [dated, folded], recorded, together=together)
        assert [each.progress for each in (dated, folded)] == [Progress.APPENDED] * 2
        state = await connection.examine("INBOX")
        assert state == FolderState(before.validity, before.next_uid + 2, 2)
        uids = (before.next_uid, before.next_uid + 1)
        assert [each.place for each in (dated, folded)] == [(state.validity, uid) for uid in uids]
        assert await connection.search("Message-ID", b"<1@x.test>", 1) == uids[:1]
        assert await connection.search("Message-ID", b"<2@x.test>", 1) == uids[1:]
        assert await connection.sizes(uids) == {uids[0]: len(MAIL), uids[1]: folded.message.size}
        await connection.leave_folder()


@trio_test
async def test_a_missing_folder_is_made(server: Cyrus) -> None:
    async with connected(destination(server, "jim")) as connection:
        folder = "Entwürfe/Größe & mehr"
        with pytest.raises(ImapFolderMissing):
            await connection.status(folder)
        one = transfer(MAIL)
        await connection.append(folder, [one], recorded)
        assert isinstance(one.error, ImapFolderMissing)
        assert connection.usable
        await connection.create(folder)
        await connection.create(folder)
        await connection.subscribe(folder)
        again = transfer(MAIL)
        await connection.append(folder, [again], recorded)
        assert (again.progress, (await connection.status(folder)).messages) == (Progress.APPENDED, 1)


@trio_test
async def test_messages_that_cyrus_refuses(server: Cyrus) -> None:
    """NUL, and a message without a header: it refuses them alone, and the connection stays."""
    async with connected(destination(server, "nul")) as connection:
        nul = transfer(b"Subject: nul\r\n\r\na\0b\r\n")
        await connection.append("INBOX", [nul], recorded)
        assert nul.progress in (Progress.APPENDED, Progress.REFUSED)
        good = transfer(MAIL)
        await connection.append("INBOX", [good], recorded)
        assert good.progress is Progress.APPENDED
