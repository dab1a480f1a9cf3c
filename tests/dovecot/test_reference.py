"""The cases of the reference's own test, with Dovecot as the server where it can play it.

Two differ. Dovecot allows PASS and PLAIN in clear together or not at all, so PLAIN without TLS fails on SSLONLY. And a
client that can only log in by EXTERNAL and has no TLS is refused with its configuration already.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.program.site import PASSWORD, Site, client, without_received
from tests.support.dovecot import Dovecot
from tui_popretr.config.reader import load
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionClosed

DOWNLOADS = [
    b"Message-ID: msgid1\r\nFrom: from1\r\nSender: sender1\r\n\r\nMessage 1\r\n",
    b"Message 2\r\nLine 2\r\n..Line 3\r\n...Line 4\r\n",
    b"A" * (10 * 2**20),
]
BARE_LF = [b"Message 1\nLine 2\n", b"Message 2\nLine 2\n"]


@dataclass(frozen=True)
class Case:
    """A client, its server, and how its sessions end."""

    name: str
    auth: str
    server: str = "dovecot"
    stls: bool = False
    initrsp: bool = False
    runs: int = 1
    capa: bool = False
    password: str = PASSWORD
    messages: tuple[bytes, ...] = ()
    code: ExitCode = ExitCode.OK
    capas: int = 1  # one is sent before the login in any case


CASES = [
    Case("userpass", "USERPASS", runs=3, capas=3),
    Case("userpass-sslonly", "USERPASS", "tls_required", code=ExitCode.LOGIN),
    Case("userpass-cram", "USERPASS", "cram_only", code=ExitCode.LOGIN),
    Case("userpass-wrong", "USERPASS", password="no", code=ExitCode.LOGIN),
    Case("apop", "APOP"),
    Case("apop-capa", "APOP", capa=True),
    Case("plain-stls", "SASL_PLAIN", stls=True),
    Case("plain-stls-initrsp-capa", "SASL_PLAIN", stls=True, initrsp=True, capa=True, capas=2),
    Case("plain-stls-sslonly", "SASL_PLAIN", "tls_required", stls=True),
    Case("plain-sslonly", "SASL_PLAIN", "tls_required", code=ExitCode.LOGIN),
    Case("cram-md5", "SASL_CRAM_MD5"),
    Case("cram-md5-initrsp-cram", "SASL_CRAM_MD5", "cram_only", initrsp=True),
    Case("external-stls", "SASL_EXTERNAL", stls=True),
    Case("external-stls-initrsp", "SASL_EXTERNAL", stls=True, initrsp=True),
    Case("download", "USERPASS", runs=3, messages=tuple(DOWNLOADS), capas=3),
    Case("fallback", "SASL_PLAIN | SASL_CRAM_MD5", "cram_only", messages=tuple(BARE_LF)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case(case: Case, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    server: Dovecot = request.getfixturevalue(case.server)
    user = f"reference-{case.name}"
    server.add_user(user, PASSWORD)
    messages = case.messages or (b"Subject: one\r\n\r\ntext\r\n",)
    server.fill(user, messages)
    site = Site(tmp_path / "site")
    site.configure(client_of(case, server, user))
    done = site.run()

    results = [fact.result for fact in done.of(SessionClosed)]
    assert [result.code for result in results] == [case.code] * case.runs, results
    assert done.exit_code is case.code
    assert site.transcript().count(">> CAPA") == case.capas
    if case.code is not ExitCode.OK:
        assert server.count(user) == len(messages)
        assert site.mailbox("me") == []
        return
    assert [result.messages for result in results] == [len(messages)] + [0] * (case.runs - 1)
    assert server.count(user) == 0
    # Above a message that does not begin with a header there is none of ours.
    stored = sorted(without_received(each) if each.startswith(b"Received: ") else each for each in site.mailbox("me"))
    assert stored == sorted(in_maildir(each) for each in messages)


def client_of(case: Case, server: Dovecot, user: str) -> str:
    external = case.auth == "SASL_EXTERNAL"
    keys = f' kspath="{server.client_cert_for(user)}"' if external else ""
    return client(
        "me",
        f"{server.host}:{server.port}",
        user="" if external else user,
        password=case.password,
        auth=case.auth,
        initrsp=case.initrsp,
        ssl=f'<ssl latent="Y" tspath="{server.ca}"{keys}/>' if case.stls else "",
        runs=f"{case.runs}",
        capa="NY"[case.capa],
    )


def in_maildir(message: bytes) -> bytes:
    """What of a message arrives: LF for its line ends, and one at its end."""
    lines = message.replace(b"\r\n", b"\n")
    return lines if lines.endswith(b"\n") else lines + b"\n"


def test_the_audit_of_the_downloads(dovecot: Dovecot, tmp_path: Path) -> None:
    dovecot.add_user("reference-audit", PASSWORD)
    dovecot.fill("reference-audit", DOWNLOADS)
    site = Site(tmp_path / "site")
    site.configure(client("me", f"{dovecot.host}:{dovecot.port}", user="reference-audit"))
    site.run()
    said = [re.sub(r"^.*=> ", "", line) for line in site.audit()]
    assert said == [
        f"Mailbox=me; MsgID=msgid1; Size={len(DOWNLOADS[0])}; Sender=from1",
        f"Mailbox=me; MsgID=null; Size={len(DOWNLOADS[1])}; Sender=null",
        f"Mailbox=me; MsgID=null; Size={len(DOWNLOADS[2]) + 2}; Sender=null",
    ]


def test_external_without_tls_is_a_wrong_configuration(dovecot: Dovecot, tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.configure(client("me", f"{dovecot.host}:{dovecot.port}", user="", auth="SASL_EXTERNAL"))
    loaded = load(str(site.path))
    assert loaded.settings is None
    assert "SASL_EXTERNAL needs TLS" in str(loaded.problems[0])


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    site = Site(tmp_path / "site")
    site.configure(client("me", f"127.0.0.1:{port}"))
    done = site.run()
    assert done.exit_code is ExitCode.UNAVAILABLE
    assert "refused" in done.results["me"].error
