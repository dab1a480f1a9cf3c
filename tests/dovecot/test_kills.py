"""Killed over a real server, or that server gone: nothing is lost, nothing comes twice, nothing half-written stays."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from tests.crash.cases import Case, Keeping, Kind, Server
from tests.crash.killer import Killer
from tests.crash.mails import mails
from tests.crash.scene import relayed
from tests.program.account import DovecotAccount
from tests.program.relay import Relay
from tests.program.site import Run, Site, client, without_received
from tests.support.dovecot import Dovecot
from tests.support.size import NIGHTLY
from tui_popretr.errors import ExitCode

COUNT = 300


@pytest.mark.parametrize(
    "case",
    [
        Case(Kind.MAILDIR, Server.PIPELINING, Keeping.NOTHING),
        Case(Kind.FOLDER, Server.PIPELINING, Keeping.ALL_KNOWN),
    ],
    ids=str,
)
def test_killed_at_chance_moments(
    case: Case, dovecot: Dovecot, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    account = DovecotAccount(dovecot, f"kills-{case}")
    with relayed(tmp_path, case, account, COUNT) as (scene, relay):
        try:
            Killer(scene, relay, random.Random(str(case))).kill(60 if NIGHTLY else 6)
            scene.finish()
        finally:
            print(case, *scene.history, sep="\n  ")
        scene.report(record_property)


@pytest.mark.parametrize("comes_back", ["at once", "later"])
def test_the_server_goes_away_in_a_session(dovecot: Dovecot, tmp_path: Path, comes_back: str) -> None:
    account = DovecotAccount(dovecot, f"restart-{comes_back.replace(' ', '-')}")
    messages = mails(COUNT)
    account.add(messages)
    site = Site(tmp_path / "site")
    relay = Relay(dovecot.host, dovecot.port)

    async def main() -> tuple[Run, Run]:
        async with trio.open_nursery() as nursery:
            port = await nursery.start(relay.serve)
            site.configure(client("me", f"{dovecot.host}:{port}", user=account.name))
            at_gate = trio.Event()
            relay.arm(at_gate.set, down=2_000_000)
            runs: list[Run] = []

            async def retrieve() -> None:
                runs.append(await site.arun())

            async with trio.open_nursery() as retrieving:
                retrieving.start_soon(retrieve)
                await at_gate.wait()
                await trio.to_thread.run_sync(dovecot.restart if comes_back == "at once" else dovecot.stop)
                relay.cut()  # Dovecot's own processes may finish a session that is under way
            await trio.to_thread.run_sync(dovecot.start)
            runs.append(await site.arun())
            nursery.cancel_scope.cancel()
        return runs[0], runs[1]

    first, second = trio.run(main)
    result = first.results["me"]
    assert result.deleted < COUNT
    if comes_back == "at once":  # one reconnection in the same run, which goes on after the message that broke off
        assert result.code is ExitCode.TEMPORARY, result
        assert (result.messages, result.failed, result.deleted) == (COUNT - 1, 1, COUNT - 1)
    else:
        assert not result.ok
        assert 0 < result.messages < COUNT
        assert result.deleted == 0
    assert second.results["me"].ok, second.results["me"]
    assert second.results["me"].messages == COUNT - result.messages
    arrived = Counter(without_received(each) for each in site.mailbox("me"))
    assert arrived == Counter(each.replace(b"\r\n", b"\n") for each in messages)
    assert account.remaining() == 0
    audited = re.findall(r"MsgID=(\d+)@crash\.test; .*@crash\.test$", "\n".join(site.audit()), re.MULTILINE)
    assert sorted(map(int, audited)) == list(range(COUNT))
