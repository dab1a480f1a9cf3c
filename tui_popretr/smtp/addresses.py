"""Addresses in the envelope, and whether they need SMTPUTF8 (RFC 6531)."""

from __future__ import annotations

import re

from tui_popretr.hosts import InvalidHostName, ascii_host

_UNSENDABLE = re.compile("[\x00-\x20<>\x7f-\x9f]")


def envelope_address(address: str) -> str:
    """Return the address for MAIL or RCPT, with the domain in its ASCII form if that is enough.

    An address with a local part that is not ASCII needs SMTPUTF8, and is not changed. Raises ValueError if the address
    could end its command.
    """
    if _UNSENDABLE.search(address):
        raise ValueError("a space, a control character, < or > is not allowed in an address")
    local, at, domain = address.rpartition("@")
    if not at or address.isascii() or not local.isascii():
        return address
    try:
        return f"{local}{at}{ascii_host(domain)}"
    except InvalidHostName:
        return address
