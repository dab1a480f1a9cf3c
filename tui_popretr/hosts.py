"""The canonical form of host names: every host is converted here before it is used.

Terminology: a host *as written* is the text of the configuration, in any script; people see this form. Its *ASCII
form* is for DNS, SNI, certificates, the journal and headers: A-labels (`xn--...`) by IDNA 2008 (RFC 5891), mapped by
UTS 46 without transitional processing, and without a trailing dot. IDNA 2003, which is built into Python, turns some
names into another domain (`straße` becomes `strasse`), and another domain may have another owner.

A trailing dot says that the name is complete, so that no search domain is appended. It matters only for the look-up.
"""

from __future__ import annotations

import ipaddress
import re

POP3_PORT, POP3S_PORT = 110, 995
IMAP_PORT, IMAPS_PORT = 143, 993

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_DOTS = (".", "\u3002", "\uff0e", "\uff61")  # RFC 3490 §3.1
_LONGEST = 253


class InvalidHostName(ValueError):
    """The text is not a host name."""


def ascii_host(host: str) -> str:
    """Return the ASCII form of a host name or address.

    A name in ASCII only loses its trailing dot. Raises InvalidHostName for a name in another script that is not valid.
    """
    name = host if host.isascii() else _in_ascii(host)
    return name.removesuffix(".") or name


def _in_ascii(host: str) -> str:
    from idna import alabel, uts46_remap  # imported here because its tables load slowly and few names need them

    try:
        mapped = uts46_remap(host, std3_rules=False)
        # Labels in ASCII are not changed: IDNA does not allow the underscore, and some real names have one.
        name = ".".join(
            label if label.isascii() and not label.startswith("xn--") else alabel(label).decode("ascii")
            for label in mapped.split(".")
        )
    except UnicodeError:
        raise InvalidHostName(host) from None
    if not is_host_name(name):  # for example, U+FF1A has become a colon, and U+2100 `a/c`
        raise InvalidHostName(host)
    return name


def is_host_name(name: str) -> bool:
    """Whether a text in ASCII is a host name, perhaps with a trailing dot (RFC 1123 §2.1). Underscores are allowed."""
    bare = name.removesuffix(".")
    return len(bare) <= _LONGEST and all(_LABEL.fullmatch(label) for label in bare.split("."))


def host_key(host: str) -> str:
    """Return the form for comparing hosts: the ASCII form in lower case, or the text in lower case if there is none."""
    try:
        return ascii_host(host).lower()
    except InvalidHostName:
        return host.lower()


def account_key(host: str, port: int, user: str) -> tuple[str, int, str]:
    """Return the key of an account on a POP3 server, for comparison: host_key(), port, user.

    Ports 110 and 995 lead to the same mail. The key has 110 for both, so that a move to TLS does not change it.
    """
    return host_key(host), POP3_PORT if port == POP3S_PORT else port, user


def look_up_name(host: str, written: str) -> str:
    """Return the name for the DNS look-up: the ASCII form, with a trailing dot if the name as written has one."""
    return f"{host}." if written.endswith(_DOTS) else host


def with_port(host: str, port: int) -> str:
    """Return host:port, with brackets round an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or address, without a look-up."""
    lower = host_key(host)
    if lower in {"localhost", "ip6-localhost", "localhost.localdomain"} or lower.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(lower).is_loopback
    except ValueError:
        return False
