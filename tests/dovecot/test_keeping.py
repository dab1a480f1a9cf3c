"""Mail that stays on the server for a time, and deletions that are owed: made up for without a second delivery."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio

from tests.dovecot.mixed import mixed_messages
from tests.program.relay import Relay
from tests.program.site import PASSWORD, Run, Site, client
from tests.support.dovecot import Dovecot
from tui_popretr.journal.records import MessageState

COUNT = 120  # every kind of message is among them


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    return list(mixed_messages(COUNT, seed=2))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def said(site: Site, session: str, command: str) -> int:
    """How often a command was sent in a session."""
    return sum(line.startswith(f"{session} ") and f" >> {command}" in line for line in site.transcript().splitlines())


def test_deleteafter(dovecot: Dovecot, site: Site, messages: list[bytes]) -> None:
    dovecot.add_user("deleteafter", PASSWORD)
    dovecot.fill("deleteafter", messages)
    address = f"{dovecot.host}:{dovecot.port}"
    keep = partial(client, "me", address, user="deleteafter", preserve="Y", newonly="Y")
    for deleteafter, kept in (("14d", True), ("14d", True), ("1ms", False)):
        site.configure(keep(deleteafter=deleteafter))
        done = site.run()
        assert done.exit_code == 0, done.results
        assert len(site.mailbox("me")) == len(site.audit()) == COUNT
        assert dovecot.count("deleteafter") == (COUNT if kept else 0)
    # each was looked at once more before it was deleted, and none was retrieved again
    assert said(site, "me-1", "RETR ") == COUNT
    assert said(site, "me-1", "TOP ") == COUNT
    assert {record.state for record in site.records()} == {MessageState.DELETED}


def test_a_connection_that_is_cut_before_quit_is_answered(dovecot: Dovecot, site: Site, messages: list[bytes]) -> None:
    """With PIPELINING the last DELEs are lost with QUIT, and the client connects once more, to say each for itself."""
    dovecot.add_user("cut-before-quit", PASSWORD)
    dovecot.fill("cut-before-quit", messages)
    relay = Relay(dovecot.host, dovecot.port)

    async def main() -> list[Run]:
        async with trio.open_nursery() as nursery:
            port = await nursery.start(relay.serve)
            site.configure(client("me", f"{dovecot.host}:{port}", user="cut-before-quit"))
            relay.cut_at(b"QUIT\r\n", times=2)
            runs = [await site.arun(), await site.arun()]
            nursery.cancel_scope.cancel()
        return runs

    first, second = trio.run(main)
    result = first.results["me"]
    assert (result.messages, result.deleted) == (COUNT, 0), result
    assert not result.ok
    assert relay.connections == 3
    assert second.results["me"].ok, second.results
    assert (second.results["me"].messages, second.results["me"].deleted) == (0, COUNT)
    assert len(site.mailbox("me")) == len(site.audit()) == COUNT
    assert dovecot.count("cut-before-quit") == 0
