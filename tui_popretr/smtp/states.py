"""The states of an SMTP or LMTP session and all transitions between them, in three tables.

RFC 5321 §4.1.4 gives the order of the commands. A client that pipelines them (RFC 2920) also needs to know what it may
send while replies are outstanding. So, as in pop3/states.py, the state runs ahead of the replies: it is ENVELOPE as
soon as MAIL is sent, and READY as soon as RSET is sent.

SENDING has the commands that are allowed in a state, and the state after sending them. STARTTLS, AUTH, DATA and QUIT
change it to a state that allows no further command, because the meaning of the next octet depends on the reply.

ANSWERED has the state after the final reply to a command, and whether it was a success: 220 to STARTTLS, 354 to DATA,
2yz to the others. A reply without an entry changes nothing, and an entry applies only in its state.

OTHER has the transitions without a command.

- GREETING: the server speaks first. 2yz leads to CONNECTED, any other code to REFUSED.
- REFUSED: the server takes no mail. Only QUIT is allowed (RFC 5321 §3.1).
- CONNECTED: we have not introduced ourselves. Also after STARTTLS (RFC 3207 §4.2).
- READY: no message is under way.
- STARTING_TLS: STARTTLS is sent. Nothing may be sent in clear any more.
- TLS_HANDSHAKE: the server agreed. It must be silent; octets here would have been injected in clear.
- LOGGING_IN: AUTH is sent. Secrets may be on the wire, so every line is searched for them.
- CHALLENGED: the server sent 334 and waits for the response. It must be silent until then.
- CANCELLING: the exchange is cancelled. A 2yz would be a login without proof.
- ENVELOPE: MAIL is sent, and nothing is decided. The next message needs RSET first.
- ASKING: DATA is sent.
- CONTENT: the server takes everything as the message, up to its end. There is no other way out but closing. A reply
  here breaks the dialogue: it answers nothing that was sent.
- ENDING: the end is sent. One verdict follows; in LMTP one for each recipient that was accepted (RFC 2033 §4.2). MAIL
  of the next message may be sent at once (RFC 2920 §3.1).
- LEAVING: QUIT is sent.
- CLOSED: the session is over: QUIT was answered, or the server has sent 421. What follows is ignored.
- BROKEN: the server violated the protocol before the session was over. There is no way out, so the tables leave it out.

A 421 leads from any state to CLOSED, and is the reply to all outstanding commands (RFC 5321 §3.8). Only the verdicts of
LMTP are waited for, since some servers give it for a single recipient. The end of the connection leads to CLOSED from
CLOSED, and to BROKEN from all other states.
"""

from __future__ import annotations

from enum import Enum

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


class State(Enum):
    """The state of the dialogue; the values are texts for errors."""

    GREETING = "waiting for the greeting"
    REFUSED = "refused by the greeting"
    CONNECTED = "not introduced"
    READY = "ready for a message"
    STARTING_TLS = "waiting for the answer to STARTTLS"
    TLS_HANDSHAKE = "waiting for the TLS handshake"
    LOGGING_IN = "waiting for the answer to a login"
    CHALLENGED = "owing the answer to a SASL challenge"
    CANCELLING = "waiting for the end of a cancelled SASL exchange"
    ENVELOPE = "in the envelope of a message"
    ASKING = "waiting for the answer to DATA"
    CONTENT = "in the middle of a message"
    ENDING = "waiting for the answer to a message"
    LEAVING = "waiting for the answer to QUIT"
    CLOSED = "ended"
    BROKEN = "given up"

    __hash__ = object.__hash__  # Enum's own is slow, and each reply needs several


class Trigger(Enum):
    """What changes the state without a command."""

    ACCEPTED = "2yz"
    REFUSED = "4yz, 5yz"
    CHALLENGE = "334"
    TLS_STARTED = "handshake done"


_S = State
_NOTHING: dict[type[Command], State] = {}

SENDING: dict[State, dict[type[Command], State]] = {
    **dict.fromkeys(State, _NOTHING),
    _S.REFUSED: {Quit: _S.LEAVING},
    _S.CONNECTED: {
        **dict.fromkeys((Ehlo, Lhlo, Helo, Noop), _S.CONNECTED),
        Quit: _S.LEAVING,
    },
    _S.READY: {
        **dict.fromkeys((Noop, Rset), _S.READY),
        StartTls: _S.STARTING_TLS,
        Auth: _S.LOGGING_IN,
        Mail: _S.ENVELOPE,
        Quit: _S.LEAVING,
    },
    _S.CHALLENGED: {SaslResponse: _S.LOGGING_IN, SaslCancel: _S.CANCELLING},
    _S.ENVELOPE: {
        **dict.fromkeys((Rcpt, Noop), _S.ENVELOPE),
        Rset: _S.READY,
        Data: _S.ASKING,
        Quit: _S.LEAVING,
    },
    _S.CONTENT: {EndOfMessage: _S.ENDING},
    _S.ENDING: {Mail: _S.ENVELOPE},
}

_UNMOVED: dict[tuple[type[Command], bool], State] = {}

ANSWERED: dict[State, dict[tuple[type[Command], bool], State]] = {
    **dict.fromkeys(State, _UNMOVED),
    _S.CONNECTED: {(Ehlo, True): _S.READY, (Lhlo, True): _S.READY, (Helo, True): _S.READY},
    _S.STARTING_TLS: {(StartTls, True): _S.TLS_HANDSHAKE, (StartTls, False): _S.READY},
    _S.LOGGING_IN: {(Auth, True): _S.READY, (Auth, False): _S.READY},
    # The machine refuses a 2yz to a cancelled exchange.
    _S.CANCELLING: {(Auth, False): _S.READY},
    _S.ASKING: {(Data, True): _S.CONTENT, (Data, False): _S.ENVELOPE},
    # After the last verdict.
    _S.ENDING: {(EndOfMessage, True): _S.READY, (EndOfMessage, False): _S.READY},
    _S.LEAVING: {(Quit, True): _S.CLOSED, (Quit, False): _S.CLOSED},
}

OTHER: dict[State, dict[Trigger, State]] = {
    _S.GREETING: {Trigger.ACCEPTED: _S.CONNECTED, Trigger.REFUSED: _S.REFUSED},
    _S.TLS_HANDSHAKE: {Trigger.TLS_STARTED: _S.CONNECTED},
    _S.LOGGING_IN: {Trigger.CHALLENGE: _S.CHALLENGED},
}

#: The states in which a command with a secret may be unanswered.
SECRETS_OUT = (_S.LOGGING_IN, _S.CHALLENGED, _S.CANCELLING)
