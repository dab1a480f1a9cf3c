"""Messages of every awkward kind, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

MEGABYTE = 2**20

#: How a message is made of a source of chance and its header (which ends with a line end).
Kind = Callable[[random.Random, bytes], bytes]


def mixed_messages(count: int, *, seed: int = 20261123) -> Iterator[bytes]:
    """Yield `count` different messages; each has a Message-ID of its own. The rare kinds are large."""
    chance = random.Random(seed)
    for number in range(count):
        eol = chance.choice([b"\n", b"\r\n"])
        header = b"".join(
            line + eol
            for line in (
                b"Message-ID: <%d@mixed.test>" % number,
                b"From: sender%d <s%d@mixed.test>" % (number, number % 7),
                b"Date: Mon, 23 Nov 2026 07:27:59 +0000",
                b"Subject: message %d" % number,
            )
        )
        kind = _RARE.get(number % 100) or _COMMON[number % len(_COMMON)]
        yield kind(chance, header)


def _lines(chance: random.Random, count: int, end: bytes = b"\n") -> bytes:
    return b"".join(_text(chance, chance.randrange(78)) + end for _ in range(count))


def _text(chance: random.Random, length: int) -> bytes:
    return bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz .=", k=length))


def _plain(chance: random.Random, header: bytes) -> bytes:
    return header + b"\n" + _lines(chance, chance.randrange(1, 60))


def _crlf(chance: random.Random, header: bytes) -> bytes:
    return header + b"\r\n" + _lines(chance, chance.randrange(1, 60), b"\r\n")


def _dots(chance: random.Random, header: bytes) -> bytes:
    return header + b"\n" + b"".join(b"." * chance.randrange(5) + b"\n" for _ in range(30)) + b".\n..\n.end\n."


def _octets(chance: random.Random, header: bytes) -> bytes:
    return header + b"\n" + chance.randbytes(chance.randrange(1, 5000)) + b"\n"


def _bare_ends(chance: random.Random, header: bytes) -> bytes:
    ends = (b"\r", b"\n", b"\r\n", b"\r\r\n", b"\n\r", b"\n.\r", b"\r\n.\r", b"\r.\n", b"\n.\n.")
    return header + b"\n" + b"".join(_text(chance, 5) + chance.choice(ends) for _ in range(80))


def _nul(chance: random.Random, header: bytes) -> bytes:
    return header + b"\n\0\n\0\0.\0\r\n" + bytes(chance.choices(b"\0\0a\r\n.", k=200))


def _no_final_newline(chance: random.Random, header: bytes) -> bytes:
    return header + b"\n" + _lines(chance, 3) + b"no end of line"


def _empty_body(chance: random.Random, header: bytes) -> bytes:
    return header + chance.choice([b"\n", b"\r\n"])


def _header_only(chance: random.Random, header: bytes) -> bytes:
    return header if chance.random() < 0.5 else header.rstrip(b"\r\n")


def _empty_lines_at_the_end(chance: random.Random, header: bytes) -> bytes:
    return header + b"\n" + _lines(chance, 2) + b"\n" * chance.randrange(1, 9) + b"\r\n" * chance.randrange(3)


def _bodies_that_look_like_pop3(chance: random.Random, header: bytes) -> bytes:
    return header + b"\n+OK\n-ERR [SYS/PERM] no\n.\nQUIT\n+ \n" + _lines(chance, 1)


def _long_header(chance: random.Random, header: bytes) -> bytes:
    folded = b"".join(b"\t<%d@long.test>\n" % number for number in range(4000))
    return header + b"References:\n" + folded + b"X-Long: " + _text(chance, 40000) + b"\n\n" + _lines(chance, 2)


def _long_line(chance: random.Random, header: bytes) -> bytes:
    return header + b"\n" + _text(chance, 1000) * (MEGABYTE // 1000 + 1) + b"\n.\n" + _lines(chance, 1)


def _large(chance: random.Random, header: bytes) -> bytes:
    return header + b"\n" + chance.randbytes(5 * MEGABYTE)


def _medium(chance: random.Random, header: bytes) -> bytes:
    return header + b"\n" + _lines(chance, 4) * chance.randrange(200, 1500)


_COMMON: tuple[Kind, ...] = (
    _plain,
    _crlf,
    _dots,
    _octets,
    _bare_ends,
    _nul,
    _no_final_newline,
    _empty_body,
    _header_only,
    _empty_lines_at_the_end,
    _bodies_that_look_like_pop3,
)
_RARE: dict[int, Kind] = {17: _long_header, 41: _long_line, 63: _medium, 77: _medium, 99: _large}
