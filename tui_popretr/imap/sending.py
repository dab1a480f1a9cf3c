"""A command on its way: the parts of it that are sent, and those that wait for the server (RFC 9051 §4.3, RFC 7888)."""

from __future__ import annotations

from collections import deque

from tui_popretr.imap.commands import Append, Command, SaslCancel, SaslResponse
from tui_popretr.imap.errors import LocalProtocolError
from tui_popretr.imap.strings import literal_header


class Sending:
    """One command, from its tag to its end.

    `limit` is the largest literal that may be sent without waiting, None for any (Capabilities.literal_limit).
    """

    __slots__ = ("_at", "_limit", "_missing", "_segments", "command", "refused", "waiting")

    def __init__(self, command: Command, tag: bytes, limit: int | None) -> None:
        self.command = command
        #: The server was asked for a continuation, which has not come.
        self.waiting = False
        #: The server has refused the command before its end. It takes the rest of a literal that was announced.
        self.refused = False
        self._limit = limit
        self._at = -1  # the message of the APPEND that is being sent; -1: none yet
        self._missing = 0  # octets of it
        self._segments = self._cut(command, tag)

    def _cut(self, command: Command, tag: bytes) -> deque[bytes]:
        """Return what is sent at once, and what is sent after each continuation."""
        segments: list[bytes] = [b"" if isinstance(command, SaslResponse | SaslCancel) else tag + b" "]
        for part in command.parts():
            if isinstance(part, bytes):
                segments[-1] += part
            elif part.quotable:
                segments[-1] += part.quoted()
            else:
                at_once = self._fits(len(part.octets))
                segments[-1] += literal_header(len(part.octets), at_once=at_once)
                if at_once:
                    segments[-1] += part.octets
                else:
                    segments.append(part.octets)
        if not isinstance(command, Append):
            segments[-1] += b"\r\n"
        return deque(segments)

    def _fits(self, size: int) -> bool:
        return self._limit is None or size <= self._limit

    @property
    def done(self) -> bool:
        """Whether all of it is sent, but for the messages of an APPEND and its end."""
        return not self._segments

    def next(self) -> bytes:
        """Return what is sent now: at the beginning, and after each continuation."""
        self.waiting = False
        if not self._segments:
            return b""
        data = self._segments.popleft()
        if self._segments:
            self.waiting = True
        elif isinstance(self.command, Append):
            data += self._announce(self.command)
        return data

    # --- the messages of an APPEND ------------------------------------------------------------------------------------

    def content(self, data: bytes) -> bytes:
        """Return a piece of the message."""
        if self.waiting or len(data) > self._missing:
            raise LocalProtocolError("no such piece of a message can be sent now")
        self._missing -= len(data)
        return data

    def next_message(self) -> bytes:
        """Return what announces the next message."""
        command = self.command
        assert isinstance(command, Append)
        if self.waiting or self._missing or self.refused or self._at + 1 >= len(command.messages):
            raise LocalProtocolError("no message can begin now")
        return self._announce(command)

    def end(self) -> bytes:
        """Return the end of the command. After a refusal it may come before the last message."""
        command = self.command
        assert isinstance(command, Append)
        if self.waiting or self._missing or (self._at + 1 < len(command.messages) and not self.refused):
            raise LocalProtocolError("the APPEND cannot end now")
        return b"\r\n"

    def _announce(self, command: Append) -> bytes:
        self._at += 1
        message = command.messages[self._at]
        at_once = self._fits(message.size)
        self._missing, self.waiting = message.size, not at_once
        return message.head(at_once=at_once)
