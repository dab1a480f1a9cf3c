"""The capabilities of a server: the answer to CAPA (RFC 2449 §5 and §6), parsed tolerantly."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

from tui_popretr.text import visible


class Never(Enum):
    """The type of NEVER."""

    NEVER = "never"


#: EXPIRE NEVER: the server promises not to delete messages by itself (RFC 2449 §6.7).
NEVER: Final = Never.NEVER

_NUMBER = re.compile("[0-9]{1,9}")
# RFC 2449 §3: a tag is any run of visible characters that does not begin with a dot.
_TAG = re.compile("[!-\\-/-~][!-~]*")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capabilities of one CAPA answer. Names are matched without regard to case."""

    lines: tuple[str, ...] = ()  # as sent, safe to show
    _parameters: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, data: bytes, redacted: Callable[[bytes], bytes] = bytes) -> Capabilities:
        """Read the data of a CAPA listing. Lines that are not capabilities are only shown.

        `redacted` returns a line in a form that is safe to show; the capability is read from the line itself.
        """
        lines: list[str] = []
        parameters: dict[str, tuple[str, ...]] = {}
        for raw in data.splitlines():
            words = raw.decode("utf-8", "replace").split()
            if not words:
                continue
            shown = redacted(raw)
            lines.append(visible(shown))
            name = words[0].upper()
            if name == "IMPLEMENTATION":  # only shown
                words = shown.decode("utf-8", "replace").split()
            if _TAG.fullmatch(name):
                # Some servers list their mechanisms in several SASL lines.
                parameters[name] = parameters.get(name, ()) + tuple(words[1:])
        return cls(tuple(lines), parameters)

    def has(self, name: str) -> bool:
        """Whether the server named this capability."""
        return name.upper() in self._parameters

    def params(self, name: str) -> tuple[str, ...]:
        """Return the parameters of a capability, () if there are none or the server has not named it."""
        return self._parameters.get(name.upper(), ())

    @property
    def sasl(self) -> tuple[str, ...]:
        """The SASL mechanisms in upper case, in the server's order (RFC 5034 §3)."""
        return tuple(dict.fromkeys(mechanism.upper() for mechanism in self.params("SASL")))

    @property
    def pipelining(self) -> bool:
        """Several commands may be sent without waiting for replies (RFC 2449 §6.8)."""
        return self.has("PIPELINING")

    @property
    def stls(self) -> bool:
        return self.has("STLS")

    @property
    def uidl(self) -> bool:
        return self.has("UIDL")

    @property
    def login_delay(self) -> int | None:
        """The least seconds between two logins; it may differ for the user after login (RFC 2449 §6.5)."""
        return self._number("LOGIN-DELAY")

    @property
    def expire(self) -> int | Literal[Never.NEVER] | None:
        """The days after which the server itself deletes retrieved messages, 0: at once (RFC 2449 §6.7)."""
        if self.params("EXPIRE")[:1] and self.params("EXPIRE")[0].upper() == "NEVER":
            return NEVER
        return self._number("EXPIRE")

    def _number(self, name: str) -> int | None:
        words = self.params(name)
        return int(words[0]) if words and _NUMBER.fullmatch(words[0]) else None
