"""The program is killed at the labelled steps of what users do with messages on the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.crash.cases import Server
from tests.crash.mails import mails
from tests.crash.scene import id_of
from tests.program.account import EmbeddedAccount, embedded_account
from tests.program.site import Site, client, without_received
from tests.program.steps import Orders
from tests.support.size import NIGHTLY
from tests.support.waiting import PATIENCE
from tui_popretr.control.client import ControlClient, DaemonError
from tui_popretr.faultpoints import Step
from tui_popretr.journal.records import MessageState

COUNT: Final = 5
#: The message of the actions; it was skipped before it is retrieved.
NAMED: Final = 2
#: Nothing is retrieved by itself.
KEEP: Final[dict[str, Any]] = {"newonly": "Y", "freq": "1h", "maxsize": "1"}
FETCHED: Final = [
    *((step, 1) for step in (Step.DELIVERING, Step.DELIVERED, Step.QUIT_ANSWERED)),
    (Step.IN_TRANSACTION, 2),
]
FETCHED_AT_NIGHT: Final = [
    *((step, 1) for step in (Step.RECEIVED, Step.WRITTEN, Step.SYNCED, Step.FOLDER_SYNCED, Step.NEW_SYNCED)),
    *((step, 1) for step in (Step.PUBLISHED, Step.AUDITED, Step.DELE_SENT, Step.DELE_ANSWERED)),
    *((step, 1) for step in (Step.QUIT_SENT, Step.DELETED)),
    (Step.IN_TRANSACTION, 1),
    (Step.IN_TRANSACTION, 3),
]
KILLED_AT: Final = [
    *(("fetch", step, nth) for step, nth in [*FETCHED, *(FETCHED_AT_NIGHT if NIGHTLY else [])]),
    ("delete", Step.DELE_SENT, 1),
    ("delete", Step.QUIT_SENT, 1),
    ("delete", Step.IN_TRANSACTION, 1),
    ("skip", Step.IN_TRANSACTION, 1),
]


def ask(site: Site, request: str, **fields: object) -> Any:
    """Ask the daemon."""
    with ControlClient(str(site.top / "var" / "control.sock"), timeout=PATIENCE) as control:
        return control.ask(request, client="me", **fields)


def numbers(messages: Iterable[bytes]) -> Counter[int]:
    return Counter(int(id_of(message).partition("@")[0]) + 1 for message in messages)


def on_server(account: EmbeddedAccount) -> set[int]:
    account.wait_until_free()
    return set(numbers(b"".join(each.source()) for each in account._maildrop.messages))


@pytest.mark.parametrize(("action", "step", "nth"), KILLED_AT, ids=[f"{a}-{s.name}-{n}" for a, s, n in KILLED_AT])
def test_killed_at_a_step_of_an_action(action: str, step: Step, nth: int, tmp_path: Path) -> None:
    site, everything = Site(tmp_path), set(range(1, COUNT + 1))
    begin = tmp_path / "begin"
    with embedded_account(Server.PIPELINING) as account:
        account.add(mails(COUNT))
        address = f"{account.host}:{account.port}"
        site.configure(client("me", address, user=account.name, **KEEP), trace="")
        with site.running(steps=Orders(step.name, nth, begin=begin)) as daemon:
            daemon.wait_for("me: no new messages")
            named = next(each for each in ask(site, "waiting")["messages"] if each["number"] == NAMED)
            keys = [{name: named[name] for name in ("number", "uid", "size", "digest")}]
            if action == "fetch":
                assert ask(site, "skip", messages=keys)["failed"] == 0
            begin.touch()
            with suppress(DaemonError):
                ask(site, action, messages=keys)
            assert daemon.ended() == -9, f"never reached: {daemon.said}"
        committed = {each.state for each in site.records()}
        assert site.once().code == 0, site.said
        arrived, left = numbers(map(without_received, site.mailbox("me"))), on_server(account)
        if action == "fetch":
            assert (arrived, left) in (
                [(Counter({NAMED: 1}), everything - {NAMED})]
                if committed - {MessageState.SKIPPED}
                else [(Counter(), everything)]
            )
        else:
            assert not arrived
            assert left == everything - ({NAMED} if action == "delete" and step is not Step.DELE_SENT else set())
        site.configure(client("me", address, user=account.name), trace="")
        assert site.once().code == 0, site.said
        stays = {NAMED} if MessageState.SKIPPED in {each.state for each in site.records()} else set()
        assert on_server(account) == stays == (left & {NAMED} if action == "fetch" else set())
        assert numbers(map(without_received, site.mailbox("me"))) == Counter(arrived.keys() | left - stays)
