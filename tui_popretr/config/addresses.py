"""Server addresses and mail addresses in the configuration. Errors are values.InvalidValueError."""

from __future__ import annotations

import ipaddress
import re

from tui_popretr.config.values import InvalidValueError, printable, quote
from tui_popretr.hosts import InvalidHostName, ascii_host, is_host_name, is_loopback, with_port


def server_address(text: str) -> tuple[str, int | None]:
    """host, host:port, IPv4, IPv4:port, [IPv6] or [IPv6]:port; returns the host as written, and the port.

    An IPv6 address is returned without brackets.
    """
    if "://" in text:
        raise InvalidValueError(f"{quote(text)} is a URL; write only host or host:port")
    if text.startswith("["):
        inside, closed, behind = text[1:].partition("]")
        if not closed or (behind and not behind.startswith(":")):
            raise InvalidValueError(f"{quote(text)} is no address; an IPv6 address is written [2001:db8::1]:995")
        if not _is_ip(inside, 6):
            raise InvalidValueError(f"{quote(inside)} is not an IPv6 address")
        return inside, _port(behind[1:]) if behind else None
    if text.count(":") > 1:
        example = f"[{text}]:995" if _is_ip(text, 6) else "[2001:db8::1]:995"
        raise InvalidValueError(f"an IPv6 address needs brackets: write {example} or leave out the port")
    host, colon, port = text.partition(":")
    return _host(host), _port(port) if colon else None


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535:
        return int(text)
    raise InvalidValueError(f"{quote(text)} is not a port; ports are 1 to 65535")


def _host(host: str) -> str:
    name = _ascii(host)
    if re.fullmatch("[0-9.]+", name):
        if _is_ip(name, 4):
            return host
        raise InvalidValueError(f"{quote(host)} is not an IPv4 address")
    if not is_host_name(name):
        raise InvalidValueError(f"{quote(host)} is not a host name")
    return host


def _ascii(host: str) -> str:
    try:
        return ascii_host(host)
    except InvalidHostName:
        raise InvalidValueError(
            f"{quote(host)} is not a host name (IDNA 2008); if it has an ASCII form (xn--...), write that"
        ) from None


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def mail_address(text: str) -> str:
    """An envelope address, with or without a domain. Characters that could end an SMTP command are not allowed."""
    if not re.fullmatch(r"[^\s<>\x00-\x1f\x7f-\x9f]+", text) or text.startswith("@") or text.endswith("@"):
        raise InvalidValueError(f"{quote(text)} is not a mail address")
    _, at, domain = text.rpartition("@")
    if at and not domain.isascii():
        _ascii(domain)
    return text


def full_mail_address(text: str) -> str:
    """A mail address with a domain."""
    if "@" not in mail_address(text):
        raise InvalidValueError(f"{quote(text)} is not a whole mail address, such as me@gmail.com")
    return text


def web_address(text: str) -> str:
    """https://HOST[:PORT]/PATH, or http where the host is this machine; returns it with the host in ASCII.

    An access token or a password is sent there, so others must not be able to read it.
    """
    match = re.fullmatch(r"(https?)://([^/?#]+)((?:[/?][\x21-\x7e]*)?)", text, re.IGNORECASE)
    if match is None or "#" in match[3] or "@" in match[2]:
        raise InvalidValueError(f"{quote(text)} is not a web address; it begins with https:// and a host")
    scheme, (host, port) = match[1].lower(), server_address(match[2])
    if scheme == "http" and not is_loopback(host):
        raise InvalidValueError(f"{quote(text)} is not encrypted: use https (http is possible on this machine only)")
    name = with_port(_ascii(host), port) if port else with_port(_ascii(host), 0).removesuffix(":0")
    return f"{scheme}://{name}{match[3]}"


def certificate_name(text: str) -> str:
    """A host, without its port and brackets; or any other text, because a common name may be any text."""
    try:
        host, _ = server_address(f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text)
    except InvalidValueError:
        return printable(text)
    return host
