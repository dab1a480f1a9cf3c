"""The cause of a permanent refusal (5yz): the message and its recipients, or the configuration of this program.

The distinction matters because a message that is refused often enough may be saved in a folder, and a missing
<username> must never do that to all mail. Servers give the cause as a code (RFC 4954 §4.7, RFC 3207 §4) or as text:
the texts of common servers are listed here. If the cause is uncertain, the configuration is assumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from tui_popretr.errors import (
    DeliveryFailed,
    MessageRejected,
    RecipientsRefused,
    SmtpLoginFailed,
    SmtpServerRefused,
    SmtpTemporaryFailure,
)
from tui_popretr.smtp import Reply


class Phase(Enum):
    """The step of a transaction that was refused."""

    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CONTENT = auto()  # the message was sent, as a whole or in part


class Cause(Enum):
    """The cause of a permanent refusal."""

    MESSAGE = auto()  # the message, or the recipient
    TLS = auto()  # the server wants TLS first
    LOGIN = auto()  # the server wants a login first, or another one
    RELAY = auto()  # the server does not relay mail for this recipient
    SENDER = auto()  # the envelope sender
    OURSELVES = auto()  # our host, our account, or one of our commands; or the server accepts no mail at all


_TLS_CODES: Final = frozenset((523, 524, 538))
_LOGIN_CODES: Final = frozenset((530, 534, 535))
#: Syntax errors and commands out of sequence. After a message some servers answer 500 to a line that is too long.
_COMMAND_CODES: Final = frozenset(range(500, 505))
#: Of a message and not of its sender (RFC 1870 §6.1, RFC 3463 §3.3, §3.4).
_TOO_LARGE: Final = 552
_TOO_LARGE_STATUS: Final = re.compile(r"5\.(2\.3|3\.4)\b")
_SENDER_STATUS: Final = re.compile(r"5\.(1\.[78]|7\.60)\b")
#: DKIM, SPF and DMARC refusals mention authentication, too: that of the message (RFC 7372).
_MESSAGE_AUTHENTICATION: Final = re.compile(r"5\.7\.2\d\b|\b(dmarc|dkim|spf|arc)\b")

_TLS: Final = re.compile(
    r"starttls|\b(tls|ssl|encryption|encrypted|secure) (\w+ ){0,3}(required|needed|mandatory|first)\b"
    r"|\b(require|need|use|must use|requires|needs) (a |an )?(tls|ssl|encryption|encrypted|secure)\b"
)
_LOGIN: Final = re.compile(
    r"\bauth(entication|orization|orisation)? (is )?(required|needed|first)\b"
    r"|\b(log ?in|logon) (is )?(required|first)\b"
    r"|\b(must|please|need to|have to|should|first) (first )?(authenticate|log ?in|log on|sign in)\b"
    r"|\bnot (been |yet )?(authenticated|logged in)\b|\b(require|need|enable|use)s? (smtp[ -]?)?auth(entication)?\b"
    r"|\bsmtp[ -]auth\b|\bpop[ -]before[ -]smtp\b"
)
_RELAY: Final = re.compile(
    r"\brelaying\b|\brelay (access |is |was )*(denied|not|prohibited|forbidden|disallowed|refused|rejected)\b"
    r"|\b(not|n't|cannot|unable to|no|never) (\w+ ){0,3}relay\b|\brcpthosts\b"
)
_SENDER: Final = re.compile(
    r"\bsender (address |domain |verify )*(\S+ )?(rejected|not|denied|blocked|refused|failed|invalid|unknown)\b"
    r"|\bsend (mail )?as\b|\bsend (mail )?on behalf\b|\bfrom address\b.*\bnot\b"
)
_OURSELVES: Final = re.compile(
    r"\b(helo|ehlo|client host|your (ip|host|server|address)|reverse (dns|host\w*)|rdns|ptr|smtputf8)\b"
    r"|\b(rbl|dnsbl|spamhaus)\b|\bblocked (using|by)\b|\b(black|block|deny) ?list"
)
#: Of no single message: a limit of what may be sent, the account, the server as a whole (RFC 3463 §3.4, §3.5).
_NO_MAIL_AT_ALL: Final = re.compile(
    r"5\.(3\.[125]|4\.5)\b"
    r"|\b(send(ing)?|submission|outgoing|outbound|daily|hourly|rate|relay|bandwidth) (\w+ ){0,3}(limits?|quota)\b"
    r"|\bexceeded your (\w+ ){0,3}(limits?|quota)\b"
    r"|\b(your|this) account (\w+ ){0,3}(suspended|disabled|blocked|locked|restricted|not allowed)\b"
    r"|\bno smtp service\b"
)

#: The advice.
_START_TLS: Final = "the server accepts mail only over TLS: add <starttls>Y</starttls> to <smtp>, or use port 465"
_LOG_IN: Final = "the server accepts mail only after a login: add <username> and <password> to <smtp>"
_OTHER_LOGIN: Final = (
    "the server does not allow this account to send this mail: check <username> and <password> in <smtp>"
)
_NO_RELAY: Final = (
    "the domain of recip is not one of the server's own, and the server does not relay for us: check recip and"
    " <address>, or add <username> and <password> to <smtp>"
)
_NO_SENDER: Final = "check <sender> in <smtp>: the server does not accept it from us"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What has succeeded on the connection, for the advice."""

    under_tls: bool = False
    logged_in: bool = False


