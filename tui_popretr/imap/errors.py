"""Errors in the dialogue: misuse of the machine (Local) and violations by the server (Remote)."""

from __future__ import annotations


class LocalProtocolError(Exception):
    """A command is not allowed here: a bug, or an argument that cannot be written in a command."""


class RemoteProtocolError(Exception):
    """The server violated IMAP or a limit. The connection cannot be used any further.

    str(error) follows the server's name: "gave an answer that is not an IMAP response". It is safe to show: text of the
    server in it is escaped and has no secrets.
    """


class UnexpectedEof(RemoteProtocolError):
    """The connection ended before the session did."""


class EarlyCompletion(RemoteProtocolError):
    """The server answered OK to a command before it had all of it."""


class InjectedPlaintext(RemoteProtocolError):
    """Bytes arrived in clear after the OK to STARTTLS; an attacker may have injected them (RFC 9051 §11.1)."""
