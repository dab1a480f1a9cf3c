"""Warnings: what is allowed but probably not meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.helpers import SERVER, client, load_text, only_client, task, warnings
from tui_popretr.config.checks import clear_text_logins
from tui_popretr.config.choices import AuthType

REMOTE = SERVER.replace("127.0.0.1", "pop.example.net")


@pytest.mark.parametrize(
    ("attributes", "warned"),
    [
        ('preserve="Y"', True),
        ('preserve="Y" freq="0" runs="0"', True),
        ('preserve="Y" freq="0" runs="2"', True),
        ('preserve="Y" freq="0"', False),
        ('preserve="Y" runs="1"', False),
        ('preserve="Y" newonly="Y"', False),
        ('newonly="Y"', False),
    ],
)
def test_preserve_without_newonly_duplicates(tmp_path: Path, attributes: str, warned: bool) -> None:
    found = warnings(load_text(tmp_path, task(client(attributes))))
    assert bool(found) == warned
    assert all("retrieves every message again" in message for message in found)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ("", "every message again at each run;"),
        ('maxmessages="7"', "the first 7 messages again at each run, and never the others (maxmessages);"),
        ('maxmessages="7" deleteafter="1d"', "every message again at each run;"),
    ],
)
def test_preserve_without_newonly_and_with_maxmessages(tmp_path: Path, attributes: str, words: str) -> None:
    found = warnings(load_text(tmp_path, task(client(f'preserve="Y" {attributes}'))))
    assert found == [f'preserve without newonly retrieves {words} add newonly="Y"']


@pytest.mark.parametrize(("freq", "warned"), [("300", True), ("9s", True), ("10s", False), ("0", False), ("5m", False)])
def test_a_short_frequency(tmp_path: Path, freq: str, warned: bool) -> None:
    found = warnings(load_text(tmp_path, task(client(f'freq="{freq}"'))))
    assert found == (["freq is under 10 s (a bare number is milliseconds)"] if warned else [])


def test_auto_without_capa(tmp_path: Path) -> None:
    server = (
        '<server address="127.0.0.1"><username>me</username><password>p</password><authtypes>{}</authtypes></server>'
    )
    message = 'capa="never" leaves AUTO to guess what the server offers; name the method in authtypes'
    for authtypes, expected in (("AUTO", [message]), ("USERPASS", [])):
        found = client('capa="never"', server=server.format(authtypes))
        assert warnings(load_text(tmp_path, task(found))) == expected


@pytest.mark.parametrize(("timeout", "warned"), [("240", True), ("4s", True), ("5s", False), ("4m", False)])
def test_a_short_timeout(tmp_path: Path, timeout: str, warned: bool) -> None:
    found = warnings(load_text(tmp_path, task(client(), before=f"<timeout>{timeout}</timeout>")))
    assert found == (["timeout is under 5 s (a bare number is milliseconds)"] if warned else [])


def two(first: str, second: str, attributes: str = "", other: str = "") -> str:
    tls = "<ssl/>" if ":995" in second else ""
    return task(client(attributes, server=first) + client(other, server=second, more=tls).replace('id="a"', 'id="b"'))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (SERVER, SERVER),
        (SERVER.replace("127.0.0.1", "localhost"), SERVER.replace("127.0.0.1", "LOCALHOST:110")),
        (SERVER.replace("127.0.0.1", "127.0.0.1:110"), SERVER.replace("127.0.0.1", "127.0.0.1:995")),
        (SERVER.replace("127.0.0.1", "a.localhost."), SERVER.replace("127.0.0.1", "A.localhost")),
        (SERVER.replace("127.0.0.1", "ß.localhost"), SERVER.replace("127.0.0.1", "xn--zca.localhost:110")),
    ],
)
def test_two_clients_on_one_maildrop(tmp_path: Path, first: str, second: str) -> None:
    (message,) = warnings(load_text(tmp_path, two(first, second)))
    assert message.startswith("clients 'a' and 'b' poll the same maildrop")
    keeping = 'preserve="Y" newonly="Y"'
    assert warnings(load_text(tmp_path, two(first, second, keeping, keeping))) == []
    assert len(warnings(load_text(tmp_path, two(first, second, keeping, 'newonly="Y"')))) == 1


@pytest.mark.parametrize(
    "second",
    [SERVER.replace(">me<", ">Me<"), SERVER.replace("127.0.0.1", "127.0.0.2"), SERVER.replace('1">', '1:111">')],
)
def test_two_maildrops(tmp_path: Path, second: str) -> None:
    assert second != SERVER
    assert warnings(load_text(tmp_path, two(SERVER, second))) == []


def test_the_certificate_identifies_an_account_without_username(tmp_path: Path) -> None:
    server = '<server address="localhost"><authtypes>SASL_EXTERNAL</authtypes></server>'
    drops = {
        only_client(tmp_path, client(server=server, more=f'<ssl kspath="{path}" cert="{name}"/>')).server.account_key
        for path, name in (("rc.xml", "x"), ("rc.xml", "y"), (".", "x"))
    }
    assert len(drops) == 3


@pytest.mark.parametrize(
    ("server", "more", "methods"),
    [
        (REMOTE, "", (AuthType.USERPASS, AuthType.SASL_PLAIN)),
        (REMOTE, "<ssl/>", ()),
        (REMOTE, '<ssl latent="Y"/>', ()),
        (REMOTE, '<ssl enabled="N"/>', (AuthType.USERPASS, AuthType.SASL_PLAIN)),
        (REMOTE.replace("</server>", "<authtypes>APOP|USERPASS</authtypes></server>"), "", (AuthType.USERPASS,)),
        (REMOTE.replace("</server>", "<authtypes>APOP|SASL_CRAM_MD5</authtypes></server>"), "", ()),
        (SERVER, "", ()),
        (SERVER.replace("127.0.0.1", "[::1]:110"), "", ()),
        (SERVER.replace("127.0.0.1", "localhost"), "", ()),
    ],
)
def test_a_password_in_clear(tmp_path: Path, server: str, more: str, methods: tuple[AuthType, ...]) -> None:
    text = client(server=server, more=more)
    assert clear_text_logins(only_client(tmp_path, text)) == methods
    found = warnings(load_text(tmp_path, task(text)))
    assert len(found) == bool(methods)
    for message in found:
        assert message.startswith("the password goes to pop.example.net in clear (USERPASS")
