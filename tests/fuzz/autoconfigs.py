"""Target: the autoconfiguration document of a mail domain, and what `init` would write from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from xml.etree.ElementTree import fromstring

from tests.fuzz.expectations import harmless
from tui_popretr.cli.init.autoconfig import UnusableAutoconfig, read_autoconfig
from tui_popretr.cli.init.text import NewClient, client_text
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.addresses import server_address
from tui_popretr.config.model import MaildirDestination
from tui_popretr.config.sources import FromEnvironment

_MAIL: Final = "me@example.net"
_SERVER: Final = Server("pop.example.net", 995, "", FromEnvironment("P"), tls=TlsPolicy())
_CLIENT: Final = NewClient("isp", "me", _SERVER, MaildirDestination("/m"), keep=True, frequency="5m")

_DOCUMENT: Final = """\
<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="example.net"><domain>example.net</domain>
<incomingServer type="imap"><hostname>imap.example.net</hostname><port>993</port></incomingServer>
<incomingServer type="pop3"><hostname>pop.%EMAILDOMAIN%</hostname><port>995</port><socketType>SSL</socketType>
<username>%EMAILADDRESS%</username><authentication>OAuth2</authentication></incomingServer>
</emailProvider></clientConfig>"""
SEEDS: Final = [_DOCUMENT.encode(), _DOCUMENT.encode("utf-16")]
WORDS: Final = [
    b"<incomingServer type='pop3'>", b"</incomingServer>", b"<hostname>", b"<port>", b"<socketType>", b"STARTTLS",
    b"<username>", b"<authentication>", b"%EMAILLOCALPART%", b"%EMAILDOMAIN%", b"<!DOCTYPE a [", b"plain", b"&a;",
    b"&#27;", b"&#x202e;", b"${", b"]]>", b"<![CDATA[", b"[::1]", b":110", b"xn--", b"\xc3\xa4", b"\xff\xfe", b"\0",
]  # fmt: skip


def one_input(data: bytes) -> None:
    """Read the input as a document. What is found is harmless, and well-formed where it is written."""
    try:
        found = read_autoconfig(data, _MAIL)
    except UnusableAutoconfig as problem:
        harmless(str(problem))
        return
    harmless(found.address)
    harmless(found.username)
    assert server_address(found.address)[1]
    text = client_text(replace(_CLIENT, server=replace(_SERVER, username=found.username)))
    username = fromstring(text.encode()).findtext("server/username")
    assert username is not None
    assert username.replace("${$}", "${") == found.username
