"""What a refusal (NO, BAD, BYE) means: the error for it, by its response code or, without one, by its text.

Most codes are those of RFC 5530. A refusal of APPEND without a cause concerns this message alone, so that one bad
message never stops the others; but a full mailbox, a missing folder and a missing permission concern all messages.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

from tui_popretr.errors import (
    DeliveryFailed,
    ImapFolderMissing,
    ImapFolderUnusable,
    ImapLoginFailed,
    ImapMessageRefused,
    ImapProtocolError,
    ImapRefused,
    ImapServerUnreachable,
    ImapTemporaryFailure,
)
from tui_popretr.imap import Status


class Subject(Enum):
    """What was refused."""

    GREETING = auto()
    SESSION = auto()  # a BYE later
    LOGIN = auto()
    FOLDER = auto()  # examining, making or listing it
    MESSAGE = auto()  # APPEND
    LABELS = auto()
    SEARCH = auto()


#: Refusals for now, whatever was refused. Gmail has THROTTLED.
_FOR_NOW: Final = frozenset(("UNAVAILABLE", "INUSE", "SERVERBUG", "EXPUNGEISSUED", "THROTTLED"))
_MISSING: Final = frozenset(("NONEXISTENT", "TRYCREATE"))
#: Of RFC 7889 (TOOBIG), RFC 3516 (UNKNOWN-CTE) and RFC 5530.
_OF_MESSAGE: Final = frozenset(("TOOBIG", "UNKNOWN-CTE", "CANNOT"))

#: The words of refusals without a code.
_TEXT_FOR_NOW: Final = re.compile(
    r"\btemporar|\b(?:try|retry)\b.*\b(?:again|later)\b|\btoo many\b.*\b(?:connections?|sessions?|logins?|commands?)\b"
    r"|\b(?:currently|temporarily)? ?unavailable\b|\bmaximum\b.*\bconnections\b|\bshutting down\b|\bsystem error\b",
    re.IGNORECASE,
)
_TEXT_FULL: Final = re.compile(
    r"\b(?:over|exceed\w*|out of)\b.*\b(?:quota|space|storage)\b|\bquota\b.*\b(?:exceeded|full|reached|limit)"
    r"|\b(?:mailbox|disk|store) (?:is )?full\b|\bno space\b",
    re.IGNORECASE,
)

_FULL_ADVICE: Final = "make room in the mailbox, or raise its quota"
_OPERATOR: Final = "ask the server's operator, whom the server names as the one to help"


def refusal(text: str, status: Status, subject: Subject) -> DeliveryFailed:
    """Return the error for a refusal. `text` says what happened, with the server's name and its words.

    - ImapTemporaryFailure: for now.
    - ImapFolderMissing, ImapFolderUnusable: for each message to this folder.
    - ImapMessageRefused: for this message alone. ImapRefused: full, or for a reason that is not known.
    - ImapLoginFailed, ImapServerUnreachable, ImapProtocolError.
    """
    code = "" if status.code is None else status.code.name
    words = status.text.decode("utf-8", "replace")
    in_words = not code or code in ("ALERT", "LIMIT", "CONTACTADMIN")
    if code in _FOR_NOW or (in_words and _TEXT_FOR_NOW.search(words)):
        return ImapTemporaryFailure(text)
    if code == "LIMIT" and subject in (Subject.GREETING, Subject.LOGIN):
        return ImapTemporaryFailure(text)
    if code == "OVERQUOTA" or (in_words and subject is not Subject.LOGIN and _TEXT_FULL.search(words)):
        return ImapRefused(text, advice=_FULL_ADVICE)
    if code == "CLIENTBUG":
        return ImapProtocolError(text, advice="report it, with the lines of the transcript: this program has an error")
    error = _of_subject(text, code, subject)
    if code == "CONTACTADMIN":
        error.advice = _OPERATOR
    return error


def _of_subject(text: str, code: str, subject: Subject) -> DeliveryFailed:
    match subject:
        case Subject.GREETING:
            return ImapServerUnreachable(text)
        case Subject.SESSION:
            return ImapTemporaryFailure(text)
        case Subject.LOGIN:
            return ImapLoginFailed(text, advice=_login_advice(code))
        case Subject.FOLDER if code in _MISSING:
            return ImapFolderMissing(text)
        case Subject.MESSAGE if code in _MISSING:
            return ImapFolderMissing(text)
        case Subject.FOLDER:
            return ImapFolderUnusable(text)
        case Subject.MESSAGE if code == "NOPERM":
            return ImapFolderUnusable(text, advice="the account may not add messages to this folder: name another one")
        case Subject.MESSAGE if code == "CORRUPTION":
            return ImapRefused(text)
        case Subject.MESSAGE:
            return ImapMessageRefused(text)
        case Subject.LABELS:
            return ImapFolderUnusable(text, advice="check <labels> in <imap>: the server does not accept them")
        case Subject.SEARCH:
            return ImapRefused(text, advice="the server cannot search by Message-ID")


def _login_advice(code: str) -> str | None:
    match code:
        case "PRIVACYREQUIRED":
            return "the server allows a login over TLS only: see <ssl> and <starttls> in <imap>"
        case "EXPIRED":
            return "the password has expired: set a new one at the server"
        case "AUTHORIZATIONFAILED" | "NOPERM":
            return "username and password are right, but the account may not use this mailbox"
        case "WEBALERT":
            return "log in once with a web browser and confirm what the provider asks there"
    return None
