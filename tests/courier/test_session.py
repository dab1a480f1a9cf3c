"""Whole sessions with Courier: what it holds arrives byte for byte, and is deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.program.site import PASSWORD, Site, client, without_received
from tests.support.courier import Courier
from tests.support.waiting import wait_for
from tui_popretr.errors import ExitCode

MAILS = [
    b"Subject: one\n\ntext\n.\n..\n.dot\n",
    b"Subject: 8-bit\n\ngr\xf6\xdfe and gr\xc3\xb6\xc3\x9fe\n",
    b"Subject: long\n\n" + b"x" * 20_000 + b"\n",
    b"Subject: empty\n\n",
]


@pytest.mark.parametrize("auth", ["USERPASS", "SASL_PLAIN", "SASL_LOGIN", "SASL_LOGIN | USERPASS"])
def test_a_session(courier: Courier, tmp_path: Path, auth: str) -> None:
    name = "".join(letter for letter in auth.lower() if letter.isalpha())
    courier.add_user(name, PASSWORD)
    courier.fill(name, MAILS)
    site = Site(tmp_path)
    site.configure(client(name, f"{courier.host}:{courier.port}", auth=auth))
    run = site.run()
    assert run.exit_code is ExitCode.OK, run.results
    assert run.results[name].messages == len(MAILS)
    assert sorted(map(without_received, site.mailbox(name))) == sorted(MAILS)
    wait_for(lambda: courier.messages(name) == [], "the deletion")
    said = site.transcript()
    assert all(verb in said for verb in ("CAPA", "STAT", "UIDL", "LIST", "RETR 4", "DELE 4", "QUIT"))


def test_only_new_mail_of_what_stays(courier: Courier, tmp_path: Path) -> None:
    courier.add_user("stays", PASSWORD)
    courier.fill("stays", MAILS[:2])
    site = Site(tmp_path)
    site.configure(client("stays", f"{courier.host}:{courier.port}", preserve="Y", newonly="Y"))
    assert site.run().results["stays"].messages == 2
    courier.fill("stays", MAILS[2:3])
    assert site.run().results["stays"].messages == 1
    assert courier.messages("stays") == MAILS[:3]
