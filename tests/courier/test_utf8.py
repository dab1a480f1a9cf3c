"""Messages with UTF-8 in their headers (RFC 6856): Courier gives them only to a client that has sent UTF8."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.courier.test_session import MAILS
from tests.program.site import PASSWORD, Site, client, without_received
from tests.support.courier import Courier
from tests.support.waiting import wait_for
from tui_popretr.errors import ExitCode

RAW = [
    "Subject: Prüfung\n\ntext\n".encode(),
    'From: "Jürgen" <juergen@example.test>\nSubject: plain\n\n.dot\n'.encode(),
    "Subject: 試験\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nÜber\n".encode(),
]


@pytest.mark.parametrize("auth", ["", "USERPASS", "SASL_PLAIN", "AUTO"])
def test_raw_headers_arrive_byte_for_byte(courier: Courier, tmp_path: Path, auth: str) -> None:
    name = f"utf8{auth.lower().replace('_', '')}"
    courier.add_user(name, PASSWORD)
    courier.fill(name, [*RAW, *MAILS])
    site = Site(tmp_path)
    site.configure(client(name, f"{courier.host}:{courier.port}", auth=auth))
    run = site.run()
    assert run.exit_code is ExitCode.OK, run.results
    assert sorted(map(without_received, site.mailbox(name))) == sorted([*RAW, *MAILS])
    wait_for(lambda: courier.messages(name) == [], "the deletion")
    verbs = [line.split()[-1] for line in site.transcript().splitlines() if line.endswith("UTF8")]
    assert verbs[-1:] == ["UTF8"]


def test_raw_headers_are_known_again(courier: Courier, tmp_path: Path) -> None:
    """Messages that stay are not retrieved again, and are deleted when they may be."""
    courier.add_user("utf8again", PASSWORD)
    courier.fill("utf8again", RAW)
    site = Site(tmp_path)
    address = f"{courier.host}:{courier.port}"
    site.configure(client("utf8again", address, preserve="Y", newonly="Y"))
    assert site.run().results["utf8again"].messages == len(RAW)
    assert site.run().results["utf8again"].messages == 0
    site.configure(client("utf8again", address))
    site.run()
    wait_for(lambda: courier.messages("utf8again") == [], "the deletion")
    assert set(map(without_received, site.mailbox("utf8again"))) == set(RAW)
