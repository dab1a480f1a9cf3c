"""Passwords that can be recognised wherever they turn up, and the search for them in all that a test leaves behind.

A password of a test that runs sessions begins with MARK. After every test its folder and its output are searched (see
conftest.py): configurations, and files that are nothing but a password, are the only places where one may stand.
"""

from __future__ import annotations

import os
import re
import stat
from base64 import b64encode
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

MARK: Final = "Hush-9d1f"
#: With all that SASL, base64 and shells could stumble over, and nothing that XML would have to escape.
PASSWORD: Final = f"{MARK}/7+correct=horse"
#: One that is not UTF-8 (in Latin-1 `§ä/...ÿ`), as octets; the program has it as text with lone surrogates.
OCTETS: Final = b"\xa7\xe4/" + MARK.encode() + b"\xff"


def _coded(mark: bytes) -> Iterator[bytes]:
    """Yield the mark as it stands, in hexadecimal, and as it is within base64 of something longer."""
    yield mark
    yield mark.hex().encode()
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(mark)) * 8 // 6
        yield b64encode(b"\0" * before + mark + b"\0\0")[first:last]


_NEEDLES: Final = re.compile(b"|".join(map(re.escape, _coded(MARK.encode()))))
# Where a configuration may hold one (docs/configuration.md).
_CONFIGURED: Final = re.compile(
    rb'<(password|clientsecret)[^>]*(?:/>|>[^<]*</\1>)|\b(?:kspass|certpass|tspass)="[^"]*"'
)
# What a token file holds (tui_popretr/oauth/store.py); also one that a killed process has not finished.
_TOKENS: Final = re.compile(rb'"(?:access|refresh)": "[^"]*(?:"|$)')
_PRINTED: Final = re.compile(rb"^echo [^ ;|&>]+$", re.MULTILINE)
_OTHERS: Final = re.compile(rb"\bpassword\b[ =]*\S+")
_LARGEST: Final = 64 * 1024**2


def reveals(data: bytes) -> bool:
    """Whether a password of the tests can be read in this."""
    return _NEEDLES.search(data) is not None


def discreet(*texts: str) -> None:
    """Fail where a password of the tests is in a text."""
    for text in texts:
        assert not reveals(text.encode("utf-8", "surrogateescape")), f"a password is shown: {text[-2000:]}"


def left_in(folder: Path) -> list[str]:
    """Return the files below a folder in which a password stands that must not be there."""
    found: list[str] = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            data = _read(path)
            if reveals(os.fsencode(name)) or (data and reveals(data) and reveals(_without_the_known(name, data))):
                found.append(path)
    return found


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # a link, a socket, gone, or not ours to read
        return b""
    with open(descriptor, "rb") as file:
        return file.read(_LARGEST) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def _without_the_known(name: str, data: bytes) -> bytes:
    """Return what is left of a file without what it may hold by its kind."""
    if name.endswith(".xml"):
        return _CONFIGURED.sub(b"", data)
    if name in {".fetchmailrc", "getmailrc", ".mpoprc"}:  # configurations, too
        return _OTHERS.sub(b"", data)
    if data.startswith(b'{"version"'):
        return _TOKENS.sub(b"", data)
    if data.startswith(b"#!"):  # the script of a <password command="...">
        return _PRINTED.sub(b"", data)
    # the file of a <password file="...">: the password, and perhaps lines that are none
    first, _, rest = data.partition(b"\n")
    begins = (MARK.encode(), BOM_UTF8 + MARK.encode(), OCTETS, BOM_UTF8 + OCTETS)
    return rest if first.startswith(begins) and len(first) < 100 else data


def watched(capture: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """Return capsys or capfd, which from now on fails where a password is in what it has captured."""
    read = capture.readouterr

    def readouterr() -> object:
        captured = read()
        discreet(captured.out, captured.err)
        return captured

    capture.readouterr = readouterr  # type: ignore[method-assign,assignment]
    return capture
