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
from tui_popretr.cli.init.text import NewClient, absolute, configuration_text, short
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import DEFAULT_AUTH_TYPES, AuthType
from tui_popretr.config.model import MaildirDestination, SmtpDestination
from tui_popretr.config.sources import FromCommand, FromEnvironment, FromFile, Literal, PasswordSource
from tui_popretr.secret import Secret

TLS, STLS = TlsPolicy(), TlsPolicy(latent=True)
FILE = FromFile("/home/me/isp.password")


def server(
    port: int = 995,
    tls: TlsPolicy | None = TLS,
    *,
    host: str = "pop.example.test",
    username: str = "me@example.test",
    password: PasswordSource = FILE,
    auth_types: tuple[AuthType, ...] = DEFAULT_AUTH_TYPES,
) -> Server:
    return Server(host, port, username, password, auth_types, initial_response=False, tls=tls)


CLIENT = NewClient("isp", "me", server(), MaildirDestination("/home/me/Maildir"), keep=True, frequency="5m")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")


def test_it_is_what_a_person_would_have_written() -> None:
    assert configuration_text(CLIENT) == (Path(__file__).parent / "init.xml").read_text(encoding="utf-8")


def test_lines_are_no_longer_than_a_screen_is_wide() -> None:
    smtp = replace(CLIENT, destination=SmtpDestination("a@b", ("c@d",), "mx"), server=server(110, None), keep=False)
    for client in (CLIENT, smtp, replace(CLIENT, server=server(password=FromCommand(("pass", "x"))))):
        assert max(map(len, configuration_text(client).splitlines())) <= 120


@pytest.mark.parametrize(
    ("port", "tls", "address"),
    [
        (995, TLS, "pop.example.test"),
        (1995, TLS, "pop.example.test:1995"),
        (110, STLS, "pop.example.test"),
        (995, STLS, "pop.example.test:995"),
        (110, None, "pop.example.test"),
    ],
)
def test_port_and_tls_are_read_as_they_were_meant(
    tmp_path: Path, port: int, tls: TlsPolicy | None, address: str
) -> None:
    text = configuration_text(replace(CLIENT, server=server(port, tls)))
    assert f'<server address="{address}">' in text
    (client,) = settings_of(load_text(tmp_path, text)).clients
    assert (client.server.port, client.server.tls) == (port, tls)


def test_an_ipv6_address_has_brackets(tmp_path: Path) -> None:
    for port, written in ((995, "[2001:db8::1]"), (1995, "[2001:db8::1]:1995")):
        text = configuration_text(replace(CLIENT, server=server(port, host="2001:db8::1")))
        assert f'address="{written}"' in text
        (client,) = settings_of(load_text(tmp_path, text)).clients
        assert (client.server.host, client.server.port) == ("2001:db8::1", port)


def test_login_methods_are_named_where_they_are_not_the_usual(tmp_path: Path) -> None:
    methods = (AuthType.SASL_CRAM_MD5, AuthType.APOP)
    text = configuration_text(replace(CLIENT, server=server(auth_types=methods)))
    assert settings_of(load_text(tmp_path, text)).clients[0].server.auth_types == methods
    assert "authtypes" not in configuration_text(CLIENT)


def test_a_mail_server(tmp_path: Path) -> None:
    smtp = SmtpDestination("s@home.test", ("me@home.test",), "mx.test", 2525)
    text = configuration_text(replace(CLIENT, recip="me@home.test", destination=smtp))
    destination = settings_of(load_text(tmp_path, text)).clients[0].destination
    assert isinstance(destination, SmtpDestination)
    assert (destination.host, destination.port, destination.sender) == ("mx.test", 2525, "s@home.test")
    assert destination.recipients == ("me@home.test",)


@pytest.mark.parametrize("latent", [False, True])
def test_a_pinned_certificate(tmp_path: Path, latent: bool) -> None:
    tls = TlsPolicy(latent, fingerprints=("5a" * 32,))
    text = configuration_text(replace(CLIENT, server=server(tls=tls)))
    assert "only this certificate is accepted" in text
    (client,) = settings_of(load_text(tmp_path, text)).clients
    assert client.server.tls == tls


def test_a_password_itself_is_never_written() -> None:
    with pytest.raises(AssertionError, match="never written"):
        configuration_text(replace(CLIENT, server=server(password=Literal(Secret("x")))))


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
    """Except a lone dash, which means no value; init notices that it is read as something else."""
    for password in (FromCommand(("pass", argument)), FromEnvironment(name)):
        text = configuration_text(replace(CLIENT, server=server(username=plain(username), password=password)))
        loaded = load_text(tmp_path, text, environ={name: "x"})
        if re.search("[\ufffe\uffff]", username + argument):  # no XML can hold them
            assert loaded.settings is None
            continue
        if username == "-":
            assert loaded.settings is None
            continue
        (client,) = settings_of(loaded).clients
        assert (client.server.username, client.server.password) == (username, password)
