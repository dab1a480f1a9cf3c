"""The client side of SMTP and LMTP as a pure state machine: commands in and bytes out, bytes in and replies out."""

from tui_popretr.smtp.addresses import envelope_address
from tui_popretr.smtp.authentication import (
    MECHANISMS_IN_CLEAR,
    MECHANISMS_IN_PRIVATE,
    MECHANISMS_OF_TOKENS,
    Authentication,
)
from tui_popretr.smtp.commands import (
    Auth,
    Command,
    Data,
    Ehlo,
    EndOfMessage,
    Helo,
    Lhlo,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    SaslCancel,
    SaslResponse,
    StartTls,
)
from tui_popretr.smtp.encoding import END
from tui_popretr.smtp.errors import (
    EarlyReply,
    InjectedPlaintext,
    LocalProtocolError,
    RemoteProtocolError,
    UnexpectedEof,
    UnsolicitedReply,
)
from tui_popretr.smtp.extensions import Extensions
from tui_popretr.smtp.machine import MAX_LINE, MAX_LINES, Machine
from tui_popretr.smtp.reply import SHOWN, Reply
from tui_popretr.smtp.states import State
from tui_popretr.smtp.window import WINDOW, groups

__all__ = [
    "END",
    "MAX_LINE",
    "MAX_LINES",
    "MECHANISMS_IN_CLEAR",
    "MECHANISMS_IN_PRIVATE",
    "MECHANISMS_OF_TOKENS",
    "SHOWN",
    "WINDOW",
    "Auth",
    "Authentication",
    "Command",
    "Data",
    "EarlyReply",
    "Ehlo",
    "EndOfMessage",
    "Extensions",
    "Helo",
    "InjectedPlaintext",
    "Lhlo",
    "LocalProtocolError",
    "Machine",
    "Mail",
    "Noop",
    "Quit",
    "Rcpt",
    "RemoteProtocolError",
    "Reply",
    "Rset",
    "SaslCancel",
    "SaslResponse",
    "StartTls",
    "State",
    "UnexpectedEof",
    "UnsolicitedReply",
    "envelope_address",
    "groups",
]
