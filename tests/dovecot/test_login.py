"""Logging in to a real Dovecot: every mechanism over every kind of connection, and what must not be sent at all."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trustme
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12
from cryptography.x509 import load_pem_x509_certificates

from tests.program.relay import Relay
from tests.program.site import PASSWORD, Run, Site, client, without_received
from tests.support.dovecot import HOST, Dovecot
from tests.support.waiting import wait_for
from tui_popretr.config.account import Server
from tui_popretr.errors import ExitCode
from tui_popretr.facts import LoginSucceeded, SessionConnected, TlsDetails, TlsStarted
from tui_popretr.net import tls
from tui_popretr.net.connect import connect
from tui_popretr.net.stream import Stream
from tui_popretr.net.tls import context_for

PASSWORDS = (
    "USERPASS",
    "APOP",
    "SASL_PLAIN",
    "SASL_LOGIN",
    "SASL_CRAM_MD5",
    "SASL_SCRAM_SHA_1",
    "SASL_SCRAM_SHA_256",
)
TOKENS = ("SASL_XOAUTH2", "SASL_OAUTHBEARER")

MESSAGE = b"Message-ID: <1@login.test>\r\nFrom: a@login.test\r\n\r\ntext\r\n"


class Account:
    """An account with one message in it, and the clients that can be made for it."""

    def __init__(self, server: Dovecot, name: str) -> None:
        self.server = server
        self.name = name
        server.add_user(name, PASSWORD)
        server.fill(name, [MESSAGE])

    def client(self, mode: str = "plain", auth: str = "", **options: str | bool) -> str:
        """A client that connects in clear ("plain"), by STLS ("stls") or under implicit TLS ("tls")."""
        port = self.server.tls_port if mode == "tls" else self.server.port
        tls = options.pop("ssl", f'<ssl latent="{"NY"[mode == "stls"]}" tspath="{self.server.ca}"/>')
        wanted = {"ssl": "" if mode == "plain" else tls, "user": self.name, **options}
        return client("me", f"{self.server.host}:{port}", auth=auth, **wanted)  # type: ignore[arg-type]

    def assert_retrieved(self, site: Site, run: Run) -> None:
        assert run.results["me"].ok, run.results["me"]
        assert run.exit_code is ExitCode.OK
        assert [without_received(each) for each in site.mailbox("me")] == [MESSAGE.replace(b"\r\n", b"\n")]
        assert self.server.count(self.name) == 0

    def assert_left_alone(self, site: Site) -> None:
        assert site.mailbox("me") == []
        assert self.server.messages(self.name) == [MESSAGE]


@pytest.fixture
def account(dovecot: Dovecot, request: pytest.FixtureRequest) -> Account:
    return Account(dovecot, account_name(request))


def account_name(request: pytest.FixtureRequest) -> str:
    return "".join(each if each.isalnum() else "-" for each in request.node.name.lower())[:90].strip("-")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def run(site: Site, *clients: str) -> Run:
    site.configure(*clients)
    return site.run()


def tls_of(done: Run) -> TlsDetails | None:
    """The TLS of the only session, however it came about."""
    started = [fact.tls for fact in done.of(TlsStarted)]
    return started[0] if started else done.of(SessionConnected)[0].tls


# --- what works -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("initrsp", [False, True], ids=["two steps", "initrsp"])
@pytest.mark.parametrize("auth", PASSWORDS)
@pytest.mark.parametrize("mode", ["plain", "stls", "tls"])
def test_passwords(account: Account, site: Site, mode: str, auth: str, initrsp: bool) -> None:
    done = run(site, account.client(mode, auth, initrsp=initrsp, capa="NY"[initrsp]))
    account.assert_retrieved(site, done)
    assert [fact.mechanism for fact in done.of(LoginSucceeded)] == [auth]
    details = tls_of(done)
    assert (details is not None) == (mode != "plain")
    if details is not None:
        assert details.version == "TLSv1.3"
        assert HOST in details.names
    protocol = b"POP3" if mode == "plain" else b"POP3S"
    assert b") with %b\n" % protocol in site.mailbox("me")[0]
    assert ("-SSL/" in site.audit()[0]) == (mode != "plain")
    assert PASSWORD not in site.transcript()


def test_the_transcript_shows_each_step_and_no_secret(account: Account, site: Site) -> None:
    run(site, account.client("stls", "SASL_CRAM_MD5", capa="Y"))
    said = [line.split(" ", 2)[-1] for line in site.transcript().splitlines() if line.startswith("me-1")]
    commands = [line.removeprefix(">> ") for line in said if line.startswith(">> ")]
    assert commands[:5] == ["CAPA", "STLS", "CAPA", "AUTH CRAM-MD5", "****"]
    assert commands[-2:] == ["DELE 1", "QUIT"]
    assert said[-1] == "Event: Disconnect"
    assert f">> Connection from {HOST}:" in said[0]


@pytest.mark.parametrize("initrsp", [False, True], ids=["two steps", "initrsp"])
@pytest.mark.parametrize("mode", ["stls", "tls"])
@pytest.mark.parametrize("store", ["pem", "pkcs12"])
def test_external(
    dovecot: Dovecot,
    site: Site,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    mode: str,
    initrsp: bool,
    store: str,
) -> None:
    name = account_name(request)
    dovecot.fill(name, [MESSAGE])  # Dovecot asks for nothing but the certificate
    keys = dovecot.client_cert_for(name)
    password = ""
    if store == "pkcs12":
        keys, password = pkcs12_of(keys, tmp_path / "client.p12", "of the store"), "of the store"
    tls = (
        f'<ssl latent="{"NY"[mode == "stls"]}" tspath="{dovecot.ca}" kspath="{keys}" kspass="{password}" cert="entry"/>'
    )
    port = dovecot.tls_port if mode == "tls" else dovecot.port
    settings = client("me", f"{dovecot.host}:{port}", user="", auth="SASL_EXTERNAL", initrsp=initrsp, ssl=tls)
    done = run(site, settings)
    assert done.results["me"].ok, done.results["me"]
    assert [fact.mechanism for fact in done.of(LoginSucceeded)] == ["SASL_EXTERNAL"]
    assert [without_received(each) for each in site.mailbox("me")] == [MESSAGE.replace(b"\r\n", b"\n")]
    assert dovecot.count(name) == 0


@pytest.mark.parametrize("initrsp", [False, True], ids=["two steps", "initrsp"])
@pytest.mark.parametrize("auth", TOKENS)
@pytest.mark.parametrize("mode", ["plain", "stls", "tls"])
def test_access_tokens(account: Account, site: Site, mode: str, auth: str, initrsp: bool) -> None:
    token = account.server.token(account.name)
    assert len(token) > 189, "too long for the AUTH command, so that it goes in an answer of its own"
    done = run(site, account.client(mode, auth, initrsp=initrsp, password=token))
    account.assert_retrieved(site, done)
    assert [fact.mechanism for fact in done.of(LoginSucceeded)] == [auth]
    assert token not in site.transcript() + site.trace()


@pytest.mark.parametrize("auth", TOKENS)
def test_a_token_of_several_kilobytes(account: Account, site: Site, auth: str) -> None:
    token = account.server.token(account.name, scope="x" * 3000)
    assert len(token) > 4000
    account.assert_retrieved(site, run(site, account.client("tls", auth, password=token)))


@pytest.mark.parametrize("auth", TOKENS)
@pytest.mark.parametrize("wrong", ["expired", "forged", "of somebody else"])
def test_a_token_that_is_not_accepted(account: Account, site: Site, auth: str, wrong: str) -> None:
    server = account.server
    token = {
        "expired": server.token(account.name, exp=1_700_000_000),
        "forged": server.token(account.name)[:-3] + "AAA",
        "of somebody else": server.token(account.name + "-2"),
    }[wrong]
    done = run(site, account.client("tls", auth, password=token))
    result = done.results["me"]
    assert result.code is ExitCode.LOGIN
    if wrong == "of somebody else":  # Dovecot 2.4 gives no JSON then
        assert "the server does not accept the access token" in result.error
    else:
        assert "the server does not accept the access token (status " in result.error
    assert "token may have expired" in result.advice
    assert site.transcript().count(f">> AUTH {auth.removeprefix('SASL_')}") == 1
    assert token not in site.transcript() + site.trace() + result.error
    account.assert_left_alone(site)


def pkcs12_of(pem: Path, path: Path, password: str) -> Path:
    """Make a PKCS#12 store of a PEM file with key and certificates."""
    data = pem.read_bytes()
    certificate, *others = load_pem_x509_certificates(data)
    key = load_pem_private_key(data, None)
    encryption = BestAvailableEncryption(password.encode())
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"entry", key, certificate, others, encryption))  # type: ignore[arg-type]
    path.chmod(0o600)
    return path


