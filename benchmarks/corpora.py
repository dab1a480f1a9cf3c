"""The mail that is retrieved: made anew for each benchmark, always the same, and known again where it arrives."""

from __future__ import annotations

import base64
import hashlib
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

#: The first header field of each message, which tells it from all others. What stands above it when it arrives was put
#: there by whoever retrieved it (Received, Return-Path, Delivered-To).
MARK: Final = b"X-Benchmark: "

_LINE = 72
_MEDIAN, _LARGEST = 8192, 500_000
_WORDS = (
    b"a message as people write them has words of some length and lines that are not very long so here are some".split()
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Accounts with as many messages each. `make` returns what follows the mark: more header, and the body."""

    name: str
    accounts: int
    count: int
    make: Callable[[random.Random, int], bytes]

    @property
    def names(self) -> tuple[str, ...]:
        """The accounts."""
        return tuple(f"{self.name}{number}" for number in range(self.accounts))

    @property
    def messages(self) -> int:
        """Of all accounts together."""
        return self.accounts * self.count

    def of(self, account: str) -> Iterator[bytes]:
        """Make the messages of an account, in their order; line ends are LF as a rule."""
        for number in range(self.count):
            name = f"{account}.{number}"
            yield MARK + name.encode() + b"\n" + self.make(random.Random(name), number)


def identify(message: bytes) -> tuple[str, str]:
    """Return a message's name and what its content comes to, whatever stands above the mark and however lines end.

    Empty lines at the end do not count: a server may add one. The name is empty where there is no mark.
    """
    at = 0 if message.startswith(MARK) else message.find(b"\n" + MARK) + 1
    if not message.startswith(MARK, at):
        return "", ""
    ours = message[at:] if at else message
    name = ours[len(MARK) : ours.find(b"\n")].strip().decode("ascii", "replace")
    while b"\r\n" in ours:  # CR CR LF: what remains is a line end again for who looks at it a second time
        ours = ours.replace(b"\r\n", b"\n")
    return name, hashlib.sha256(ours.rstrip(b"\r\n")).hexdigest()


def corpora(quick: bool = False) -> dict[str, Corpus]:
    """Return all of them by name; for trying things out in a small size."""
    sized = [
        Corpus("empty", 1, 0, _small),
        Corpus("small", 1, 100 if quick else 2000, _small),
        Corpus("mixed", 1, 60 if quick else 500, _mixed),
        Corpus("large", 1, 2 if quick else 20, _large),
        Corpus("fleet", 12 if quick else 200, 5 if quick else 25, _small),
        Corpus("growth-a", 1, 100 if quick else 2_000, _small),
        Corpus("growth-b", 1, 1000 if quick else 20_000, _small),
        Corpus("growth-c", 1, 2000 if quick else 100_000, _small),
    ]
    return {corpus.name: corpus for corpus in sized}


# --- kinds of messages ------------------------------------------------------------------------------------------------


def _header(chance: random.Random, kind: str, *more: bytes) -> bytes:
    lines = (
        b"Message-ID: <%016x@sender.example>" % chance.getrandbits(64),
        b"Date: %d Nov 2026 07:27:59 +0000" % chance.randrange(1, 30),
        b"From: A Sender <sender@sender.example>",
        b"To: A Receiver <receiver@receiver.example>",
        b"Subject: " + b" ".join(chance.choices(_WORDS, k=5)),
        b"MIME-Version: 1.0",
        b"Content-Type: " + kind.encode(),
        *more,
    )
    return b"".join(line + b"\n" for line in lines) + b"\n"


def _text(chance: random.Random, size: int) -> bytes:
    """Exactly so many octets of lines, the last one ended."""
    if size < 1:
        return b""
    paragraph = b" ".join(chance.choices(_WORDS, k=150))
    lines = b"\n".join(paragraph[at : at + _LINE].strip() for at in range(0, len(paragraph), _LINE)) + b"\n"
    return (lines * (size // len(lines) + 1))[: size - 1].rstrip(b"\n").ljust(size - 1, b"x") + b"\n"


def _binary(chance: random.Random, size: int) -> bytes:
    """About so many octets of an attachment."""
    header = _header(chance, "application/octet-stream", b"Content-Transfer-Encoding: base64")
    return header + base64.encodebytes(chance.randbytes((size - len(header)) * 57 // 77))


def _small(chance: random.Random, number: int) -> bytes:
    """4 kB of text."""
    header = _header(chance, "text/plain; charset=us-ascii")
    return header + _text(chance, 4096 - 30 - len(header))


def _large(chance: random.Random, number: int) -> bytes:
    """25 MB of attachment."""
    return _binary(chance, 25_000_000)


def _mixed(chance: random.Random, number: int) -> bytes:
    """Sizes as in a mailbox, with now and then what makes retrieving difficult."""
    if number % 70 == 6:
        return _binary(chance, chance.randrange(1_000_000, 5_000_000))
    size = min(int(chance.lognormvariate(math.log(_MEDIAN), 1.2)), _LARGEST)
    if number % 50 == 3:
        return _header(chance, "text/plain; charset=us-ascii") + _awkward(chance, number)
    if number % 10 == 4:
        header = _header(chance, "text/plain; charset=utf-8", b"Content-Transfer-Encoding: 8bit")
        return header + "Grüße, καλημέρα, 今日は\n".encode() * (size // 40)
    header = _header(chance, "text/plain; charset=us-ascii")
    if number % 10 == 5:
        return header + b".\n..\n.a\n-- \nFrom here\n" + _text(chance, size).replace(b"\na", b"\n.a")
    text = _text(chance, size - len(header))
    return header + (text.rstrip(b"\n") if number % 10 == 7 else text)


def _awkward(chance: random.Random, number: int) -> bytes:
    kinds = (
        b"",
        b".\n",
        b"x" * 998 + b"\n" + b"y" * 8192 + b"\n" + b"." * 70_000 + b"\n",
        b"a bare\rcarriage return\n\r\r\n\x0c\x1b[1m\x7f\x01\n",
        bytes(chance.choices(range(128, 256), k=3000)) + b"\n",
        _text(chance, 2000).replace(b"\n", b"\r\n"),
    )
    return kinds[number // 50 % len(kinds)]
