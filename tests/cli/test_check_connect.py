"""`check --connect`: what is found at the servers, and the exit code."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.program.process import client, environment, mail, run_program, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop, ServerPolicy
from tests.support.popserver_thread import running_server
from tests.support.streams import memory_connection
from tui_popretr.cli import check_connect, probing
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.model import ClientSettings, MaildirDestination, Settings
from tui_popretr.config.reader import load
from tui_popretr.errors import ExitCode, LoginRejected, ServerUnreachable, TlsFailed
from tui_popretr.facts import TlsDetails, TokenDetails
from tui_popretr.net import tls
from tui_popretr.net.stream import Stream
from tui_popretr.net.tls import TlsSession
from tui_popretr.pop3 import Capabilities
from tui_popretr.popserver.certificates import ca_path, server_context
from tui_popretr.session.exploration import Findings
from tui_popretr.session.plan import Listed

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TLS = TlsDetails("TLSv1.3", "TLS_AES_256_GCM_SHA384", "pop.example.net", "Some CA", ("pop.example.net", "*.mx"), None)
CLIENT = ClientSettings(
    id="isp",
    recip="me",
    server=Server("pop.example.net", 995, "me", None, (), initial_response=False, tls=None),
    destination=MaildirDestination("/mail"),
)


def listing(messages: int) -> list[Listed]:
    return [Listed(number, None, None) for number in range(messages)]


def test_a_report_of_an_access_token() -> None:
    token = TokenDetails("Google", "me@example.net", datetime(2026, 11, 23, 12, 59, tzinfo=UTC), ("mail", "email"))
    found = Findings(remote="192.0.2.7:995", tls=TLS, mechanism="SASL_XOAUTH2", token=token)
    lines = list(check_connect.report(CLIENT, found, NOW))
    assert "  access token: me@example.net at Google, valid until 12:59" in lines
    assert "  allows:       mail email" in lines


def test_a_report_of_all_there_is() -> None:
    found = Findings(
        remote="192.0.2.7:995",
        tls=replace(TLS, expires=datetime(2027, 1, 23, 13, 0, tzinfo=UTC)),
        mechanism="USERPASS",
        capabilities=Capabilities.parse(b"TOP\r\nUIDL\r\nSASL PLAIN\r\n"),
        listing=listing(12),
        octets=3_400_000,
        warnings=["pop.example.net:995 cannot handle CAPA"],
    )
    assert list(check_connect.report(CLIENT, found, NOW)) == [
        "isp: pop.example.net:995 (192.0.2.7:995)",
        "  TLS:          TLSv1.3, TLS_AES_256_GCM_SHA384",
        "  certificate:  pop.example.net, issued by Some CA",
        "  names:        pop.example.net, *.mx",
        "  expires:      in 61 days, on 2027-01-23",
        "  login:        USERPASS as me",
        "  capabilities: TOP, UIDL, SASL PLAIN",
        "  maildrop:     12 messages, 3.4 MB",
        "  warning:      pop.example.net:995 cannot handle CAPA",
    ]


def test_a_report_ends_where_the_visit_ended() -> None:
    found = Findings(remote="192.0.2.7:110", problem=LoginRejected("the server rejected the login"))
    assert list(check_connect.report(CLIENT, found, NOW)) == [
        "isp: pop.example.net:995 (192.0.2.7:110)",
        "  TLS:          none",
        "  FAILED:       the server rejected the login",
        "  what to do:   check username and password",
    ]
    assert list(check_connect.report(CLIENT, Findings(problem=ServerUnreachable("no", advice="")), NOW)) == [
        "isp: pop.example.net:995",
        "  FAILED:       no",
    ]


def test_small_numbers_are_told_as_people_do() -> None:
    tls = replace(TLS, subject="", issuer="", names=(), expires=datetime(2026, 11, 25, 11, 0, tzinfo=UTC))
    found = Findings(remote="x:1", tls=tls, mechanism="APOP", listing=listing(1), octets=1)
    rows = list(check_connect.report(CLIENT, found, NOW))
    assert "  certificate:  without a subject, issued by an unnamed issuer" in rows
    assert "  names:        none" in rows
    assert "  expires:      ! in 1 day, on 2026-11-25" in rows
    assert "  capabilities: unknown (no CAPA)" in rows
    assert "  maildrop:     1 message, 1 B" in rows
    assert "  maildrop:     empty" in list(check_connect.report(CLIENT, replace(found, listing=[]), NOW))


def test_a_pinned_certificate_with_its_fingerprint() -> None:
    tls = replace(TLS, fingerprint="ab" * 32, pinned=True, expires=datetime(2026, 11, 20, 11, 0, tzinfo=UTC))
    rows = list(check_connect.report(CLIENT, Findings(remote="x:1", tls=tls), NOW))
    assert "  certificate:  pop.example.net, issued by Some CA (pinned)" in rows
    assert "  EXPIRED:      3 days ago, on 2026-11-20" in rows
    assert f"  SHA-256:      {':'.join(['AB'] * 32)}" in rows


def test_the_servers_are_visited_and_the_worst_is_the_exit_code(tmp_path: Path) -> None:
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail())
    with running_server([box, ServedMaildrop("work", PASSWORD)], tls=server_context()) as server:
        more = f'<ssl tspath="{ca_path()}"/><maildir>m</maildir>'
        path = write_configuration(
            tmp_path / "c.xml",
            client("isp", server.tls_address, more=more),
            client("nowhere", "127.0.0.1:1"),
            client("work", server.address, user="work", password="wrong"),
        )
        done = run_program("check", path, "--connect")
        assert done.code == 77, done.err
        reports = dict(each.split(": ", 1) for each in re.split(r"\n(?! )", done.out.rstrip("\n")))
        assert {name: text.partition("\n")[0] for name, text in reports.items()} == {
            "isp": f"{server.tls_address} (127.0.0.1:{server.tls_port})",
            "nowhere": "127.0.0.1:1",
            "work": f"{server.address} (127.0.0.1:{server.port})",
        }
        isp, others = reports["isp"] + "\n", reports["nowhere"] + reports["work"]
        assert "  TLS:          TLSv1.3, " in isp
        assert "  names:        localhost, 127.0.0.1" in isp
        assert "  expires:      in " in isp
        assert "  login:        USERPASS as me\n" in isp
        assert "  capabilities: TOP, UIDL" in isp
        assert "  maildrop:     1 message, " in isp
        assert others.count("  FAILED: ") == others.count("  what to do: ") == 2
        assert PASSWORD not in done.out + done.err
        assert run_program("check", path, "--connect", "--client", "isp").code == 0
    # looked at only
    assert box.retrieved == []
    assert len(box.messages) == 1
    assert not (tmp_path / "var").exists()


def test_two_clients_of_one_maildrop_do_not_lock_each_other_out(tmp_path: Path) -> None:
    with running_server([ServedMaildrop("me", PASSWORD)], policy=ServerPolicy(capa=False)) as server:
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
    now = most = 0

    async def connector(server: Server, timeout: float) -> Stream:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await trio.lowlevel.checkpoint()
        now -= 1
        raise ServerUnreachable("not today")

    settings = settings_of(tmp_path, *(client(f"c{number}", f"h{number}.test") for number in range(20)))
    assert check_connect.check(settings, connector=connector) == 69
    assert most == probing.AT_ONCE
    assert sorted(reported(capsys)) == sorted(f"c{n}" for n in range(20))


def reported(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The clients that were reported, in the order of the reports."""
    lines = capsys.readouterr().out.splitlines()
    return [line.partition(":")[0] for line in lines if not line.startswith(" ")]


