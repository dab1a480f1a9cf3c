"""The states of an IMAP session and all transitions between them, in three tables (RFC 9051 §3).

SENDING has the commands that are allowed in a state, and the state after sending them. A command that keeps the state
may be sent while others are unanswered; one that changes it only when nothing is unanswered, and nothing more may be
sent before its answer, because the meaning of the next octet depends on that.

ANSWERED has the state after the tagged answer to a command, and whether it was OK. A pair without an entry changes
nothing.

OTHER has the transitions without a command.

- GREETING: the server speaks first: OK, PREAUTH or BYE.
- NOT_AUTHENTICATED: also after STARTTLS.
- STARTING_TLS: STARTTLS is sent. Nothing may be sent in clear any more.
- TLS_HANDSHAKE: the server agreed. It must be silent; octets here would have been injected in clear.
- LOGGING_IN: a login is sent. Secrets may be on the wire, so every line is searched for them.
- CHALLENGED: the server waits for a SASL response.
- CANCELLING: the exchange is cancelled. An OK would be a login without proof.
- AUTHENTICATED: no folder is selected.
- SELECTING: SELECT or EXAMINE is sent. If it fails, no folder is selected (RFC 9051 §6.3.2).
- SELECTED: messages of one folder can be found and read.
- DESELECTING: CLOSE or UNSELECT is sent.
- LEAVING: LOGOUT is sent.
- DISMISSED: the server has sent BYE. It may still answer what was sent before, and then closes the connection.
- CLOSED: the session is over. What follows is ignored.
- BROKEN: the server violated the protocol before the session was over. There is no way out, so the tables leave it out.

A BYE leads to DISMISSED from every state but LEAVING. The end of the connection leads to CLOSED from CLOSED, and from
DISMISSED if nothing is unanswered; to BROKEN from all other states.

Literals have no states of their own: see Machine.waiting and Machine.unsent.
"""

from __future__ import annotations

from enum import Enum

from tui_popretr.imap.commands import (
    AddLabels,
    Append,
    Authenticate,
    Capability,
    Close,
    Command,
    Create,
    Examine,
    FetchData,
    ListFolders,
    Login,
    Logout,
    Noop,
    SaslCancel,
    SaslResponse,
    SearchHeader,
    Select,
    StartTls,
    StatusOf,
    Subscribe,
    Unselect,
)


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
    SELECTING = "waiting for a folder"
    SELECTED = "in a folder"
    DESELECTING = "leaving a folder"
    LEAVING = "waiting for the answer to LOGOUT"
    DISMISSED = "ended by the server"
    CLOSED = "ended"
    BROKEN = "given up"


class Trigger(Enum):
    """What changes the state without a command."""

    ACCEPTED = "OK"
    LOGGED_IN = "PREAUTH"
    CHALLENGE = "continuation"
    TLS_STARTED = "handshake done"


_S = State
_NOTHING: dict[type[Command], State] = {}
_ANYWHERE = (Capability, Noop, Create, Subscribe, StatusOf, ListFolders, Append)

SENDING: dict[State, dict[type[Command], State]] = {
    **dict.fromkeys(State, _NOTHING),
    _S.NOT_AUTHENTICATED: {
        **dict.fromkeys((Capability, Noop), _S.NOT_AUTHENTICATED),
        StartTls: _S.STARTING_TLS,
        Login: _S.LOGGING_IN,
        Authenticate: _S.LOGGING_IN,
        Logout: _S.LEAVING,
    },
    _S.CHALLENGED: {SaslResponse: _S.LOGGING_IN, SaslCancel: _S.CANCELLING},
    _S.AUTHENTICATED: {
        **dict.fromkeys(_ANYWHERE, _S.AUTHENTICATED),
        **dict.fromkeys((Examine, Select), _S.SELECTING),
        Logout: _S.LEAVING,
    },
    _S.SELECTED: {
        **dict.fromkeys((*_ANYWHERE, SearchHeader, FetchData, AddLabels), _S.SELECTED),
        **dict.fromkeys((Examine, Select), _S.SELECTING),
        **dict.fromkeys((Close, Unselect), _S.DESELECTING),
        Logout: _S.LEAVING,
    },
}

_UNMOVED: dict[tuple[type[Command], bool], State] = {}

ANSWERED: dict[State, dict[tuple[type[Command], bool], State]] = {
    **dict.fromkeys(State, _UNMOVED),
    _S.STARTING_TLS: {(StartTls, True): _S.TLS_HANDSHAKE, (StartTls, False): _S.NOT_AUTHENTICATED},
    _S.LOGGING_IN: {
        (Login, True): _S.AUTHENTICATED,
        (Login, False): _S.NOT_AUTHENTICATED,
        (Authenticate, True): _S.AUTHENTICATED,
        (Authenticate, False): _S.NOT_AUTHENTICATED,
    },
    # The machine refuses an OK to a cancelled exchange.
    _S.CANCELLING: {(Authenticate, False): _S.NOT_AUTHENTICATED},
    _S.SELECTING: {
        **dict.fromkeys(((Examine, True), (Select, True)), _S.SELECTED),
        **dict.fromkeys(((Examine, False), (Select, False)), _S.AUTHENTICATED),
    },
    _S.DESELECTING: {
        **dict.fromkeys(((Close, True), (Unselect, True)), _S.AUTHENTICATED),
        **dict.fromkeys(((Close, False), (Unselect, False)), _S.SELECTED),
    },
    _S.LEAVING: {(Logout, True): _S.CLOSED, (Logout, False): _S.CLOSED},
}

OTHER: dict[State, dict[Trigger, State]] = {
    _S.GREETING: {Trigger.ACCEPTED: _S.NOT_AUTHENTICATED, Trigger.LOGGED_IN: _S.AUTHENTICATED},
    _S.TLS_HANDSHAKE: {Trigger.TLS_STARTED: _S.NOT_AUTHENTICATED},
    _S.LOGGING_IN: {Trigger.CHALLENGE: _S.CHALLENGED},
}

#: The states in which a command with a secret may be unanswered.
SECRETS_OUT = (_S.LOGGING_IN, _S.CHALLENGED, _S.CANCELLING)
