"""The capabilities of a server that matter for appending mail (RFC 9051 §6.1.1, §7.2.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tui_popretr.text import visible

_NUMBER = re.compile("[0-9]{1,18}")
#: Octets of a literal that LITERAL- allows without waiting (RFC 7888 §5).
LITERAL_MINUS = 4096


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the server offers; names in upper case, in its order."""

    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, words: bytes) -> Capabilities:
        """Read the words of a CAPABILITY response or response code."""
        names = (word.decode("utf-8", "replace").upper() for word in words.split())
        return cls(tuple(dict.fromkeys(names)))

    def has(self, name: str) -> bool:
        return name.upper() in self.names

    @property
    def shown(self) -> str:
        """The names in one line, safe to show."""
        return visible(" ".join(self.names))

    @property
    def imap(self) -> bool:
        """Whether it names a version of IMAP that is supported here."""
        return self.has("IMAP4REV1") or self.has("IMAP4REV2")

    @property
    def utf8_names(self) -> bool:
        """Whether folder names are UTF-8: the server has IMAP4rev2 alone (RFC 9051 §5.1, appendix A.1)."""
        return self.has("IMAP4REV2") and not self.has("IMAP4REV1")

    @property
    def starttls(self) -> bool:
        return self.has("STARTTLS")

    @property
    def login_disabled(self) -> bool:
        """Whether the command LOGIN is refused (RFC 9051 §6.2.3)."""
        return self.has("LOGINDISABLED")

    @property
    def initial_response(self) -> bool:
        """Whether AUTHENTICATE takes an initial response (RFC 4959)."""
        return self.has("SASL-IR") or self.has("IMAP4REV2")

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The SASL mechanisms, in the server's order."""
        return tuple(name[5:] for name in self.names if name.startswith("AUTH=") and len(name) > 5)

    @property
    def literal_limit(self) -> int | None:
        """The octets of a literal that may be sent without waiting (RFC 7888); None: any number; 0: none."""
        if self.has("LITERAL+"):
            return None
        return LITERAL_MINUS if self.has("LITERAL-") or self.has("IMAP4REV2") else 0

    @property
    def multiappend(self) -> bool:
        """Whether one APPEND takes several messages (RFC 3502)."""
        return self.has("MULTIAPPEND")

    @property
    def uidplus(self) -> bool:
        """Whether the answer to APPEND has the UID (RFC 4315)."""
        return self.has("UIDPLUS") or self.has("IMAP4REV2")

    @property
    def binary(self) -> bool:
        """Whether APPEND takes messages with NUL, as literal8 (RFC 3516)."""
        return self.has("BINARY")

    @property
    def unselect(self) -> bool:
        return self.has("UNSELECT") or self.has("IMAP4REV2")

    @property
    def gmail(self) -> bool:
        """Whether the server has Gmail's labels."""
        return self.has("X-GM-EXT-1")

    @property
    def append_limit(self) -> int | None:
        """The octets of the largest message (RFC 7889); None: not announced, or it differs from folder to folder."""
        limits = [name[12:] for name in self.names if name.startswith("APPENDLIMIT=")]
        return int(limits[0]) if limits and _NUMBER.fullmatch(limits[0]) else None
