"""The autoconfiguration document of a mail domain (clientConfig 1.1), as mail programs read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from tui_popretr.config.addresses import server_address
from tui_popretr.config.values import InvalidValueError
from tui_popretr.hosts import ascii_host, with_port
from tui_popretr.text import visible

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: The safest first.
_SOCKETS: Final = ("SSL", "STARTTLS", "plain")


class UnusableAutoconfig(Exception):
    """The document names no POP3 server that can be used. The text says why."""


@dataclass(frozen=True, slots=True)
class AdvertisedServer:
    """A POP3 server of a domain."""

    address: str  # HOST:PORT, in ASCII: other characters could be invisible
    username: str  # the mail address if the document does not say
    tokens_only: bool  # only access tokens (OAuth 2) are accepted


def read_autoconfig(data: bytes, mail: str) -> AdvertisedServer:
    """Return the safest POP3 server that the document has for a mail address. Raises UnusableAutoconfig."""
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as problem:
        raise UnusableAutoconfig("the document is not the XML that was expected") from problem
    servers = [each for each in root.iterfind("./emailProvider/incomingServer") if each.get("type") == "pop3"]
    usable = [each for each in servers if _socket(each) in _SOCKETS]
    if not usable:
        other = sorted({visible(each.get("type", ""), 20) for each in root.iterfind("./emailProvider/incomingServer")})
        raise UnusableAutoconfig(f"the document names no POP3 server ({', '.join(other) or 'it names none at all'})")
    chosen = min(usable, key=lambda each: _SOCKETS.index(_socket(each)))
    host = _filled(chosen.findtext("hostname", ""), mail)
    try:
        # host and port are checked together, so that neither can hold the other
        name, port = server_address(f"{host}:{chosen.findtext('port', '').strip()}")
    except InvalidValueError as problem:
        raise UnusableAutoconfig(f"the document is wrong: {problem}") from problem
    username = visible(_filled(chosen.findtext("username", ""), mail), 200) or mail
    methods = {(each.text or "").strip().lower() for each in chosen.iterfind("authentication")}
    return AdvertisedServer(with_port(ascii_host(name), port or 0), username, methods == {"oauth2"})


def _socket(server: Element) -> str:
    return server.findtext("socketType", "").strip()


def _filled(text: str, mail: str) -> str:
    """Return the text with its placeholders replaced."""
    local, _, domain = mail.rpartition("@")
    for name, value in (("%EMAILADDRESS%", mail), ("%EMAILLOCALPART%", local), ("%EMAILDOMAIN%", domain)):
        text = text.replace(name, value)
    return text.strip()
