"""Replies of an SMTP server: a code and lines of text (RFC 5321 §4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from tui_popretr.smtp.commands import Command
from tui_popretr.text import visible

#: Characters of a reply that are shown.
SHOWN = 300


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete reply, the machine's only event. Secrets that the server echoes are starred out.

    `lines` are without the code. `command` is what the reply answers, None for the greeting and for a reply in the
    middle of a message. `received` are the whole lines, for a transcript.
    """

    code: int
    lines: tuple[bytes, ...]
    command: Command | None = field(default=None, compare=False)
    received: tuple[bytes, ...] = field(default=(), compare=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300

    @property
    def passing(self) -> bool:
        """Whether a refusal is temporary (4yz)."""
        return 400 <= self.code < 500

    @property
    def leaving(self) -> bool:
        """Whether the server closes the connection now (RFC 5321 §3.8)."""
        return self.code == 421

    def __str__(self) -> str:
        """The reply in one line, safe to show and of bounded length."""
        return visible(b" ".join((str(self.code).encode(), *self.lines)).strip(), SHOWN)
