"""The autoconfiguration document of a mail domain."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.cli.init.autoconfig import AdvertisedServer, UnusableAutoconfig, read_autoconfig

MAIL: Final = "me@example.net"


def server(
    host: str = "pop.example.net",
    port: str = "995",
    socket: str = "SSL",
    username: str = "%EMAILADDRESS%",
    methods: tuple[str, ...] = ("password-cleartext",),
    kind: str = "pop3",
) -> str:
    login = "".join(f"<authentication>{method}</authentication>" for method in methods)
    return (
        f'<incomingServer type="{kind}"><hostname>{host}</hostname><port>{port}</port>'
        f"<socketType>{socket}</socketType><username>{username}</username>{login}</incomingServer>"
    )


def document(*servers: str) -> bytes:
    inside = "".join(servers)
    return f'<clientConfig version="1.1"><emailProvider id="x">{inside}</emailProvider></clientConfig>'.encode()


def test_a_server() -> None:
    found = read_autoconfig(document(server(kind="imap", host="imap.example.net"), server()), MAIL)
    assert found == AdvertisedServer("pop.example.net:995", MAIL, tokens_only=False)


def test_placeholders() -> None:
    found = read_autoconfig(document(server("pop.%EMAILDOMAIN%", username="%EMAILLOCALPART%")), MAIL)
    assert (found.address, found.username) == ("pop.example.net:995", "me")


def test_invisible_characters_of_a_host_are_not_kept() -> None:
    assert read_autoconfig(document(server("\u200bpop\u2061.example.net")), MAIL).address == "pop.example.net:995"


def test_no_username_is_the_mail_address() -> None:
    assert read_autoconfig(document(server(username="")), MAIL).username == MAIL


@pytest.mark.parametrize(
    "order", [("plain", "STARTTLS", "SSL"), ("SSL", "plain", "STARTTLS"), ("other", "SSL", "plain")]
)
def test_the_safest_is_taken(order: tuple[str, ...]) -> None:
    servers = (server(host=f"{socket.lower()}.example.net", socket=socket) for socket in order)
    assert read_autoconfig(document(*servers), MAIL).address == "ssl.example.net:995"


def test_only_access_tokens() -> None:
    assert read_autoconfig(document(server(methods=("OAuth2",))), MAIL).tokens_only
    assert not read_autoconfig(document(server(methods=("OAuth2", "password-cleartext"))), MAIL).tokens_only


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (document(server(kind="imap")), "no POP3 server (imap)"),
        (document(), "no POP3 server (it names none at all)"),
        (document(server(socket="other")), "no POP3 server"),
        (b"<html><body>", "not the XML"),
        (b"", "not the XML"),
        (b"\xff\xfe\x00", "not the XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "not the XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "not the XML"),
        (b"<!DOCTYPE clientConfig>" + document(server()), "not the XML"),
        (document(server(port="99999")), "'99999' is not a port"),
        (document(server(port="")), "is not a port"),
        (document(server(host="pop example")), "is not a host name"),
        (document(server(host="pop.example.net:110")), "needs brackets"),
        (document(server(host="")), "is not a host name"),
    ],
)
def test_a_document_that_cannot_be_used(data: bytes, reason: str) -> None:
    with pytest.raises(UnusableAutoconfig) as caught:
        read_autoconfig(data, MAIL)
    assert reason in str(caught.value)


@given(
    st.binary()
    | st.text(st.characters(codec="utf-8")).map(
        lambda text: document(server(host=text, username=text).replace("\0", ""))
    )
)
def test_any_document_is_read_or_refused(data: bytes) -> None:
    try:
        found = read_autoconfig(data, MAIL)
    except UnusableAutoconfig:
        return
    assert found.username.isprintable()
