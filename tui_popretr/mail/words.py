"""Texts of headers decoded for people: encoded words (RFC 2047), and octets that should not be there.

Nothing fails: a word that cannot be decoded is shown as it is, an unknown charset is read as UTF-8 or Windows-1252.
Python is not asked for a charset that it does not have: it would search its folders, and remember the name for ever.
The work is bounded by the length of the field (header.FIELD_LIMIT). What is returned is not neutralised.
"""

from __future__ import annotations

import binascii
import re
from contextlib import suppress
from encodings.aliases import aliases
from typing import Final

# RFC 2047 §2; spaces in the text and longer words than allowed occur. A language may follow the charset (RFC 2231 §5).
_WORD = re.compile(r"=\?([!-)+->@-~]{1,40})(?:\*[!->@-~]{0,20})?\?([bBqQ])\?([^?\r\n]*)\?=")
_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")
_NAME = re.compile(r"[^a-z0-9]+")
#: Codecs that are no charsets of mail.
_NO_CHARSETS: Final = frozenset(
    {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs", "oem"}
    | {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"}
)
#: Supersets, which show more than a replacement character where the charset is not quite the one that is named.
_SUPERSETS: Final = {
    "ascii": "",  # 8-bit octets occur nevertheless
    "latin_1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_CODECS: Final = {name: _SUPERSETS.get(codec, codec) for name, codec in aliases.items()}
_CHARSETS: Final = {
    name: codec
    for name, codec in {
        **_CODECS,
        **{codec: _SUPERSETS.get(codec, codec) for codec in aliases.values()},
        "x_gbk": "gb18030",
        "x_sjis": "cp932",
        "iso_8859_8_i": "iso8859_8",
    }.items()
    if codec not in _NO_CHARSETS
}


def decoded(value: bytes) -> str:
    """Return the text of an unfolded field, with its encoded words decoded.

    White space between two of them is not shown (RFC 2047 §6.2).
    """
    text = decode(value)
    if "=?" not in text:
        return text
    parts: list[str] = []
    octets, charset = b"", ""  # of adjacent encoded words: a character may be torn between them
    at, follows = 0, False  # an encoded word
    for word in _WORD.finditer(text):
        between = text[at : word.start()]
        found, name = _octets(word[2], word[3]), word[1].lower()
        adjacent = follows and found is not None and not between.strip()
        if not adjacent or name != charset:
            parts += [decode(octets, charset), "" if adjacent else between]
            octets, charset = b"", name
        if found is None:
            parts.append(word[0])
        else:
            octets += found
        at, follows = word.end(), found is not None
    return "".join([*parts, decode(octets, charset), text[at:]])


def decode(octets: bytes, charset: str = "") -> str:
    """Return octets as text. Without a charset, or with an unknown one, they are UTF-8, else Windows-1252."""
    codec = _CHARSETS.get(_NAME.sub("_", charset))
    if codec:
        with suppress(LookupError, UnicodeError):
            return octets.decode(codec, "replace")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def _octets(encoding: str, text: str) -> bytes | None:
    """Return the octets of an encoded word; None if it is damaged."""
    try:
        raw = text.encode("ascii")
        if encoding in "qQ":
            return _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), raw.replace(b"_", b" "))
        return binascii.a2b_base64(raw + b"=" * (-len(raw) % 4))
    except (UnicodeEncodeError, binascii.Error):
        return None
