"""<imap>: a folder of an IMAP server as destination."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.helpers import client, error_of, load_text, only_client, task, warnings
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.config.describe import client_info, describe
from tui_popretr.config.model import ImapDestination, oauth_of, rejected_folder
from tui_popretr.config.oauth import Use
from tui_popretr.config.sources import FromFile, Literal
from tui_popretr.secret import Secret

LOGIN = "<username>me</username><password>hush</password>"
BASIC = f"<address>imap.example.net</address>{LOGIN}"
OAUTH = '<oauth provider="google" clientid="id"/>'


def imap(folder: Path, inside: str) -> ImapDestination:
    found = only_client(folder, client(more=f"<imap>{inside}</imap>")).destination
    assert isinstance(found, ImapDestination)
    return found


def test_the_defaults(tmp_path: Path) -> None:
    found = imap(tmp_path, BASIC)
    assert found == ImapDestination("imap.example.net", username="me", password=Literal(Secret("hush")))
    assert (found.port, found.tls, found.auth_types) == (993, TlsPolicy(), (AuthType.AUTO,))
    assert (found.folder, found.create, found.flags, found.labels) == ("INBOX", True, (), ())
    assert found.timeout == 240.0


def test_all_settings(tmp_path: Path) -> None:
    inside = r"""<address>[::1]:1143</address><starttls>Y</starttls><username>me</username><password file="p"/>
      <authtypes>SASL_SCRAM_SHA_256 | USERPASS</authtypes><ssl peercert="imap.example.net" proto="TLSv1.3"/>
      <folder> Ταξίδι &amp; Co/2026 </folder><create>N</create><flags>\seen | $Forwarded | \Seen</flags>
      <labels>A | B</labels><timeout>30s</timeout><rejected>%DIRVAR%/no/%U%</rejected>"""
    assert imap(tmp_path, inside) == ImapDestination(
        "::1",
        1143,
        starttls=True,
        username="me",
        password=FromFile(str(tmp_path / "p")),
        auth_types=(AuthType.SASL_SCRAM_SHA_256, AuthType.USERPASS),
        tls=TlsPolicy(latent=True, peer_name="imap.example.net", minimum_version="TLSv1.3"),
        folder="Ταξίδι & Co/2026",
        create=False,
        flags=("\\Seen", "$Forwarded"),
        labels=("A", "B"),
        timeout=30.0,
        rejected=str(tmp_path / "var/no/user1"),
    )


@pytest.mark.parametrize(
    ("inside", "port", "tls"),
    [
        ("", 993, TlsPolicy()),
        ("<ssl/>", 993, TlsPolicy()),
        ("<starttls>Y</starttls>", 143, TlsPolicy(latent=True)),
        ('<ssl latent="Y"/>', 143, TlsPolicy(latent=True)),
    ],
)
def test_tls_and_the_port(tmp_path: Path, inside: str, port: int, tls: TlsPolicy) -> None:
    found = imap(tmp_path, BASIC + inside)
    assert (found.port, found.tls, found.starttls) == (port, tls, tls.latent)


def test_without_tls_on_this_machine(tmp_path: Path) -> None:
    found = imap(tmp_path, f'<address>localhost</address>{LOGIN}<ssl enabled="N"/>')
    assert (found.port, found.tls) == (143, None)


def test_the_timeout_of_the_task(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, task(client(more=f"<imap>{BASIC}</imap>"), before="<timeout>7s</timeout>"))
    assert loaded.settings is not None
    destination = loaded.settings.clients[0].destination
    assert isinstance(destination, ImapDestination)
    assert destination.timeout == 7.0


def test_a_login_by_oauth(tmp_path: Path) -> None:
    found = imap(tmp_path, f"<address>imap.gmail.com</address><username>me@x.test</username>{OAUTH}")
    oauth = oauth_of(found)
    assert oauth is not None
    assert (oauth.use, oauth.scopes, oauth.account) == (Use.IMAP, ("https://mail.google.com/",), "me@x.test")
    assert found.auth_types == (AuthType.SASL_OAUTHBEARER, AuthType.SASL_XOAUTH2)


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (LOGIN, "<address> is missing in <imap>"),
        ("<address>x.test</address>", "no login method can be used: AUTO needs a username"),
        ("<address>x.test</address><username>me</username>", "no login method can be used: AUTO needs a password"),
        (f"{BASIC}<authtypes>APOP</authtypes>", "APOP is a login method of POP3"),
        (f"{BASIC}{OAUTH}", "<oauth> and <password> exclude each other in <imap>"),
        (f"{BASIC}<flags>\\Sene</flags>", "'\\Sene' is not a flag; did you mean '\\Seen'?"),
        (f"{BASIC}<flags>a b</flags>", "'a b' is not a keyword"),
        (f"{BASIC}<labels>a | | b</labels>", "an item of the list is empty"),
        (f"{BASIC}<create>perhaps</create>", "<create>: 'perhaps' is neither yes nor no"),
        (f"{BASIC}<folder>a&#10;b</folder>", "<folder>: a line break"),
        (f'{BASIC}<starttls>Y</starttls><ssl enabled="N"/>', '<starttls> contradicts <ssl enabled="N"/>'),
        (
            f'{BASIC}<authtypes>USERPASS</authtypes><ssl enabled="N"/>',
            "the password would go to imap.example.net in clear (USERPASS without TLS)",
        ),
        (f"{BASIC} text", "the mail server belongs in <address>, and the folder in <folder>"),
        (f"{BASIC}<folde>x</folde>", "unknown <folde> in <imap>; did you mean 'folder'?"),
    ],
)
def test_errors(tmp_path: Path, inside: str, message: str) -> None:
    assert message in error_of(tmp_path, task(client(more=f"<imap>{inside}</imap>")))


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (f'{BASIC}<ssl enabled="N"/>', "mail goes to imap.example.net in clear, and AUTO uses no method"),
        (
            f"<address>x.test:993</address>{LOGIN}<starttls>Y</starttls>",
            "port 993 means TLS from the first byte, without <starttls>",
        ),
        (f"<address>x.test:143</address>{LOGIN}", "port 143 begins in clear: use <starttls>Y</starttls>"),
        (f"{BASIC}<timeout>5</timeout>", "timeout is under 5 s"),
    ],
)
def test_warnings(tmp_path: Path, inside: str, message: str) -> None:
    (found,) = warnings(load_text(tmp_path, task(client(more=f"<imap>{inside}</imap>"))))
    assert message in found


def test_another_destination_is_not_used(tmp_path: Path) -> None:
    text = task(client(more=f"<maildir>m</maildir><imap>{BASIC}</imap><eol>crlf</eol>"))
    found = warnings(load_text(tmp_path, text))
    assert found == [
        "several destinations are named: imap is used, maildir not",
        "<eol> has no effect with imap",
    ]


def test_a_sentence(tmp_path: Path) -> None:
    more = f"<imap>{BASIC}<folder>Old ISP</folder><create>N</create><starttls>Y</starttls></imap>"
    assert (
        "puts it into the folder Old ISP of the IMAP server imap.example.net:143 over TLS (STARTTLS), which is not made"
        " if it is missing"
    ) in describe(only_client(tmp_path, client(more=more)))


def test_the_dashboard_shows_it_without_secrets(tmp_path: Path) -> None:
    more = rf"<imap>{BASIC}<flags>\Seen</flags><timeout>9s</timeout><rejected>/no</rejected></imap>"
    found = only_client(tmp_path, client(more=more))
    info = client_info(found, 60.0)
    pairs = dict(info.settings)
    assert info.destination == "folder INBOX of imap.example.net:993"
    assert (pairs["flags"], pairs["timeout (IMAP)"], pairs["password (IMAP)"]) == ("\\Seen", "9s", "****")
    assert (pairs["security (IMAP)"], pairs["username (IMAP)"], pairs["authtypes (IMAP)"]) == ("TLS", "me", "AUTO")
    assert "hush" not in repr(info)
    assert rejected_folder(found.destination) == "/no"