def test_a_pkcs12_trust_store(account: Account, site: Site, tmp_path: Path) -> None:
    path = tmp_path / "trust.p12"
    (authority,) = load_pem_x509_certificates(account.server.ca.read_bytes())
    encryption = BestAvailableEncryption(b"of the store")
    path.write_bytes(pkcs12.serialize_key_and_certificates(None, None, None, [authority], encryption))
    done = run(site, account.client("tls", ssl=f'<ssl tspath="{path}" tspass="of the store"/>'))
    account.assert_retrieved(site, done)


@pytest.fixture(scope="module")
def plain_only(needs_dovecot: None) -> Iterator[Dovecot]:
    """No mechanism that keeps the password to itself."""
    with Dovecot(mechanisms="plain login") as server:
        yield server


@pytest.mark.parametrize("initrsp", [False, True], ids=["two steps", "initrsp"])
@pytest.mark.parametrize("mode", ["plain", "stls", "tls"])
def test_auto_takes_the_strongest(account: Account, site: Site, mode: str, initrsp: bool) -> None:
    done = run(site, account.client(mode, "AUTO", initrsp=initrsp))
    account.assert_retrieved(site, done)
    assert [fact.mechanism for fact in done.of(LoginSucceeded)] == ["SASL_SCRAM_SHA_256"]
    assert site.transcript().count(">> AUTH ") == 1


