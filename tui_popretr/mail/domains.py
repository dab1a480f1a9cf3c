"""Domains and address literals as RFC 5321 §4.1.2 and §4.1.3 write them: in EHLO and in Received."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#: At least two labels. The last one is not all digits: that would look like an IPv4 address.
_DOMAIN: Final = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+$){_LABEL}", re.ASCII)
_LONGEST: Final = 253


def address_literal(address: str) -> str | None:
    """Return [192.0.2.7] or [IPv6:2001:db8::1], without a zone; None if the text is not an IP address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return f"[{ip}]" if ip.version == 4 else f"[IPv6:{ip}]"


def own_name(announced: str, local_ip: str = "") -> str:
    """Return our name for EHLO over a connection (RFC 5321 §4.1.4).

    It is the announced name if that is a domain of at least two labels or an address literal, else the literal of the
    connection's local address. For a Unix socket, which has no address, it is [127.0.0.1].
    """
    name = announced.removesuffix(".")
    if _DOMAIN.fullmatch(name) and len(name) <= _LONGEST:
        return name
    if name.startswith("[") and name.endswith("]") and address_literal(name[1:-1].removeprefix("IPv6:")) == name:
        return name
    return address_literal(local_ip) or "[127.0.0.1]"
