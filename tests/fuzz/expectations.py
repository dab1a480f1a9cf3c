"""What holds of every text that the program shows or writes, whatever it was made of."""

from __future__ import annotations

import re

#: Acts on a terminal, ends a line, or hides or reorders what stands beside it.
_DANGEROUS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)

#: A password of ours, which a server may know and repeat. What it begins with is no hexadecimal digit: in the repr of
#: octets, one that it does not begin with would be taken for it.
PASSWORD = "horse-battery-staple"


def harmless(text: str, *, longest: int | None = None) -> None:
    """Fail where a text is not one line, could act on a terminal, or is longer than so many characters."""
    assert not _DANGEROUS.search(text), ascii(text)
    assert longest is None or len(text) <= longest, f"{len(text)} characters"


def discreet(*things: object) -> None:
    """Fail where a password of ours can be read in one of these, as text or in its repr."""
    for thing in things:
        assert PASSWORD not in str(thing), "the password is shown"
        assert PASSWORD not in repr(thing), "the password is in a repr"
