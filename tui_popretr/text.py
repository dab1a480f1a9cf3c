"""Text from outside made safe to show: control and invisible characters become visible escapes.

These are escaped, by Unicode's general categories and properties:

- Cc: C0, DEL and C1, among them ESC and the line ends;
- Cf: format characters, which have no width or reorder what is around them: bidi marks, embeddings, overrides and
  isolates, joiners, soft hyphens, tags;
- Zl and Zp: the line and the paragraph separator;
- Cs: lone surrogates, as in file names that are not UTF-8;
- Default_Ignorable_Code_Point: characters without a glyph, such as Hangul fillers, and reserved code points;
- noncharacters.

Variation selectors stay, though they are ignorable: they choose between two pictures of the character before them and
stand in many subjects. Unassigned characters stay: a newer Unicode may have them. Both have no width that all terminals
agree on; ui.cells settles that.
"""

from __future__ import annotations

import json
import re

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(raw: bytes | str, limit: int = 1024) -> str:
    """Return text from outside in a form that is safe in a terminal and in a log.

    Unsafe characters become \\xNN, \\uNNNN or \\UNNNNNNNN, bytes that are not UTF-8 \\xNN. A text of more than `limit`
    characters is cut, with an ellipsis. A text without unsafe characters is not changed.
    """
    text = raw[: 4 * limit + 4].decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw[: limit + 1]
    if not (text.isascii() and text.isprintable()):  # as nearly all texts are
        text = _UNSAFE.sub(_escape, text)
    return text if len(text) <= limit else text[:limit] + "…"


def json_text(value: object) -> str:
    """Return a value as JSON in one line that is safe in a terminal: unsafe characters are escapes of JSON."""
    return _UNSAFE.sub(lambda match: json.dumps(match.group())[1:-1], json.dumps(value, ensure_ascii=False))
