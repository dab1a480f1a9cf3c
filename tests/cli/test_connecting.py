"""`check --connect`: what is found at the servers, and the exit code."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.program import client, environment, mail, run_program, write_configuration
from tests.support.popserver_thread import running_server
from tui_popretr.cli import connecting
from tui_popretr.config.model import ClientSettings, MaildirDestination, Server, Settings
from tui_popretr.config.reader import load
from tui_popretr.engine.probe import Findings
from tui_popretr.engine.stream import Stream
from tui_popretr.errors import LoginRejected, ServerUnreachable
from tui_popretr.facts import TlsDetails
from tui_popretr.pop3 import Capabilities
from tui_popretr.popserver import Maildrop, Policy
from tui_popretr.popserver.certificates import ca_path, server_context

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TLS = TlsDetails("TLSv1.3", "TLS_AES_256_GCM_SHA384", "pop.example.net", "Some CA", ("pop.example.net", "*.mx"), None)
CLIENT = ClientSettings(
    id="isp",
    recip="me",
    server=Server("pop.example.net", 995, "me", None, (), initial_response=False, tls=None),
    destination=MaildirDestination("/mail"),
)


def test_a_report_of_all_there_is() -> None:
    found = Findings(
        remote="192.0.2.7:995",
        tls=replace(TLS, expires=datetime(2027, 1, 23, 13, 0, tzinfo=UTC)),
        mechanism="USERPASS",
        capabilities=Capabilities.parse(b"TOP\r\nUIDL\r\nSASL PLAIN\r\n"),
        messages=12,
        octets=3_400_000,
    )
    assert list(connecting.report(CLIENT, found, NOW)) == [
        "isp: pop.example.net:995 (192.0.2.7:995)",
        "  TLS:          TLSv1.3, TLS_AES_256_GCM_SHA384",
        "  certificate:  pop.example.net, issued by Some CA",
        "  names:        pop.example.net, *.mx",
        "  expires:      in 61 days, on 2027-01-23",
        "  login:        USERPASS as me",
        "  capabilities: TOP, UIDL, SASL PLAIN",
        "  maildrop:     12 messages, 3.4 MB",
    ]


def test_a_report_ends_where_the_visit_ended() -> None:
    found = Findings(remote="192.0.2.7:110", problem=LoginRejected("the server rejected the login"))
    assert list(connecting.report(CLIENT, found, NOW)) == [
        "isp: pop.example.net:995 (192.0.2.7:110)",
        "  TLS:          none",
        "  FAILED:       the server rejected the login",
        "  what to do:   check username and password",
    ]
    assert list(connecting.report(CLIENT, Findings(problem=ServerUnreachable("no", advice="")), NOW)) == [
        "isp: pop.example.net:995",
        "  FAILED:       no",
    ]


def test_small_numbers_are_told_as_people_do() -> None:
    tls = replace(TLS, subject="", issuer="", names=(), expires=datetime(2026, 11, 25, 11, 0, tzinfo=UTC))
    found = Findings(remote="x:1", tls=tls, mechanism="APOP", messages=1, octets=1)
    rows = list(connecting.report(CLIENT, found, NOW))
    assert "  certificate:  without a subject, issued by nobody named" in rows
    assert "  names:        none" in rows
    assert "  expires:      in 1 day, on 2026-11-25" in rows
    assert "  capabilities: not told (no CAPA)" in rows
    assert "  maildrop:     1 message, 1 Byte" in rows
    assert "  maildrop:     empty" in list(connecting.report(CLIENT, replace(found, messages=0), NOW))


def test_the_servers_are_visited_and_the_worst_is_the_exit_code(tmp_path: Path) -> None:
    box = Maildrop("me", "secret")
    box.add(mail())
    with running_server([box, Maildrop("work", "secret")], tls=server_context()) as server:
        more = f'<ssl tspath="{ca_path()}"/><maildir>m</maildir>'
        path = write_configuration(
            tmp_path / "c.xml",
            client("isp", server.tls_address, more=more),
            client("nowhere", "127.0.0.1:1"),
            client("work", server.address, user="work", password="wrong"),
        )
        done = run_program("check", path, "--connect")
        assert done.code == 77, done.err
        assert [line for line in done.out.splitlines() if not line.startswith("  ")] == [
            f"isp: {server.tls_address} (127.0.0.1:{server.tls_port})",
            "nowhere: 127.0.0.1:1",
            f"work: {server.address} (127.0.0.1:{server.port})",
        ]
        isp, _, others = done.out.partition("nowhere: ")
        assert "  TLS:          TLSv1.3, " in isp
        assert "  names:        localhost, 127.0.0.1" in isp
        assert "  expires:      in " in isp
        assert "  login:        USERPASS as me\n" in isp
        assert "  capabilities: TOP, UIDL" in isp
        assert "  maildrop:     1 message, " in isp
        assert others.count("  FAILED: ") == others.count("  what to do: ") == 2
        assert "secret" not in done.out + done.err
        assert run_program("check", path, "--connect", "--client", "isp").code == 0
    # looked at only
    assert box.retrieved == []
    assert len(box.messages) == 1
    assert not (tmp_path / "var").exists()


def test_two_clients_of_one_maildrop_do_not_lock_each_other_out(tmp_path: Path) -> None:
    with running_server([Maildrop("me", "secret")], policy=Policy(capa=False)) as server:
        attributes = 'preserve="Y" newonly="Y"'
        path = write_configuration(
            tmp_path / "c.xml",
            *(client(name, server.address, attributes=attributes) for name in ("one", "two", "three")),
        )
        done = run_program("check", path, "--connect")
    assert done.code == 0, done.out
    assert done.out.count("  maildrop:     empty") == 3


def settings_of(folder: Path, *clients: str) -> Settings:
    settings = load(write_configuration(folder / "c.xml", *clients)).settings
    assert settings is not None
    return settings


def test_only_so_many_are_visited_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import trio

    now = most = 0

    async def connector(server: Server, timeout: float) -> Stream:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await trio.lowlevel.checkpoint()
        now -= 1
        raise ServerUnreachable("not today")

    settings = settings_of(tmp_path, *(client(f"c{number}", f"h{number}.test") for number in range(20)))
    assert connecting.check(settings, connector=connector) == 69
    assert most == connecting.AT_ONCE
    # in their order, whoever was first
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == [f"c{n}" for n in range(20)]


def test_a_reader_that_leaves_early_is_no_defect(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", *(client(f"c{n}", f"127.0.0.1:{n}") for n in (1, 2, 3)))
    process = subprocess.Popen(
        [sys.executable, "-m", "tui_popretr", "check", path, "--connect"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as errors:
        assert errors.read() == b""
    assert process.wait() == 141
