"""TLS with a real Dovecot: which certificates are accepted, and the errors for the others."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificates

from tests.dovecot.test_login import Account, Logins, account_name, run, tls_of
from tests.program.site import Run, Site
from tests.support.dovecot import HOST, Dovecot
from tui_popretr import wording
from tui_popretr.errors import ExitCode
from tui_popretr.facts import LoginSucceeded

MODES = pytest.mark.parametrize("mode", ["stls", "tls"])


@pytest.fixture
def account(dovecot: Dovecot, request: pytest.FixtureRequest) -> Account:
    return Account(dovecot, account_name(request))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def fingerprint(pem: bytes) -> str:
    return load_pem_x509_certificates(pem)[0].fingerprint(SHA256()).hex()


def of_server(server: Dovecot) -> str:
    """The fingerprint of the certificate that Dovecot shows, asked for as a user would."""
    return fingerprint(ssl.get_server_certificate((server.host, server.tls_port)).encode())


def refused(account: Account, site: Site, mode: str, ssl: str) -> Run:
    """Retrieve with these attributes of <ssl>; nothing may be retrieved, and nobody may have tried to log in."""
    logins = Logins(account.server)
    done = run(site, account.client(mode, ssl=f'<ssl latent="{"NY"[mode == "stls"]}" {ssl}/>'))
    assert done.results["me"].code is ExitCode.PROTOCOL, done.results["me"]
    assert done.of(LoginSucceeded) == []
    logins.assert_no_attempt()
    account.assert_left_alone(site)
    return done


def accepted(account: Account, site: Site, mode: str, ssl: str) -> Run:
    done = run(site, account.client(mode, ssl=f'<ssl latent="{"NY"[mode == "stls"]}" {ssl}/>'))
    account.assert_retrieved(site, done)
    return done


# --- pins -------------------------------------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize("form", ["{0}", "{colons}", "{zeros} | {0}"])
def test_a_pin(account: Account, site: Site, mode: str, form: str) -> None:
    pin = of_server(account.server)
    colons = ":".join(pin[i : i + 2] for i in range(0, 64, 2)).upper()
    done = accepted(account, site, mode, f'fingerprint="{form.format(pin, colons=colons, zeros="00" * 32)}"')
    details = tls_of(done)
    assert details is not None
    assert (details.fingerprint, details.pinned, details.subject) == (pin, True, "localhost")
    assert details.expires is not None


@MODES
def test_another_certificate_than_the_pinned_one(account: Account, site: Site, mode: str) -> None:
    done = refused(account, site, mode, f'fingerprint="{"ab" * 32}" tspath="{account.server.ca}"')
    pin = of_server(account.server)
    result = done.results["me"]
    assert (
        result.error
        == f"the certificate of {HOST} is not the pinned one: its SHA-256 fingerprint is {wording.fingerprint(pin)}"
    )
    assert f'set fingerprint="{wording.fingerprint(pin)}"' in result.advice
    accepted(account, site, mode, f'fingerprint="{pin}"')


# --- certificates of all kinds ----------------------------------------------------------------------------------------

NOW = datetime.now(UTC)
Making = Callable[[trustme.CA], bytes]


def issued(*names: str, begins: datetime = NOW - timedelta(days=30), ends: datetime | None = None) -> Making:
    def make(authority: trustme.CA) -> bytes:
        made = authority.issue_cert(*names, common_name="pop.test", not_before=begins, not_after=ends)
        return made.private_key_and_cert_chain_pem.bytes()

    return make


def self_signed(authority: trustme.CA) -> bytes:
    own = trustme.CA(organization_name="itself")
    return own.cert_pem.bytes() + own.private_key_pem.bytes()


@contextmanager
def dovecot_with(make: Making, folder: Path, more: str = "") -> Iterator[tuple[Dovecot, str]]:
    """A Dovecot that shows another certificate; its `ca` is that of the authority that signed it."""
    server = Dovecot(more=more)
    authority = trustme.CA(organization_name="authority")
    authority.cert_pem.write_to_path(server.ca)
    pem = make(authority)
    (server.ca.parent / "server.pem").write_bytes(pem)
    with server:
        yield server, fingerprint(pem)


@MODES
@pytest.mark.parametrize(
    ("make", "words", "advice"),
    [
        (
            issued(HOST, ends=NOW - timedelta(days=3, hours=1)),
            f"the certificate of {HOST} is rejected: it expired 3 days ago, on ",
            "the server's operator has to renew it",
        ),
        (
            issued(HOST, begins=NOW + timedelta(days=5, hours=1), ends=NOW + timedelta(days=30)),
            f"the certificate of {HOST} is rejected: it is not valid yet: it begins in 5 days, on ",
            "check this machine's clock",
        ),
        (
            self_signed,
            f"the certificate of {HOST} is rejected: it is self-signed",
            'pin it with fingerprint="{0}"',
        ),
        (
            issued("pop.example.net", "*.example.org"),
            f"the certificate is for pop.example.net, *.example.org, not for {HOST}",
            'check the host name in address, or set peercert="pop.example.net"',
        ),
    ],
    ids=["expired", "not yet valid", "self-signed", "wrong name"],
)
def test_a_certificate_that_is_refused_until_it_is_pinned(
    needs_dovecot: None,
    site: Site,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    mode: str,
    make: Making,
    words: str,
    advice: str,
) -> None:
    with dovecot_with(make, tmp_path) as (server, pin):
        account = Account(server, account_name(request))
        result = refused(account, site, mode, f'tspath="{server.ca}"').results["me"]
        assert result.error.startswith(words)
        assert result.advice.startswith(advice.format(wording.fingerprint(pin)))
        accepted(account, site, mode, f'fingerprint="{pin}"')


@MODES
def test_an_authority_that_is_not_trusted(account: Account, site: Site, mode: str) -> None:
    result = refused(account, site, mode, "").results["me"]
    assert "it is signed by an authority that is not trusted here (Testing CA #" in result.error
    assert result.advice.startswith("set tspath to a file with the authority's certificate")
    accepted(account, site, mode, f'tspath="{account.server.ca}"')


def test_a_certificate_that_ends_soon_is_warned_of_once(
    needs_dovecot: None, site: Site, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    make = issued(HOST, ends=NOW + timedelta(days=9, hours=1))
    with dovecot_with(make, tmp_path) as (server, _):
        account = Account(server, account_name(request))
        done = run(site, account.client("tls", ssl=f'<ssl tspath="{server.ca}"/>', runs="3"))
        assert done.exit_code is ExitCode.OK
    assert len(re.findall("the certificate of pop.test expires in 9 days, on ", site.trace())) == 1


# --- versions and ports -----------------------------------------------------------------------------------------------


@MODES
def test_a_server_with_tls_1_3_alone(
    needs_dovecot: None, site: Site, request: pytest.FixtureRequest, tmp_path: Path, mode: str
) -> None:
    with dovecot_with(issued(HOST), tmp_path, "\nssl_min_protocol = TLSv1.3\n") as (server, _):
        account = Account(server, account_name(request))
        details = tls_of(accepted(account, site, mode, f'tspath="{server.ca}"'))
        assert details is not None
        assert details.version == "TLSv1.3"


def test_tls_from_the_first_byte_where_it_begins_in_clear(account: Account, site: Site) -> None:
    port = account.server.port
    text = account.client("tls").replace(f":{account.server.tls_port}", f":{port}")
    result = run(site, text).results["me"]
    assert result.error == f"the server speaks plain text at port {port} and not TLS"
    assert 'set latent="Y" (STLS)' in result.advice
    account.assert_left_alone(site)


@pytest.mark.parametrize("mode", ["plain", "stls"])
def test_in_clear_where_tls_begins_with_the_first_byte(account: Account, site: Site, mode: str) -> None:
    text = account.client(mode).replace(f":{account.server.port}", f":{account.server.tls_port}")
    site.configure(text, timeout="500ms")
    result = site.run().results["me"]
    assert result.code is ExitCode.TEMPORARY
    assert result.advice == 'if this port speaks TLS from the first byte (as 995 does), use <ssl latent="N"/>'
    account.assert_left_alone(site)
