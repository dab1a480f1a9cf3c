"""Errors in the dialogue: misuse of the machine (Local) and violations by the server (Remote)."""

from __future__ import annotations


class LocalProtocolError(Exception):
    """A command is not allowed here: a bug, or an argument that cannot be written on a line."""


class RemoteProtocolError(Exception):
    """The server violated SMTP or a limit. The connection cannot be used any further.

    str(error) follows the server's name: "gave an answer that is not an SMTP reply". It is safe to show: text of the
    server in it is escaped and has no secrets.
    """


class UnexpectedEof(RemoteProtocolError):
    """The connection ended before the session did."""


class UnsolicitedReply(RemoteProtocolError):
    """The server sent octets without a command. They must not be taken for the reply to the next command."""


class EarlyReply(RemoteProtocolError):
    """The server replied to a message before its end. It takes whatever follows as the rest of the message."""


class InjectedPlaintext(RemoteProtocolError):
    """Bytes arrived in clear after the 220 to STARTTLS; an attacker may have injected them (RFC 3207 §6)."""