def cause_of(reply: Reply, phase: Phase) -> Cause:
    """Return the cause of a permanent refusal."""
    text = b" ".join(reply.lines).decode("utf-8", "replace").lower()
    if phase is Phase.MAIL and (reply.code == _TOO_LARGE or _TOO_LARGE_STATUS.match(text)):
        return Cause.MESSAGE
    if reply.code not in _LOGIN_CODES | _TLS_CODES and _MESSAGE_AUTHENTICATION.search(text):
        return Cause.MESSAGE if phase in (Phase.DATA, Phase.CONTENT) else Cause.OURSELVES
    if reply.code in _TLS_CODES or _TLS.search(text):
        return Cause.TLS
    if reply.code in _LOGIN_CODES or _LOGIN.search(text):
        return Cause.LOGIN
    if _RELAY.search(text):
        return Cause.RELAY
    if phase is Phase.MAIL or _SENDER_STATUS.match(text) or _SENDER.search(text):
        return Cause.SENDER
    if _NO_MAIL_AT_ALL.search(text):
        return Cause.OURSELVES
    if phase is not Phase.CONTENT and (reply.code in _COMMAND_CODES or _OURSELVES.search(text)):
        return Cause.OURSELVES
    return Cause.MESSAGE


def refusal(text: str, reply: Reply, phase: Phase, how: Circumstances) -> DeliveryFailed:
    """Return the error for a permanent refusal. `text` says what happened.

    Its `refused_for_good` is true for refusals of the message or of its recipients only.
    """
    match cause_of(reply, phase):
        case Cause.MESSAGE:
            return RecipientsRefused(text) if phase is Phase.RCPT else MessageRejected(text)
        case Cause.TLS if not how.under_tls:
            return SmtpServerRefused(text, advice=_START_TLS)
        case Cause.LOGIN:
            return SmtpLoginFailed(text, advice=_OTHER_LOGIN if how.logged_in else _LOG_IN)
        case Cause.RELAY if not how.logged_in:
            return SmtpServerRefused(text, advice=_NO_RELAY)
        case Cause.SENDER if phase is not Phase.MAIL:
            return SmtpServerRefused(text, advice=_NO_SENDER)
        case _:
            return SmtpServerRefused(text)


def common_refusal(text: str, replies: Iterable[tuple[Reply, Phase]], how: Circumstances) -> DeliveryFailed:
    """Return the error for several refusals of one message: permanent, or about the message, only if all are."""
    refusals = list(replies)
    if any(reply.passing for reply, _ in refusals):
        return SmtpTemporaryFailure(text)
    errors = [refusal(text, reply, phase, how) for reply, phase in refusals]
    ours = (each for each in errors if not each.refused_for_good)
    of_message = (each for each in errors if isinstance(each, MessageRejected))
    return next(ours, None) or next(of_message, errors[0])
