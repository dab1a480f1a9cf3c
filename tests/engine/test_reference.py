"""The nineteen cases of the reference implementation's own test: whole engines, real configurations, real sockets."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
import trustme
from trio.testing import trio_test

from tests.support.popserver import CRAM, SSLONLY, STD, PopServer, ServedMaildrop, ServerPolicy
from tests.support.worlds import load_text, settings_of
from tui_popretr.bus import Bus
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Fact, LoginSucceeded, SessionClosed, TlsStarted

USER, PASSWORD = "user1", "a good one"
OK = ExitCode.OK
RECEIVED = re.compile(rb"\AReceived: from [^\n]*\n\tby [^\n]*\n\tfor <user1>; [^\n]*\n")

ONE = (b"Subject: one\r\n\r\none\r\n",)
THREE = (
    b"Message-ID: msgid1\r\nFrom: from1\r\nSender: sender1\r\nMessage 1\r\n",
    b"Message 2\r\nLine 2\r\n..Line 3\r\n...Line 4\r\n",
    b"A" * (10 * 1024 * 1024),
)
BARE_LF = (b"Subject: one\n\nbare\nline feeds\n", b"Subject: two\n\nmore of\nthem\n")


@dataclass(frozen=True)
class Case:
    """One client against one server; None: no server listens.

    `runs` are the messages that each run brings, () where the client fails with `code`. `said` is what the client says
    before STAT, as patterns of whole lines; None where that is of no interest.
    """

    name: str
    server: ServerPolicy | None
    auth: str
    runs: tuple[int, ...] = ()
    code: ExitCode = OK
    initrsp: bool = False
    capa: bool = False
    stls: bool = False
    certificate: bool = False
    password: str = PASSWORD
    messages: tuple[bytes, ...] = ONE
    said: tuple[str, ...] | None = None


B64 = "[A-Za-z0-9+/]+=*"
LOGIN = ExitCode.LOGIN
USERPASS = ("CAPA", "USER user1", "PASS a good one")
CASES = [
    Case("userpass", STD, "USERPASS", (1, 0, 0), said=USERPASS),
    Case("userpass, SSLONLY", SSLONLY, "USERPASS", code=LOGIN, said=USERPASS),
    Case("userpass, CRAM", CRAM, "USERPASS", code=LOGIN, said=USERPASS),
    Case("userpass, wrong password", STD, "USERPASS", code=LOGIN, password="another"),
    Case("apop", STD, "APOP", (1,), said=("CAPA", "APOP user1 [0-9a-f]{32}")),
    Case("apop, capa", STD, "APOP", (1,), capa=True, said=("CAPA", "APOP user1 [0-9a-f]{32}")),
    Case("plain", STD, "SASL_PLAIN", (1,), stls=True, said=("STLS", "CAPA", "AUTH PLAIN", B64)),
    Case(
        "plain, initrsp and capa",
        STD,
        "SASL_PLAIN",
        (1,),
        initrsp=True,
        capa=True,
        stls=True,
        said=("CAPA", "STLS", "CAPA", f"AUTH PLAIN {B64}"),
    ),
    Case("plain, SSLONLY", SSLONLY, "SASL_PLAIN", (1,), stls=True),
    Case("plain without TLS", STD, "SASL_PLAIN", code=LOGIN, said=("CAPA", "AUTH PLAIN")),
    Case("cram", STD, "SASL_CRAM_MD5", (1,), said=("CAPA", "AUTH CRAM-MD5", B64)),
    Case("cram, initrsp", STD, "SASL_CRAM_MD5", (1,), initrsp=True, said=("CAPA", "AUTH CRAM-MD5", B64)),
    Case("cram, initrsp, CRAM", CRAM, "SASL_CRAM_MD5", (1,), initrsp=True, said=("CAPA", "AUTH CRAM-MD5", B64)),
    Case(
        "external", STD, "SASL_EXTERNAL", (1,), stls=True, certificate=True, said=("STLS", "CAPA", "AUTH EXTERNAL", "")
    ),
    Case(
        "external, initrsp",
        STD,
        "SASL_EXTERNAL",
        (1,),
        initrsp=True,
        stls=True,
        certificate=True,
        said=("STLS", "CAPA", "AUTH EXTERNAL ="),
    ),
    Case("external without TLS", STD, "SASL_EXTERNAL", code=ExitCode.CONFIGURATION),
    Case("three messages", STD, "USERPASS", (3, 0, 0), messages=THREE),
    Case(
        "fallback from plain to cram",
        STD,
        "SASL_PLAIN | SASL_CRAM_MD5",
        (2,),
        messages=BARE_LF,
        said=("CAPA", "AUTH PLAIN", "AUTH CRAM-MD5", B64),
    ),
    Case("no listener", None, "USERPASS", code=ExitCode.UNAVAILABLE),
]


def configuration(case: Case, port: int, folder: Path) -> str:
    """The configuration of the case, in the form of the reference."""
    keys = f' kspath="{folder}/client.pem"' if case.certificate else ""
    tls = f'<ssl latent="Y" tspath="{folder}/ca.pem"{keys}/>' if case.stls else ""
    return f"""<mailserver>
      <dirpaths> <root>{folder}</root> </dirpaths>
      <pop3download>
        <audit>%DIRLOG%/audit.log</audit>
        <transcript>%DIRLOG%/transcript.log</transcript>
        <timeout>20s</timeout> <delay_start>0</delay_start>
        <clients>
          <client id="id1" recip="user1" freq="0" runs="{len(case.runs) or 1}" capa="{"NY"[case.capa]}">
            <server address="127.0.0.1:{port}">
              <username>{"-" if case.certificate else USER}</username> <password>{case.password}</password>
              <authtypes initrsp="{"NY"[case.initrsp]}">{case.auth}</authtypes>
            </server>
            {tls}
          </client>
        </clients>
      </pop3download>
    </mailserver>"""


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA, tmp_path: Path) -> ssl.SSLContext:
    """The server's TLS, with the client's certificate and trust anchors."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client = authority.issue_cert(f"{USER}@example.test", common_name=USER)
    client.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@asynccontextmanager
