"""The states of a POP3 session and all transitions between them, in three tables.

RFC 1939 §3 has three states: AUTHORIZATION, TRANSACTION and UPDATE. They do not suffice for a client that pipelines
commands. A client also needs to know what it may send while replies are outstanding, and what the server may send.
So there are states for the time between certain commands and their replies.

The state runs ahead of the replies. It is QUITTING as soon as QUIT is sent, even if replies to earlier commands are
outstanding. A command that is sent in a state is therefore checked against the commands before it, not against replies.

SENDING has the commands that are allowed in a state, and the state after sending them. Most commands do not change the
state, so they can be pipelined (RFC 2449 §6.8). STLS, a login and QUIT change it to a state that allows no further
command, because the meaning of the next octet depends on the reply.

ANSWERED has the state after the reply (+OK or not) to a command. A reply without an entry changes nothing. An entry
applies only in its state: the reply to an earlier command cannot end LOGGING_IN.

OTHER has the transitions without a command: the greeting, a SASL challenge, and the end of a TLS handshake.

- GREETING: the server speaks first. +OK leads to AUTHORIZATION, -ERR ends the session.
- AUTHORIZATION: before the login. Also after a failed login and after STLS.
- STARTING_TLS: STLS is sent. Nothing may be sent in clear any more.
- TLS_HANDSHAKE: the server agreed. It must be silent; octets here would have been injected in clear (RFC 2595 §4).
- LOGGING_IN: a password, a digest or AUTH is sent. Secrets are on the wire, so every line is searched for them.
- CHALLENGED: the server sent a challenge and waits for the response. It must be silent until then.
- CANCELLING: the exchange is cancelled. Only -ERR is legal; +OK would be a login without proof (RFC 5034 §4).
- TRANSACTION: logged in. Deletions are marked, not done.
- LEAVING: QUIT is sent before a login. There is nothing to delete.
- QUITTING: QUIT is sent after a login. +OK confirms the deletions; -ERR means that some were not done (RFC 1939 §6).
- UPDATE: the session is over and the deletions are confirmed.
- CLOSED: the session is over without that confirmation.
- BROKEN: the server violated the protocol before the session was over. There is no way out, so the tables leave it out.

The end of the connection leads to CLOSED from UPDATE and CLOSED, and to BROKEN from all other states.
docs/architecture.md has the diagram, drawn from these tables.
"""

from __future__ import annotations

from enum import Enum

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
)


class State(Enum):
    """The state of the dialogue; the values are texts for errors."""

    GREETING = "waiting for the greeting"
    AUTHORIZATION = "not logged in"
    STARTING_TLS = "waiting for the answer to STLS"
    TLS_HANDSHAKE = "waiting for the TLS handshake"
    LOGGING_IN = "waiting for the answer to a login"
    CHALLENGED = "owing the answer to a SASL challenge"
    CANCELLING = "waiting for the end of a cancelled SASL exchange"
    TRANSACTION = "logged in"
    LEAVING = "waiting for the answer to QUIT, not logged in"
    QUITTING = "waiting for the answer to QUIT"
    UPDATE = "ended, deletions done"
    CLOSED = "ended"
    BROKEN = "given up"


class Trigger(Enum):
    """What changes the state without a command."""

    ACCEPTED = "+OK"
    REFUSED = "-ERR"
    CHALLENGE = "challenge"
    TLS_STARTED = "handshake done"


_S = State
_AWAITING_LOGIN: dict[tuple[type[Command], bool], State] = {
    (Pass, True): _S.TRANSACTION,
    (Pass, False): _S.AUTHORIZATION,
    (Apop, True): _S.TRANSACTION,
    (Apop, False): _S.AUTHORIZATION,
    (Auth, True): _S.TRANSACTION,
    (Auth, False): _S.AUTHORIZATION,
}
_NOTHING: dict[type[Command], State] = {}

SENDING: dict[State, dict[type[Command], State]] = {
    **dict.fromkeys(State, _NOTHING),
    _S.AUTHORIZATION: {
        Capa: _S.AUTHORIZATION,
        Utf8: _S.AUTHORIZATION,
        User: _S.AUTHORIZATION,
        Stls: _S.STARTING_TLS,
        Pass: _S.LOGGING_IN,
        Apop: _S.LOGGING_IN,
        Auth: _S.LOGGING_IN,
        Quit: _S.LEAVING,
    },
    _S.CHALLENGED: {SaslResponse: _S.LOGGING_IN, SaslCancel: _S.CANCELLING},
    _S.TRANSACTION: {
        **dict.fromkeys((Capa, Stat, List, Uidl, Retr, Top, Dele, Noop), _S.TRANSACTION),
        Quit: _S.QUITTING,
    },
}

_UNMOVED: dict[tuple[type[Command], bool], State] = {}

ANSWERED: dict[State, dict[tuple[type[Command], bool], State]] = {
    **dict.fromkeys(State, _UNMOVED),
    _S.STARTING_TLS: {(Stls, True): _S.TLS_HANDSHAKE, (Stls, False): _S.AUTHORIZATION},
    _S.LOGGING_IN: _AWAITING_LOGIN,
    # RFC 5034 §4 forbids +OK to a cancelled exchange; the machine refuses it.
    _S.CANCELLING: {(Auth, False): _S.AUTHORIZATION},
    _S.LEAVING: {(Quit, True): _S.CLOSED, (Quit, False): _S.CLOSED},
    # The session also ends with -ERR (RFC 1939 §6).
    _S.QUITTING: {(Quit, True): _S.UPDATE, (Quit, False): _S.CLOSED},
}

OTHER: dict[State, dict[Trigger, State]] = {
    _S.GREETING: {Trigger.ACCEPTED: _S.AUTHORIZATION, Trigger.REFUSED: _S.CLOSED},
    _S.TLS_HANDSHAKE: {Trigger.TLS_STARTED: _S.AUTHORIZATION},
    _S.LOGGING_IN: {Trigger.CHALLENGE: _S.CHALLENGED},
}

#: The session is over: what the server sends is ignored, and it may close the connection.
OVER = (_S.UPDATE, _S.CLOSED)
#: A command with a secret is unanswered.
SECRETS_OUT = (_S.LOGGING_IN, _S.CHALLENGED, _S.CANCELLING)
#: The server must not send anything, whatever is outstanding.
SERVER_SILENT = (_S.CHALLENGED, _S.TLS_HANDSHAKE, *OVER)
