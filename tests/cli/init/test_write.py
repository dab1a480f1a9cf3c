"""The text of a first configuration: what goes into it comes out of it again, and it reads well."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.config.helpers import load_text, settings_of
from tui_popretr.cli.init.console import plain
from tui_popretr.cli.init.explore import Approach, Security, Trust
from tui_popretr.cli.init.write import MailFolder, MailServer, Outline, absolute, configuration_text, short
from tui_popretr.config.model import AuthType, FromCommand, FromEnvironment, FromFile, SmtpDestination, TlsPolicy

TLS = Approach(995, Security.TLS)
OUTLINE = Outline(
    client_id="isp",
    recip="me",
    host="pop.example.test",
    approach=TLS,
    trust=Trust(),
    username="me@example.test",
    password=FromFile("/home/me/isp.password"),
    target=MailFolder("maildir", "/home/me/Maildir"),
    keep=True,
    frequency="5m",
)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")


def test_it_is_what_a_person_would_have_written() -> None:
    assert configuration_text(OUTLINE) == (Path(__file__).parent / "init.xml").read_text(encoding="utf-8")


def test_lines_are_no_longer_than_a_screen_is_wide() -> None:
    smtp = replace(OUTLINE, target=MailServer("mx", "a@b"), approach=Approach(110, Security.CLEAR), keep=False)
    for outline in (OUTLINE, smtp, replace(OUTLINE, password=FromCommand(("pass", "x")))):
        assert max(map(len, configuration_text(outline).splitlines())) <= 120


@pytest.mark.parametrize(
    ("approach", "address", "policy"),
    [
        (TLS, "pop.example.test", TlsPolicy()),
        (Approach(1995, Security.TLS), "pop.example.test:1995", TlsPolicy()),
        (Approach(110, Security.STLS), "pop.example.test", TlsPolicy(latent=True)),
        (Approach(995, Security.STLS), "pop.example.test:995", TlsPolicy(latent=True)),
        (Approach(110, Security.CLEAR), "pop.example.test", None),
    ],
)
def test_ways_to_a_server(tmp_path: Path, approach: Approach, address: str, policy: TlsPolicy | None) -> None:
    text = configuration_text(replace(OUTLINE, approach=approach))
    assert f'<server address="{address}">' in text
    (client,) = settings_of(load_text(tmp_path, text)).clients
    assert (client.server.port, client.server.tls) == (approach.port, policy)


def test_an_ipv6_address_has_brackets(tmp_path: Path) -> None:
    for port, written in ((995, "[2001:db8::1]"), (1995, "[2001:db8::1]:1995")):
        text = configuration_text(replace(OUTLINE, host="2001:db8::1", approach=Approach(port, Security.TLS)))
        assert f'address="{written}"' in text
        (client,) = settings_of(load_text(tmp_path, text)).clients
        assert (client.server.host, client.server.port) == ("2001:db8::1", port)


def test_login_methods_are_named_where_they_are_not_the_usual(tmp_path: Path) -> None:
    methods = (AuthType.SASL_CRAM_MD5, AuthType.APOP)
    text = configuration_text(replace(OUTLINE, approach=replace(TLS, auth_types=methods)))
    assert settings_of(load_text(tmp_path, text)).clients[0].server.auth_types == methods
    assert "authtypes" not in configuration_text(OUTLINE)


def test_a_mail_server(tmp_path: Path) -> None:
    text = configuration_text(replace(OUTLINE, recip="me@home.test", target=MailServer("mx.test:2525", "s@home.test")))
    destination = settings_of(load_text(tmp_path, text)).clients[0].destination
    assert isinstance(destination, SmtpDestination)
    assert (destination.host, destination.port, destination.sender) == ("mx.test", 2525, "s@home.test")
    assert destination.recipients == ("me@home.test",)


@pytest.mark.parametrize("security", [Security.TLS, Security.STLS])
def test_a_pinned_certificate(tmp_path: Path, security: Security) -> None:
    outline = replace(OUTLINE, approach=Approach(995, security), trust=Trust(fingerprint="5a" * 32))
    text = configuration_text(outline)
    assert "only this certificate is accepted" in text
    (client,) = settings_of(load_text(tmp_path, text)).clients
    assert client.server.tls == TlsPolicy(security is Security.STLS, fingerprints=("5a" * 32,))


def test_home_is_written_as_a_tilde() -> None:
    assert short("/home/me/x") == "~/x"
    assert short("/home/mean/x") == "/home/mean/x"
    assert absolute("~/x") == "/home/me/x"
    assert absolute("%DIRVAR%/x") == "%DIRVAR%/x"


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool)


@example(username="${HOME}", argument="${$} ${x:y}", name="A")
@example(username="<&>\"']]>", argument="<&>\"' --", name="A")
@example(username="-", argument="-", name="_")
@given(username=WORDS, argument=WORDS, name=st.from_regex("[A-Za-z_][A-Za-z0-9_]*", fullmatch=True))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_answer_is_read_as_it_was_given(tmp_path: Path, username: str, argument: str, name: str) -> None:
    """The one that is not is a lone dash, which means no value; init sees that it is read as something else."""
    for password in (FromCommand(("pass", argument)), FromEnvironment(name)):
        text = configuration_text(replace(OUTLINE, username=plain(username), password=password))
        loaded = load_text(tmp_path, text, environ={name: "x"})
        if re.search("[\ufffe\uffff]", username + argument):  # no XML can hold them
            assert loaded.settings is None
            continue
        if username == "-":
            assert loaded.settings is None
            continue
        (client,) = settings_of(loaded).clients
        assert (client.server.username, client.server.password) == (username, password)
