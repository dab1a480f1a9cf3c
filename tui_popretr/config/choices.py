"""The settings that are one of several words, and how they are written."""

from __future__ import annotations

import re
from enum import Enum

from tui_popretr.config import values
from tui_popretr.config.values import InvalidValueError, did_you_mean, quote


class AuthType(Enum):
    """The login methods by their names in <authtypes>."""

    USERPASS = "USERPASS"
    APOP = "APOP"
    SASL_PLAIN = "SASL_PLAIN"
    SASL_CRAM_MD5 = "SASL_CRAM_MD5"
    SASL_EXTERNAL = "SASL_EXTERNAL"
    SASL_SCRAM_SHA_256 = "SASL_SCRAM_SHA_256"
    SASL_SCRAM_SHA_1 = "SASL_SCRAM_SHA_1"
    SASL_LOGIN = "SASL_LOGIN"
    SASL_XOAUTH2 = "SASL_XOAUTH2"
    SASL_OAUTHBEARER = "SASL_OAUTHBEARER"
    AUTO = "AUTO"


class CapaUse(Enum):
    """When CAPA is sent."""

    LOGIN = "N"  # before the login, and again after it if the answer may differ
    STLS = "Y"  # before STLS, too
    NEVER = "never"


class Eol(Enum):
    """Line ends of delivered files: LF, or CRLF as received."""

    NATIVE = "native"
    CRLF = "crlf"


#: Characters of a label in Gmail, at most.
LABEL_LENGTH = 225


class GmailDate(Enum):
    """Which date Gmail shows and sorts by."""

    HEADER = "header"  # the message's Date field
    RECEIVED = "received"  # when it was imported


class HookEvent(Enum):
    """What happens to a client, for hooks (docs/hooks.md)."""

    FAILED = "failed"
    RECOVERED = "recovered"
    DELIVERED = "delivered"
    LOGIN = "login"
    CERTIFICATE = "certificate"
    STALE = "stale"
    KEPT = "kept"


#: Events that can need a number of failed sessions in a row.
COUNTED_EVENTS = frozenset({HookEvent.FAILED, HookEvent.RECOVERED})
#: Events that can last for many sessions; their hooks run again after a time.
LASTING_EVENTS = frozenset({HookEvent.FAILED, HookEvent.LOGIN, HookEvent.CERTIFICATE, HookEvent.STALE})


class Rotation(Enum):
    """When a log file is followed by the next (GreyLog's `rot`)."""

    NEVER = "never"
    MINUTE = "minute"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


eol = values.choice({each.value: each for each in Eol})
gmail_date = values.choice({each.value: each for each in GmailDate})
hook_event = values.choice({each.value: each for each in HookEvent})
rotation = values.choice({each.value: each for each in Rotation})

UNSAFE_TLS_VERSIONS = ("TLSv1", "TLSv1.1")  # RFC 8996
tls_version = values.choice({each: each for each in (*UNSAFE_TLS_VERSIONS, "TLSv1.2", "TLSv1.3")})

# with GreyLog's names
log_level = values.choice(
    {
        "debug": "debug",
        "info": "info",
        "warning": "warning",
        "error": "error",
        "trace": "debug",
        "warn": "warning",
        "err": "error",
        **dict.fromkeys(("trc", "trc2", "trc3", "trc4", "trc5", "all"), "debug"),
        "off": "off",
    }
)


def capa(text: str) -> CapaUse:
    """Yes, no or never."""
    if text.lower() == CapaUse.NEVER.value:
        return CapaUse.NEVER
    try:
        return CapaUse.STLS if values.boolean(text) else CapaUse.LOGIN
    except InvalidValueError as error:
        raise InvalidValueError(f"{error}, or never") from None


def pipelining(text: str) -> bool:
    """Whether commands may be pipelined: auto, yes or no."""
    if text.lower() == "auto":
        return True
    try:
        return values.boolean(text)
    except InvalidValueError:
        raise InvalidValueError(f"{quote(text)} is neither auto nor N") from None


def auth_types(text: str) -> tuple[AuthType, ...]:
    """A list of login methods; each at most once, and AUTO only alone."""
    found: list[AuthType] = []
    for item in values.items(text):
        try:
            auth_type = AuthType[item.upper().replace("-", "_")]
        except KeyError:
            names = [known.value for known in AuthType]
            raise InvalidValueError(f"{quote(item)} is not a login method{did_you_mean(item, names)}") from None
        if auth_type in found:
            raise InvalidValueError(f"{auth_type.value} is named twice")
        found.append(auth_type)
    if AuthType.AUTO in found and len(found) > 1:
        raise InvalidValueError("AUTO cannot be combined with other methods: it chooses among all")
    return tuple(found)


def imap_auth_types(text: str) -> tuple[AuthType, ...]:
    """A list of login methods of IMAP."""
    found = auth_types(text)
    if AuthType.APOP in found:
        raise InvalidValueError("APOP is a login method of POP3; IMAP does not have it")
    return found


_SYSTEM_FLAGS = {flag.lower(): flag for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")}


def imap_flags(text: str) -> tuple[str, ...]:
    """A list of flags of IMAP: \\Seen, \\Flagged and others, and keywords (RFC 9051 §2.3.2)."""
    found = []
    for item in values.items(text) if text else ():
        flag = _SYSTEM_FLAGS.get(item.lower(), item)
        if flag.startswith("\\") and flag.lower() not in _SYSTEM_FLAGS:
            raise InvalidValueError(f"{quote(item)} is not a flag{did_you_mean(item, _SYSTEM_FLAGS.values())}")
        if not re.fullmatch(r"\\?[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]+", flag):
            raise InvalidValueError(f"{quote(item)} is not a keyword: it has spaces or characters that are not allowed")
        found.append(flag)
    return tuple(dict.fromkeys(found))


def labels(text: str) -> tuple[str, ...]:
    """A list of labels of Gmail."""
    return tuple(dict.fromkeys(map(values.printable, values.items(text)))) if text else ()


DEFAULT_AUTH_TYPES = (AuthType.USERPASS, AuthType.SASL_PLAIN)

#: Gmail's own labels that cannot be configured, with the reason.
_NO_LABELS = {
    "INBOX": "<inbox> decides about it",
    "UNREAD": "<unread> decides about it",
    "SENT": "it is for mail that was sent by Gmail",
    "DRAFT": "it is for drafts",
    "CHAT": "it is not for mail",
    "SPAM": "Gmail removes what has it",
    "TRASH": "Gmail removes what has it",
}


def gmail_labels(text: str) -> tuple[str, ...]:
    """A list of labels in Gmail, each once; a `/` makes a label below another."""
    found: dict[str, str] = {}
    for item in values.items(text) if text else ():
        name = "/".join(part.strip() for part in values.printable(item).split("/"))
        if reason := _NO_LABELS.get(name.upper()):
            raise InvalidValueError(f"the label {quote(name)} cannot be given: {reason}")
        if not all(name.split("/")) or len(name) > LABEL_LENGTH:
            raise InvalidValueError(f"{quote(name)} is not a label of Gmail")
        found.setdefault(name.casefold(), name)
    return tuple(found.values())
