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
from tui_popretr.imap import SHOWN, Status
from tui_popretr.sasl.refusals import LoginRefusal, advice_for, classify


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
#: Codes that do not say why: the text does.
_WITH_TEXT: Final = frozenset(("ALERT", "LIMIT", "CONTACTADMIN"))

_OPERATOR: Final = "the server says that its operator has to help"
#: Codes of refused logins, with the advice, None for the default advice.
_OF_LOGIN: Final = {
    "AUTHENTICATIONFAILED": None,
    "AUTHORIZATIONFAILED": "username and password are right, but the account may not use this mailbox",
    "CONTACTADMIN": _OPERATOR,
    "EXPIRED": "the password has expired: set a new one at the server",
    "NOPERM": "the account may not log in by IMAP",
    "PRIVACYREQUIRED": "the server allows a login over TLS only: see <ssl> and <starttls> in <imap>",
    "WEBALERT": "log in once with a web browser and confirm what the provider asks there",
}

#: The words of refusals without a code.
_TEXT_FOR_NOW: Final = re.compile(
    r"\btemporar|\b(?:try|retry)\b.*\b(?:again|later)\b|\btoo many\b.*\b(?:connections?|sessions?|logins?|commands?)\b"
    r"|\b(?:currently|temporarily)? ?unavailable\b|\bmaximum\b.*\bconnections\b|\bshutting down\b"
    r"|\b(?:internal|system|server)\b.{0,20}\berror\b",
    re.IGNORECASE,
)
_TEXT_FULL: Final = re.compile(
    r"\b(?:over|exceed\w*|out of)\b.*\b(?:quota|space|storage)\b|\bquota\b.*\b(?:exceeded|full|reached|limit)"
    r"|\b(?:mailbox|disk|store) (?:is )?full\b|\bno space\b",
    re.IGNORECASE,
)

_FULL_ADVICE: Final = "make room in the mailbox, or raise its quota"


def refusal(text: str, status: Status, subject: Subject, username: str = "") -> DeliveryFailed:
    """Return the error for a refusal. `text` says what happened, with the server's name and its words.

    `username` is for logins without a code: it may contain any word.

    - ImapTemporaryFailure: for now.
    - ImapFolderMissing, ImapFolderUnusable: for each message to this folder.
    - ImapMessageRefused: for this message alone. ImapRefused: full, or for a reason that is not known.
    - ImapLoginFailed, ImapServerUnreachable, ImapProtocolError.
    """
    code = "" if status.code is None else status.code.name
    words = status.text[:SHOWN].decode("utf-8", "replace")  # a long text would take the patterns a long time
    if subject is Subject.LOGIN and code not in _FOR_NOW:
        return _login_refusal(text, code, words, username)
    in_words = not code or code in _WITH_TEXT
    if code in _FOR_NOW or (in_words and _TEXT_FOR_NOW.search(words)):
        return ImapTemporaryFailure(text)
    if code == "LIMIT" and subject is Subject.GREETING:
        return ImapTemporaryFailure(text)
    if code == "OVERQUOTA" or (in_words and _TEXT_FULL.search(words)):
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
        case _:
            return ImapRefused(text, advice="the server cannot search by Message-ID")


def _login_refusal(text: str, code: str, words: str, username: str) -> DeliveryFailed:
    meaning = None if code in _OF_LOGIN else classify(words, username)
    if code == "LIMIT" or meaning in (LoginRefusal.IN_USE, LoginRefusal.TEMPORARY):
        return ImapTemporaryFailure(text)
    return ImapLoginFailed(text, advice=advice_for(words, "IMAP") or _OF_LOGIN.get(code))
