"""The client side of POP3 as a pure state machine: commands in and bytes out, bytes in and events out."""

from tui_popretr.pop3.authentication import Authentication
from tui_popretr.pop3.capabilities import NEVER, Capabilities, Never
from tui_popretr.pop3.commands import (
    Apop,
    Auth,
    Capa,
    Command,
    Dele,
    List,
    Noop,
    Pass,
    Quit,
    Retr,
    SaslCancel,
    SaslResponse,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
    apop_digest,
)
from tui_popretr.pop3.errors import (
    InjectedPlaintext,
    LocalProtocolError,
    RemoteProtocolError,
    UnexpectedEof,
    UnsolicitedReply,
)
from tui_popretr.pop3.events import BodyChunk, BodyEnd, Continuation, Event, Greeting, Listing, Reply
from tui_popretr.pop3.listing import UID, parse_list, parse_stat, parse_uidl
from tui_popretr.pop3.machine import QUIET, Machine
from tui_popretr.pop3.states import State
from tui_popretr.pop3.status import response_code

__all__ = [
    "NEVER",
    "QUIET",
    "UID",
    "Apop",
    "Auth",
    "Authentication",
    "BodyChunk",
    "BodyEnd",
    "Capa",
    "Capabilities",
    "Command",
    "Continuation",
    "Dele",
    "Event",
    "Greeting",
    "InjectedPlaintext",
    "List",
    "Listing",
    "LocalProtocolError",
    "Machine",
    "Never",
    "Noop",
    "Pass",
    "Quit",
    "RemoteProtocolError",
    "Reply",
    "Retr",
    "SaslCancel",
    "SaslResponse",
    "Stat",
    "State",
    "Stls",
    "Top",
    "Uidl",
    "UnexpectedEof",
    "UnsolicitedReply",
    "User",
    "Utf8",
    "apop_digest",
    "parse_list",
    "parse_stat",
    "parse_uidl",
    "response_code",
]