def test_auto_takes_what_there_is(
    cram_only: Dovecot, plain_only: Dovecot, site: Site, request: pytest.FixtureRequest
) -> None:
    for server, mode, mechanism in (
        (cram_only, "plain", "SASL_CRAM_MD5"),
        (plain_only, "tls", "SASL_PLAIN"),
    ):
        account = Account(server, account_name(request))
        done = run(site, account.client(mode, "AUTO"))
        assert done.results["me"].ok, done.results["me"]
        assert [fact.mechanism for fact in done.of(LoginSucceeded)] == [mechanism]


def test_auto_by_certificate(dovecot: Dovecot, site: Site, request: pytest.FixtureRequest) -> None:
    name = account_name(request)
    dovecot.fill(name, [MESSAGE])
    tls = f'<ssl tspath="{dovecot.ca}" kspath="{dovecot.client_cert_for(name)}"/>'
    done = run(site, client("me", f"{dovecot.host}:{dovecot.tls_port}", user="", auth="AUTO", ssl=tls))
    assert done.results["me"].ok, done.results["me"]
    assert [fact.mechanism for fact in done.of(LoginSucceeded)] == ["SASL_EXTERNAL"]
    assert dovecot.count(name) == 0


def test_auto_tries_a_wrong_password_once(account: Account, site: Site) -> None:
    done = run(site, account.client("tls", "AUTO", password="another"))
    result = done.results["me"]
    assert result.code is ExitCode.LOGIN
    assert "SASL_SCRAM_SHA_256: " in result.error
    assert "name another in authtypes (here: SASL_SCRAM_SHA_1, SASL_CRAM_MD5, APOP, SASL_PLAIN" in result.advice
    assert [
        line.split(">> ")[1] for line in site.transcript().splitlines() if ">> AUTH" in line or ">> APOP" in line
    ] == ["AUTH SCRAM-SHA-256"]
    account.assert_left_alone(site)


@pytest.mark.parametrize(
    ("order", "winner"),
    [
        ("APOP | USERPASS", "APOP"),
        ("USERPASS | APOP", "USERPASS"),
        ("SASL_CRAM_MD5 | SASL_PLAIN | USERPASS", "SASL_CRAM_MD5"),
    ],
)
def test_the_first_that_works_wins(account: Account, site: Site, order: str, winner: str) -> None:
    done = run(site, account.client("plain", order))
    account.assert_retrieved(site, done)
    assert [fact.mechanism for fact in done.of(LoginSucceeded)] == [winner]


# --- one mechanism after the other ----------------------------------------------------------------------------------


@pytest.mark.parametrize("initrsp", [False, True], ids=["two steps", "initrsp"])
def test_a_server_with_cram_md5_alone(
    cram_only: Dovecot, site: Site, request: pytest.FixtureRequest, initrsp: bool
) -> None:
    account = Account(cram_only, account_name(request))
    order = "APOP | SASL_PLAIN | USERPASS | SASL_CRAM_MD5"
    done = run(site, account.client("plain", order, initrsp=initrsp, capa="Y"))
    account.assert_retrieved(site, done)
    assert [fact.mechanism for fact in done.of(LoginSucceeded)] == ["SASL_CRAM_MD5"]


