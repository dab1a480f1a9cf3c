"""The maildrop in the journal of a session, and that the password appears in no fact."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from trio.testing import MockClock, trio_test

from tests.support.passwords import PASSWORD
from tests.support.worlds import World
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.errors import ExitCode


@trio_test
async def test_certificates_on_one_server_have_maildrops_of_their_own(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World(tmp_path)
    for name in ("a.pem", "b.pem"):
        tls = TlsPolicy(key_store=f"/nowhere/{name}", certificate="entry")
        server = Server("pop.example.test", 995, None, None, (AuthType.SASL_EXTERNAL,), False, tls)
        assert not (await world.poll(server=server)).ok
    await world.poll()
    with closing(sqlite3.connect(tmp_path / "popretr.sqlite")) as journal:
        users = [user for (user,) in journal.execute("SELECT user FROM maildrop ORDER BY user")]
    assert users == ["/nowhere/a.pem#entry", "/nowhere/b.pem#entry", "alice"]


@trio_test
async def test_a_server_that_repeats_the_password_after_the_login(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World(tmp_path)
    for answer in ("-ERR you said {}\r\n", "+OK you said {}\r\n"):
        world.faults.answers["STAT"] = answer.format(PASSWORD).encode()
        result = await world.poll()
        assert result.code is not ExitCode.OK
        assert "you said ****" in result.error
        assert PASSWORD not in repr(world.facts)