@trio_test
async def test_a_stalled_server_withholds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], autojump_clock: MockClock
) -> None:
    ended: list[float] = []

    async def connector(server: Server, timeout: float) -> Stream:
        ended.append(timeout)
        if server.host == "silent.test":
            return memory_connection()[0]
        await trio.sleep(7)
        assert capsys.readouterr().out == ""
        raise ServerUnreachable("not today")

    settings = settings_of(tmp_path, client("silent", "silent.test"), client("quick", "quick.test"))
    assert await check_connect.check_async(settings, connector) is ExitCode.UNAVAILABLE
    assert reported(capsys) == ["quick", "silent"]
    # no longer than somebody waits, whatever <timeout> says
    assert (settings.timeout, ended) == (240.0, [30.0, 30.0])
    assert trio.current_time() == pytest.approx(30.0)


@trio_test
async def test_a_tls_handshake_is_waited_for_no_longer(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def handshake(session: TlsSession) -> TlsDetails:
        await trio.sleep_forever()
        raise AssertionError

    async def connector(server: Server, timeout: float) -> Stream:
        return memory_connection(handshake=handshake)[0]

    settings = settings_of(tmp_path, client("isp", "pop.test", more="<ssl/><maildir>m</maildir>"))
    assert await check_connect.check_async(settings, connector) is ExitCode.PROTOCOL
    assert trio.current_time() == pytest.approx(30.0)


@trio_test
async def test_all_servers_share_one_tls_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policies: list[TlsPolicy] = []

    def context_for(policy: TlsPolicy) -> ssl.SSLContext:
        policies.append(policy)
        return original(policy)

    async def handshake(session: TlsSession) -> TlsDetails:
        raise TlsFailed("no handshake in memory")

    async def connector(server: Server, timeout: float) -> Stream:
        return memory_connection(handshake=handshake)[0]

    original = tls.context_for
    monkeypatch.setattr(tls, "context_for", context_for)
    more = "<ssl/><maildir>m</maildir>"
    settings = settings_of(tmp_path, *(client(f"c{number}", f"h{number}.test", more=more) for number in range(3)))
    assert await check_connect.check_async(settings, connector) is ExitCode.PROTOCOL
    assert len(policies) == 1


@trio_test
async def test_on_a_terminal_it_tells_whom_it_waits_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async def connector(server: Server, timeout: float) -> Stream:
        await trio.sleep(float(server.host.partition(".")[0].removeprefix("h")))
        raise ServerUnreachable("not today")

    settings = settings_of(tmp_path, *(client(f"c{wait}", f"h{wait}.test") for wait in (1, 17, 12)))
    await check_connect.check_async(settings, connector)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    await check_connect.check_async(settings, connector)
    assert capsys.readouterr().err.splitlines() == ["still waiting for: c17, c12", "still waiting for: c17"]


@pytest.mark.parametrize(("more", "advised"), [("", True), ('<ssl latent="Y"/>', True), ("<ssl/>", False)])
@pytest.mark.parametrize("closes", [True, False])
@trio_test
async def test_a_server_without_a_greeting_may_be_waiting_for_tls(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    autojump_clock: MockClock,
    closes: bool,
    more: str,
    advised: bool,
) -> None:
    async def handshake(session: TlsSession) -> TlsDetails:
        return TLS

    async def connector(server: Server, timeout: float) -> Stream:
        stream, end = memory_connection(handshake=handshake)
        if closes:
            await end.aclose()
        return stream

    settings = settings_of(tmp_path, client("isp", "127.0.0.1", more=f"{more}<maildir>m</maildir>"))
    assert await check_connect.check_async(settings, connector) is ExitCode.TEMPORARY
    advice = 'if this port speaks TLS from the first byte (as 995 does), use <ssl latent="N"/>'
    assert (f"  what to do:   {advice}\n" in capsys.readouterr().out) == advised


def test_ctrl_c_ends_it_in_a_word(tmp_path: Path) -> None:
    with running_server([ServedMaildrop("me", PASSWORD)], faults=Faults(stall={"STAT"})) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address))
        with started("check", path, "--connect") as program:
            server.wait_for_line(b"STAT")
            program.send(signal.SIGINT)
            program.wait_for("tui-popretr: interrupted")
            assert program.ended() == 130
            assert program.said == "tui-popretr: interrupted\n"


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