def test_no_mechanism_that_the_server_knows(cram_only: Dovecot, site: Site, request: pytest.FixtureRequest) -> None:
    account = Account(cram_only, account_name(request))
    done = run(site, account.client("plain", "SASL_PLAIN | APOP"))
    assert done.exit_code is ExitCode.LOGIN
    account.assert_left_alone(site)


def test_stls_where_the_server_has_none(cram_only: Dovecot, site: Site, request: pytest.FixtureRequest) -> None:
    account = Account(cram_only, account_name(request))
    done = run(site, account.client("stls", "SASL_CRAM_MD5"))
    assert done.exit_code is ExitCode.PROTOCOL
    assert "STLS" in done.results["me"].error
    account.assert_left_alone(site)


def test_every_mechanism_is_tried_once_and_told(account: Account, site: Site) -> None:
    order = "APOP | SASL_CRAM_MD5 | SASL_PLAIN | USERPASS"
    done = run(site, account.client("stls", order, password="another"))
    result = done.results["me"]
    assert result.code is ExitCode.LOGIN
    assert all(name in result.error for name in order.split(" | ")), result.error
    assert "password" in result.advice
    for command in (">> APOP", ">> AUTH CRAM-MD5", ">> AUTH PLAIN", ">> PASS"):
        assert site.transcript().count(command) == 1
    account.assert_left_alone(site)


def test_a_wrong_password_costs_the_other_client_nothing(account: Account, site: Site) -> None:
    address = f"{account.server.host}:{account.server.port}"
    account.server.add_user(f"{account.name}-2", PASSWORD)
    account.server.fill(f"{account.name}-2", [MESSAGE])
    wrong = client("wrong", address, user=f"{account.name}-2", password="not " + PASSWORD)
    done = run(site, wrong, account.client())
    assert done.results["wrong"].code is ExitCode.LOGIN
    assert done.results["me"].ok
    assert done.exit_code == 77
    assert len(site.mailbox("me")) == 1
    assert site.mailbox("wrong") == []
    assert account.server.count(f"{account.name}-2") == 1
    assert PASSWORD not in site.transcript() + site.trace() + done.results["wrong"].error


def test_a_wrong_password_ends_a_process_with_77(account: Account, site: Site) -> None:
    site.configure(account.client(password="not " + PASSWORD))
    assert site.once().code == 77, site.said
    assert PASSWORD not in site.said
    account.assert_left_alone(site)


# --- no credentials where they may not go ---------------------------------------------------------------------------


@pytest.mark.parametrize("auth", [*PASSWORDS, "AUTO"])
def test_a_server_that_requires_tls(
    tls_required: Dovecot, site: Site, request: pytest.FixtureRequest, auth: str
) -> None:
    account = Account(tls_required, account_name(request))
    done = run(site, account.client("plain", auth, initrsp=True))
    assert done.exit_code is ExitCode.LOGIN, done.results["me"]
    assert "allows no login without TLS" in done.results["me"].error
    assert '<ssl latent="Y"/>' in done.results["me"].advice
    account.assert_left_alone(site)
    account.assert_retrieved(site, run(site, account.client("stls", auth, initrsp=True)))


class Logins:
    """What Dovecot's log says of connections from now on."""

    def __init__(self, server: Dovecot) -> None:
        self._server = server
        self._before = len(server.log_text())

    def assert_no_attempt(self) -> None:
        """Wait for the connection's end in the log; nobody may have tried to log in on it."""
        wait_for(lambda: "pop3-login: " in self._said(), "the end of a connection in Dovecot's log")
        lines = [line for line in self._said().splitlines() if "pop3-login: " in line]
        # What is in brackets depends on the version, and on how far the connection came.
        assert all("user=<>" in line and "method=" not in line for line in lines), lines

    def _said(self) -> str:
        return self._server.log_text()[self._before :]


async def connect_to_loopback(server: Server, timeout: float) -> Stream:
    """Whatever the name, it has the address of the tests' Dovecot."""
    return await connect(HOST, server.port, timeout=timeout)


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """An authority that signed nothing of Dovecot's."""
    path = tmp_path / "stranger.pem"
    trustme.CA(organization_name="stranger").cert_pem.write_to_path(path)
    return path


