"""Replies of an SMTP server: a code and lines of text (RFC 5321 §4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from tui_popretr.text import visible

#: Characters of a reply that are shown.
SHOWN = 300


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """A complete reply. `lines` are as received, without the code, with secrets starred out."""

    code: int
    lines: tuple[bytes, ...]

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
