"""Server text made safe to show: control and escape bytes become visible, the rest stays readable."""

from __future__ import annotations

import re

# C0, DEL, C1; lone surrogates, as names of files that are not UTF-8 have them; and the characters that move, hide or
# reorder text on a terminal
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def visible(raw: bytes | str, limit: int = 1024) -> str:
    """Return text from outside in a form that is safe in a terminal and in a log.

    Control characters (ESC among them) are shown as \\xNN, bytes that are not UTF-8 likewise, and what is longer than
    `limit` characters is cut with an ellipsis.
    """
    text = raw[: 4 * limit + 4].decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw[: limit + 1]
    if not (text.isascii() and text.isprintable()):  # nearly everything is
        text = _UNSAFE.sub(_escape, text)
    return text if len(text) <= limit else text[:limit] + "…"
