"""What can go wrong in the dialogue: our own misuse (Local) and what the server may not do (Remote)."""

from __future__ import annotations


class LocalProtocolError(Exception):
    """We tried what POP3 does not allow here: a bug of ours, or an argument that cannot go on a line."""


class RemoteProtocolError(Exception):
    """The server sent what POP3 does not allow, or more of it than is sane.

    str(error) is fit for a person: server text in it is neutralised and free of our secrets. The connection cannot be
    used any further.
    """


class UnexpectedEof(RemoteProtocolError):
    """The connection ended before the dialogue did."""


class UnsolicitedReply(RemoteProtocolError):
    """The server spoke without being asked; servers do so to say why they are about to close (RFC 1939 §3)."""


class InjectedPlaintext(RemoteProtocolError):
    """Bytes arrived in clear behind STLS's +OK: somebody may be tampering with the connection (RFC 2595 §4)."""
