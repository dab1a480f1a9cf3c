"""Errors in the dialogue: misuse of the machine (Local) and violations by the server (Remote)."""

from __future__ import annotations


class LocalProtocolError(Exception):
    """A command is not allowed here: a bug, or an argument that cannot be written on a line."""


class RemoteProtocolError(Exception):
    """The server violated POP3 or a limit. The connection cannot be used any further.

    str(error) is safe to show: text of the server in it is escaped and has no secrets.
    """


class UnexpectedEof(RemoteProtocolError):
    """The connection ended before the session did."""


class UnsolicitedReply(RemoteProtocolError):
    """The server sent a line without a command. Some do so before they close the connection (RFC 1939 §3)."""


class InjectedPlaintext(RemoteProtocolError):
    """Bytes arrived in clear after the +OK to STLS; an attacker may have injected them (RFC 2595 §4)."""
