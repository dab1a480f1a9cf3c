"""The states of an IMAP session (skeleton)."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """The state of the dialogue; the values are texts for errors."""

    GREETING = "waiting for the greeting"
    NOT_AUTHENTICATED = "not logged in"
    STARTING_TLS = "waiting for the answer to STARTTLS"
    TLS_HANDSHAKE = "waiting for the TLS handshake"
    LOGGING_IN = "waiting for the answer to a login"
    CHALLENGED = "owing the answer to a SASL challenge"
    CANCELLING = "waiting for the end of a cancelled SASL exchange"
    AUTHENTICATED = "logged in"
    SELECTED = "in a folder"
    LEAVING = "waiting for the answer to LOGOUT"
    CLOSED = "ended"
    BROKEN = "given up"
