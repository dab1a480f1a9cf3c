"""Single messages of 500 on a real server, through a daemon: listed, previewed, retrieved, deleted, skipped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.program.process import run_program
from tests.program.relay import Relay, RelayThread
from tests.program.site import PASSWORD, Site, client
from tests.support.dovecot import Dovecot
from tests.support.waiting import PATIENCE, wait_for
from tui_popretr.control.client import ControlClient, DaemonError
from tui_popretr.journal.records import MessageState

COUNT = 500
KEEP: dict[str, Any] = {"preserve": "Y", "newonly": "Y", "freq": "1h", "maxsize": "1"}  # nothing comes by itself


def letter(number: int) -> bytes:
    return (
        f"From: Ann <ann{number}@example.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= {number}\r\n"
        f"Message-ID: <{number}@example.test>\r\nDate: Mon, 30 Nov 2026 07:27:59 +0000\r\n\r\nnumber {number}\r\n"
    ).encode()


def subjects(mails: list[bytes]) -> set[int]:
    return {int(mail.partition(b"Message-ID: <")[2].partition(b"@")[0]) for mail in mails}


def key(message: dict[str, Any]) -> dict[str, Any]:
    return {name: message[name] for name in ("number", "uid", "size", "digest")}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def ask(site: Site, request: str, **fields: object) -> Any:
    """Ask the daemon."""
    with ControlClient(str(site.top / "var" / "control.sock"), timeout=PATIENCE) as control:
        return control.ask(request, client="me", **fields)


def test_one_of_each_and_the_others_stay(dovecot: Dovecot, site: Site) -> None:
    dovecot.add_user("on-server", PASSWORD)
    dovecot.fill("on-server", [letter(number) for number in range(1, COUNT + 1)])
    site.configure(client("me", f"{dovecot.host}:{dovecot.port}", user="on-server", **KEEP), trace="")
    with site.running() as daemon:
        daemon.wait_for("me: no new messages")
        listed = ask(site, "waiting")
        found = {message["number"]: message for message in listed["messages"]}
        assert list(found) == list(range(COUNT, 0, -1))
        assert (found[77]["subject"], found[77]["name"], found[77]["reason"]) == ("Grüße 77", "Ann", "too large")
        assert ask(site, "preview", messages=[key(found[42])])["text"] == letter(42).decode()
        done = ask(site, "skip", messages=[key(found[9])])
        assert (len(done["texts"]), done["failed"]) == (1, 0)
        assert ask(site, "delete", messages=[key(found[250])])["failed"] == 0
        assert ask(site, "fetch", messages=[key(found[9]), key(found[8])])["failed"] == 0
        wait_for(lambda: len(site.audit()) == 2, "both messages")
        shown = run_program("waiting", str(site.path), "--client", "me", "--json")
        again = {each["number"]: each for each in json.loads(shown.out)["messages"]}
        assert again[8]["reason"] == "preserve"
        daemon.stop()
    assert subjects(site.mailbox("me")) == {8, 9}
    left = {number: letter(number) for number in range(1, COUNT + 1) if number != 250}
    assert sorted(dovecot.messages("on-server")) == sorted(left.values())
    assert [each["uid"] for each in again.values()] == [found[number]["uid"] for number in sorted(left, reverse=True)]
    assert {(each.uid, each.state) for each in site.records()} == {
        (found[number]["uid"], MessageState.DELIVERED) for number in (8, 9)
    }
    alone = run_program("waiting", str(site.path), "--client", "me")
    assert alone.code == 0, alone.err
    assert alone.out.splitlines()[-1].startswith("me: 499 messages, ")
    assert "Grüße 251" in alone.out


class Killer(Relay):
    """Kills the client when it sends a text; `first`: before the server gets it, and the connection breaks."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.at = b""
        self.first = True
        self.kill: Callable[[], None] = lambda: None

    async def _pass_on(
        self, way: str, source: trio.abc.Stream, target: trio.abc.Stream, both: trio.CancelScope
    ) -> None:
        while way == "up" and self.at and (data := await source.receive_some(65536)):
            if self.at in data:
                self.at = b""
                self.kill()  # before the server answers
                if self.first:
                    both.cancel()
                await target.send_all(data)
                break
            await target.send_all(data)
        await super()._pass_on(way, source, target, both)


@pytest.mark.parametrize(
    ("step", "first"),
    [("TOP", False), ("DELE", False), ("QUIT", True), ("QUIT", False)],
    ids=["after TOP", "after DELE", "before QUIT", "after QUIT"],
)
def test_killed_at_each_step_of_a_deletion(dovecot: Dovecot, site: Site, step: str, first: bool) -> None:
    user = f"killed-{step.lower()}-{first}".lower()
    dovecot.add_user(user, PASSWORD)
    dovecot.fill(user, [letter(number) for number in range(1, 6)])
    with RelayThread(relay := Killer(dovecot.host, dovecot.port)) as thread:
        site.configure(client("me", f"{dovecot.host}:{thread.port}", user=user, **KEEP), trace="")
        with site.running() as daemon:
            daemon.wait_for("me: no new messages")
            named = [each for each in ask(site, "waiting")["messages"] if each["number"] in (2, 4)]
            relay.kill, relay.at, relay.first = daemon._process.kill, step.encode(), first
            with pytest.raises(DaemonError):
                ask(site, "delete", messages=[key(each) for each in named])
            daemon.ended()
        left = set(range(1, 6))
        gone = {2, 4} if step == "QUIT" and not first else set()
        wait_for(lambda: subjects(dovecot.messages(user)) == left - gone, "the server's part")
        # Nothing was written, and nothing is left to be done.
        assert site.records() == []
        site.configure(client("me", f"{dovecot.host}:{thread.port}", user=user))
        assert site.once().code == 0, site.said
    assert subjects(site.mailbox("me")) == left - gone
    assert dovecot.count(user) == 0
