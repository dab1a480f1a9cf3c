"""Target: what delivery reads of a message and writes before it: identity, sender, envelope, the Received header."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta, timezone
from typing import Final

from tests.fuzz.expectations import harmless
from tests.fuzz.material import Material
from tui_popretr.config.addresses import mail_address
from tui_popretr.config.values import InvalidValueError
from tui_popretr.logs.audit import audit_text
from tui_popretr.mail.header import SHOWN_LIMIT, address
from tui_popretr.mail.identity import Identity, IdentityHasher
from tui_popretr.mail.received import received_header, rfc5322_date
from tui_popretr.smtp.addresses import envelope_address

SEEDS: Final = [
    b'From: "A, B" <a@b.example>\r\nSender: c@d.example (c (d))\r\nMessage-ID: <1@a>\r\nDate: Mon\r\n\r\nbody',
    b"Message-Id :\r\n <1@a>\r\nX-UIDL: 1\r\n\tmore\r\nFrom: Group: a@b, c@d;\r\n\r\n",
    b"From: <@a,@b:c@d>\nStatus: RO\n\nbody",
    "me@exämple.example".encode(),
]
WORDS: Final = [
    b"From:", b"Sender:", b"Message-ID:", b"Date:", b"Status:", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\r\n ", b"\n\t",
    b"<", b">", b"(", b")", b'"', b"\\", b":", b";", b",", b"@", b"=?utf-8?q?a?=", b"\xc3\xa4", b"\xff", b"\0",
    b"\x1b[2J", b"x" * 70_000,
]  # fmt: skip

_RECEIVED: Final = re.compile(rb"Received: [^\r\n]*\r\n\t[^\r\n]*\r\n\t[^\r\n]*\r\n")


def one_input(data: bytes) -> None:
    """Read the input as a message, as an address, and as what stands in the Received header."""
    material = Material(data)
    whole = bool(material.number(2))
    sizes = [1 + material.number(97) for _ in range(3)]
    message = material.rest()
    found = _known(message, [len(message)], whole)
    assert _known(message, sizes, whole) == found
    identity, sender = found
    # the ellipsis of a cut is one more; an escape is never cut in two characters' worth of memory
    for text in (identity.message_id, identity.date, sender):
        if text is not None:
            assert text
            harmless(text, longest=SHOWN_LIMIT + 1)
    record = audit_text("h:1", True, "me", "Mailbox=me", identity.message_id, len(message), sender)
    harmless(record)
    assert record.count(";") == 3
    if (read := address(message)) is not None:
        harmless(read, longest=SHOWN_LIMIT + 1)
    _envelope(message[:300].decode("utf-8", "surrogateescape"))
    _received(message)


def _known(message: bytes, sizes: list[int], whole: bool) -> tuple[Identity, str | None]:
    hasher = IdentityHasher(whole=whole)
    at = turn = 0
    while at < len(message):
        size = sizes[turn % len(sizes)] * (1 + turn // 64)  # small pieces first, and yet to the end in time
        hasher.update(message[at : at + size])
        at, turn = at + size, turn + 1
    return hasher.whole() if whole else hasher.header(), hasher.headline.sender


def _envelope(text: str) -> None:
    with contextlib.suppress(InvalidValueError):
        envelope_address(mail_address(text))  # what the configuration lets through can be sent
    try:
        sent = envelope_address(text)
    except ValueError:
        return
    assert not re.search("[\x00-\x20<>\x7f-\x9f]", sent)


def _received(message: bytes) -> None:
    parts = message[:600].decode("utf-8", "surrogateescape").split(",", 5)
    parts += [""] * (6 - len(parts))
    when = datetime(2026, 11, 23, 7, 27, tzinfo=timezone(timedelta(minutes=len(message) % 2880 - 1439)))
    server, ip, host, product, protocol, recip = parts[:6]
    header = received_header(server, ip, host, product, protocol, recip, when)
    assert _RECEIVED.fullmatch(header), header
    assert re.fullmatch(r"Mon, 23 Nov 2026 07:27:00 [+-]\d{4}", rfc5322_date(when))