async def listening(server: PopServer | None) -> AsyncIterator[int]:
    """A port of 127.0.0.1, with the server or without a listener."""
    if server is None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            yield taken.getsockname()[1]
        return
    async with trio.open_nursery() as nursery:
        yield await nursery.start(server.serve)
        nursery.cancel_scope.cancel()
    assert server.failures == []


def expected(message: bytes) -> bytes:
    """The message as it lies in the Maildir: a last line without line end gets one, and CRLF becomes LF."""
    return (message if message.endswith(b"\r\n") else message + b"\r\n").replace(b"\r\n", b"\n")


def stored(folder: Path) -> list[bytes]:
    """What lies in the mailbox, without our Received header, which must be there where the message has a header."""
    files = [path.read_bytes() for path in (folder / "var/ms/user1/Maildir/new").glob("*")]
    messages = [RECEIVED.sub(b"", each) for each in files]
    for file, message in zip(files, messages, strict=True):
        assert (file != message) is message.startswith((b"Subject:", b"Message-ID:"))
    return messages


def before_stat(server: PopServer) -> list[str]:
    """What the client said over its first connection to log in."""
    lines = [line.text.decode() for line in server.dialogue if line.sender == "C" and line.connection == 1]
    return lines[: lines.index("STAT")] if "STAT" in lines else lines


def test_there_are_nineteen() -> None:
    assert len({case.name for case in CASES}) == 19


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
@trio_test
async def test_case(case: Case, tmp_path: Path, server_tls: ssl.SSLContext) -> None:
    drop = ServedMaildrop(USER, PASSWORD)
    for message in case.messages:
        drop.add(message)
    server = PopServer([drop], policy=case.server, tls=server_tls, keep_dialogue=True) if case.server else None
    facts: list[Fact] = []
    async with listening(server) as port:
        loaded = load_text(tmp_path, configuration(case, port, tmp_path))
        if case.code is ExitCode.CONFIGURATION:
            assert loaded.settings is None
            assert any("SASL_EXTERNAL needs TLS" in problem.message for problem in loaded.problems)
            return
        bus = Bus()
        bus.subscribe(facts.append)
        engine = Engine(settings_of(loaded), bus)
        await engine.run()

    assert engine.exit_code is case.code
    results = [fact.result for fact in facts if isinstance(fact, SessionClosed)]
    if server is not None and case.said is not None:
        said = before_stat(server)
        assert len(said) == len(case.said), said
        assert all(map(re.fullmatch, case.said, said)), said
    if case.code is not OK:
        assert [(result.code, result.messages) for result in results] == [(case.code, 0)]
        assert len(drop.messages) == len(case.messages)
        assert drop.logins == 0
        return
    assert [result.code for result in results] == [OK] * len(case.runs)
    assert [result.messages for result in results] == list(case.runs)
    assert [result.deleted for result in results] == list(case.runs)
    assert drop.logins == len(case.runs)
    assert drop.messages == []
    assert sorted(stored(tmp_path)) == sorted(map(expected, case.messages))
    assert sum(isinstance(fact, TlsStarted) for fact in facts) == (len(case.runs) if case.stls else 0)
    mechanisms = {fact.mechanism for fact in facts if isinstance(fact, LoginSucceeded)}
    assert mechanisms == {case.auth.split(" | ")[-1]}
    logs = tmp_path / "var/logs"
    assert (logs / "audit.log").read_text().count("Downloaded") == len(case.messages)
    assert PASSWORD not in (logs / "transcript.log").read_text()


@trio_test
async def test_what_is_audited_of_the_three_messages(tmp_path: Path, server_tls: ssl.SSLContext) -> None:
    (case,) = (each for each in CASES if each.messages is THREE)
    drop = ServedMaildrop(USER, PASSWORD)
    for message in case.messages:
        drop.add(message)
    async with listening(PopServer([drop], tls=server_tls)) as port:
        await Engine(settings_of(load_text(tmp_path, configuration(case, port, tmp_path))), Bus()).run()
    lines = (tmp_path / "var/logs/audit.log").read_text().splitlines()
    audited = sorted(line.split(" ", 2)[2] for line in lines if "Downloaded" in line)
    account = f"Downloaded 127.0.0.1:{port}/user1 => Mailbox=user1;"
    assert audited == sorted(
        [
            f"{account} MsgID=msgid1; Size={len(THREE[0])}; Sender=from1",
            f"{account} MsgID=null; Size={len(THREE[1])}; Sender=null",
            f"{account} MsgID=null; Size={len(THREE[2]) + 2}; Sender=null",
        ]
    )
