"""The states of a POP3 session and every way from one to the next, as two tables.

SENDING says which commands may be sent in a state, and the state we are in once they are. ANSWERED says where the reply
(+OK or not) to one of these leads; a reply that is not in it changes nothing. So the state runs ahead of the replies:
behind STLS, a login or QUIT nothing more can be sent until the answer is there, while other commands may be pipelined.
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
    Rset,
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
    """Where the dialogue is (RFC 1939 §3, with the steps between)."""

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
        **dict.fromkeys((Capa, Stat, List, Uidl, Retr, Top, Dele, Noop, Rset), _S.TRANSACTION),
        Quit: _S.QUITTING,
    },
}

_UNMOVED: dict[tuple[type[Command], bool], State] = {}

ANSWERED: dict[State, dict[tuple[type[Command], bool], State]] = {
    **dict.fromkeys(State, _UNMOVED),
    _S.STARTING_TLS: {(Stls, True): _S.TLS_HANDSHAKE, (Stls, False): _S.AUTHORIZATION},
    _S.LOGGING_IN: _AWAITING_LOGIN,
    # +OK to a cancelled exchange is against RFC 5034 §4; the machine refuses it
    _S.CANCELLING: {(Auth, False): _S.AUTHORIZATION},
    _S.LEAVING: {(Quit, True): _S.CLOSED, (Quit, False): _S.CLOSED},
    # -ERR: the server ends the session as well, but some deletions were not done (RFC 1939 §6)
    _S.QUITTING: {(Quit, True): _S.UPDATE, (Quit, False): _S.CLOSED},
}

#: The session is over: nothing the server still says matters, and it may close.
OVER = (_S.UPDATE, _S.CLOSED)
#: A secret of ours is on the wire and unanswered.
SECRETS_OUT = (_S.LOGGING_IN, _S.CHALLENGED, _S.CANCELLING)
#: The server must not say anything here, whatever is outstanding.
SERVER_SILENT = (_S.CHALLENGED, _S.TLS_HANDSHAKE, *OVER)