@pytest.mark.parametrize("mode", ["stls", "tls"])
@pytest.mark.parametrize("case", ["system trust", "other authority", "wrong name", "wrong peercert"])
def test_a_certificate_that_is_not_right(account: Account, site: Site, stranger: Path, mode: str, case: str) -> None:
    ca = account.server.ca
    trust = {"other authority": f' tspath="{stranger}"', "system trust": ""}.get(case, f' tspath="{ca}"')
    name = ' peercert="pop.example.net"' if case == "wrong peercert" else ""
    settings = account.client(mode, ssl=f'<ssl latent="{"NY"[mode == "stls"]}"{trust}{name}/>')
    if case == "wrong name":
        settings = settings.replace(f'address="{HOST}:', 'address="pop.example.net:')
    logins = Logins(account.server)
    site.configure(settings)
    done = site.run(connect_to_loopback)
    assert done.results["me"].code is ExitCode.PROTOCOL, done.results["me"]
    assert "certificate" in done.results["me"].error
    assert done.of(LoginSucceeded) == []
    logins.assert_no_attempt()
    account.assert_left_alone(site)


@pytest.mark.parametrize("peercert", ["localhost", "-"])
def test_another_name_that_was_agreed_upon(account: Account, site: Site, peercert: str) -> None:
    settings = account.client("tls", ssl=f'<ssl tspath="{account.server.ca}" peercert="{peercert}"/>')
    account.assert_retrieved(site, run(site, settings))


def test_no_tls_where_tls_is_expected(account: Account, site: Site) -> None:
    logins = Logins(account.server)
    settings = account.client("tls").replace(f":{account.server.tls_port}", f":{account.server.port}")
    done = run(site, settings)
    assert done.results["me"].code is ExitCode.PROTOCOL
    assert "latent" in done.results["me"].advice
    logins.assert_no_attempt()
    account.assert_left_alone(site)


# --- versions of TLS --------------------------------------------------------------------------------------------------


def test_tls_1_3_can_be_demanded(account: Account, site: Site) -> None:
    done = run(site, account.client("stls", ssl=f'<ssl latent="Y" proto="TLSv1.3" tspath="{account.server.ca}"/>'))
    account.assert_retrieved(site, done)
    details = tls_of(done)
    assert details is not None
    assert details.version == "TLSv1.3"


@pytest.mark.parametrize("minimum", ["TLSv1.2", "TLSv1.3"])
def test_a_server_with_tls_1_2_alone(account: Account, site: Site, tmp_path: Path, minimum: str) -> None:
    """Dovecot cannot be told a highest version, so something in front of it does the TLS."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    logins = Logins(account.server)

    async def retrieve() -> Run:
        async with trio.open_nursery() as nursery:
            relay = Relay(account.server.host, account.server.port, tls=context)
            port = await nursery.start(relay.serve)
            tls = f'<ssl proto="{minimum}" tspath="{tmp_path / "ca.pem"}"/>'
            site.configure(client("me", f"{HOST}:{port}", user=account.name, ssl=tls))
            done = await site.arun()
            nursery.cancel_scope.cancel()
        return done

    done = trio.run(retrieve)
    if minimum == "TLSv1.2":
        account.assert_retrieved(site, done)
        details = tls_of(done)
        assert details is not None
        assert details.version == "TLSv1.2"
    else:
        assert done.results["me"].code is ExitCode.PROTOCOL
        logins.assert_no_attempt()
        account.assert_left_alone(site)


@pytest.mark.parametrize("auth", ["SASL_SCRAM_SHA_1", "SASL_SCRAM_SHA_256", "AUTO"])
def test_scram_where_there_is_a_channel_binding(
    account: Account, site: Site, auth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS 1.2 has one, and this Dovecot no -PLUS: that it could have been used is said, and is no hindrance."""
    site.configure(account.client("stls", auth))
    policy = site.settings().clients[0].server.tls
    assert policy is not None
    context = context_for(policy)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    monkeypatch.setattr(tls, "context_for", lambda _: context)
    done = site.run()
    account.assert_retrieved(site, done)
    details = tls_of(done)
    assert details is not None
    assert details.version == "TLSv1.2"
    assert site.transcript().partition(">> AUTH")[0].count(">> CAPA") == 1
