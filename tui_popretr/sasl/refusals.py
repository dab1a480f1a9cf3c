"""The meaning of a refused login by the text of the server, and the advice for it.

RFC 1939 has no codes: -ERR to PASS may mean a wrong password, or that another session has the maildrop's lock. The
response codes of POP3 (RFC 2449 §8, RFC 3206) and IMAP (RFC 5530) distinguish these, and take precedence. Many servers
have none; this module reads their texts. An error has a cost: a wrong password that counts as temporary is sent again
at each run until the provider locks the account; a lock that counts as a wrong password doubles the interval.

The questions, in this order:

1. Does the server want TLS? Then it did not check the credentials, whatever else the text says.
2. Is access by POP or IMAP disabled for the account? Only the owner can change that: rejected.
3. Does the server not have the command or mechanism? Rejected, and the next mechanism is tried.
4. Is the *account* locked, disabled, suspended or blocked? Rejected, and no other mechanism is tried. If the text
   mentions another session, the maildrop is locked, even if the text says "account".
5. Does it say that the password is wrong, or that attempts failed? Rejected, even if the text then mentions a lock:
   "wrong password, your mailbox will be locked".
6. Does it mention a lock on the maildrop, another session, or that it is in use, busy or unavailable? Temporary.
7. Does it mention a password, credentials, authentication, attempts or failures? Rejected. This comes before the next
   question: "too many failed attempts, try again later" is about the password.
8. Does it mention a later attempt, too many connections, or an error of the server? Temporary.
9. Everything else is a rejection, as in RFC 1939.

Mail and web addresses in the text are ignored, and so is the username: they may contain any word.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import cached_property


class LoginRefusal(Enum):
    """The kinds of refusals of a login."""

    REJECTED = "the credentials, or the mechanism"
    LOCKED_OUT = "the account is locked: no mechanism can succeed"
    IN_USE = "the maildrop is in use"
    TEMPORARY = "a temporary failure of the server"


class _Words:
    """A pattern, compiled when it is first needed, because most runs never see a refusal."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def search(self, text: str) -> re.Match[str] | None:
        return self._compiled.search(text)

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self._pattern, re.IGNORECASE | re.VERBOSE)


_ADDRESS = re.compile(r"\S*(?:@|://)\S*")
# POP3 has no RESP-CODE for this, so the text is read, and IMAP's code (RFC 5530 §3). Dovecot sends [AUTH].
_WANTS_TLS = _Words(
    r"""\[PRIVACYREQUIRED\]
    |\b(?:TLS|SSL|STLS|STARTTLS)\b
    |\b(?:secure|encrypted)\ connection
    |\bencryption\ (?:is\ )?required
    |\bplain-?text\ (?:authentication|logins?|passwords?)\ (?:(?:is|are)\ )?
        (?:disallowed|disabled|forbidden|not\ (?:allowed|permitted))
    """
)
_OFF = r"""(?:(?:not|n't|nicht|pas)\s(?:been\s)?(?:enabled|allowed|activated|permitted|available|aktiviert|activée?)
    |disabled|deactivated|deaktiviert|désactivée?)\b"""
_PROTOCOL = r"\b(?:POP3?|IMAP4?(?:rev[12])?)\b"
_SWITCHED_OFF = _Words(
    rf"{_PROTOCOL}.*{_OFF} | {_OFF}\sfor\s{_PROTOCOL} | \b(?:enable|activate|turn\son)\b.*{_PROTOCOL}"
)
_NO_MECHANISM = _Words(
    r"""\b(?:commands?|mechanisms?|methods?|APOP|AUTH|SASL|auth(?:entication)?\stype)\b.*
        (?:un(?:known|available|supported|recognized|implemented)|disabled|not\s(?:\w+\s)?
        (?:available|supported|implemented|recognized|known|allowed|enabled|valid))
    | \b(?:unknown|unrecognized|unsupported|unimplemented|invalid|bad)\s(?:\w+\s)?(?:command|mechanism|method)\b
    """
)
_ACCOUNT = _Words(
    r"""\baccount\b.*\b(?:locked|disabled|suspended|blocked|deactivated|closed|inactive|not\sactive)\b
    | \b(?:locked|disabled|suspended|blocked|deactivated)\s(?:\w+\s)?account\b
    | \b(?:Konto|Benutzerkonto|Zugang)\b.*\bgesperrt\b | \bcompte\b.*\b(?:bloqué|suspendu|désactivé|verrouillé)
    """
)
_SESSION = _Words(
    r"""\b(?:an)?other\s(?:\w+\s){0,2}(?:session|client|user|process|connection|program|login|MUA)\b
    | \bin\suse\b | \bbeing\sread\b | \bduplicate\slogin\b | \bsession\s(?:is\s)?(?:already\s)?(?:active|open)\b
    | \balready\s(?:\w+\s){0,2}(?:open|opened|locked|logged\s(?:in|on))\b
    | \b(?:in\sBenutzung|belegt)\b | \ben\scours\sd.utilisation\b
    """
)
_MAILDROP_LOCK = _Words(
    r"""\b(?:mail\s?box(?:es)?|mail\s?drop|mail\sstore|spool|inbox|folder|POP)\b.*\block(?:ed|ing)?\b
    | \block(?:ed|ing)?\b.*\b(?:mail\s?box|mail\s?drop|mail\sstore|spool|inbox|folder)\b
    | \b(?:get|obtain|acquire)\s(?:a\s|the\s)?lock\b | \block\s(?:file|is\s)?\s?busy\b | \bverrouill\w*
    """
)
_BUSY = _Words(
    r"""\bbusy\b | \bunavailable\b | \bnot\s(?:\w+\s)?available\b | \bshutting\sdown\b | \bmaintenance\b
    | \bnicht\sverf.{1,2}gbar\b | \bindisponible\b | \boverload(?:ed)?\b
    """
)
_NAMES = r"(?:passwords?|passwd|passphrase|passwort|kennwort|credentials?|log-?ins?|log-?ons?)"
_WRONG = _Words(
    rf"""\b(?:wrong|invalid|incorrect|bad|failed(?!\sto\b)|falsches?)\s(?:\w+\s){{0,3}}(?:{_NAMES}|attempts?)\b
    | \b{_NAMES}\s(?:(?:is|are|was|has|have|ist)\s)?(?:wrong|incorrect|invalid|falsch|expired|not\s(?:correct|valid))\b
    | \b{_NAMES}\s(?:attempts|failures)\b
    """
)
_CREDENTIALS = _Words(
    r"""pass(?:word|wd|phrase|code|wort)|kennwort | mot\sde\spasse | credential | authenti[cfz] | authori[sz]
    | \battempts?\b | \bfail(?:ed|ures?|s)?\b | \b(?:user\s?name|user\sid|login\sname)\b | \bbad\slogin\b
    """
)
_LATER = _Words(
    r"""\block(?:ed|ing)?\b | \blater\b | \b(?:try|retry)\b.*\b(?:again|soon)\b | \bwait\b | \btemporar
    | \b(?:in\sa\s(?:few|moment|minute)|minutes?)\b | \bmoment(?:an)?\b | \btoo\s(?:many|often|frequent|soon)
    | \b(?:connection|session|login|client|user)s?\s(?:\w+\s){0,2}(?:limit|exceeded|reached)\b
    | \bmaximum\s(?:\w+\s){0,3}(?:connections?|clients?|sessions?|users?)\b | \blogin\slimit\b
    | \b(?:internal|system|server|service)\s(?:\w+\s)?(?:error|problem)\b
    | \bsp.{1,2}ter\b | \b(?:derzeit|zur\s?zeit)\b | \bplus\stard\b | \br.{1,2}essayez\b
    """
)

_APP_PASSWORD = _Words(r"\bapp(?:lication)?(?:-|\s)(?:specific\s)?passwords?\b")
_WEB_LOGIN = _Words(r"\bweb\s?-?log-?in\b | \blog\sin\svia\s(?:your\s)?(?:web\s)?browser")
_TOKENS_ONLY = _Words(r"\bbasic\s?auth(?:entication)?\b | BasicAuthBlocked")


def _stripped(text: str, username: str) -> str:
    text = _ADDRESS.sub("", text)
    if username:
        text = re.sub(rf"(?<!\w){re.escape(username)}(?!\w)", "", text, flags=re.IGNORECASE)
    return text


def wants_tls(text: str) -> bool:
    """Whether the text says that the server wants TLS first."""
    return _WANTS_TLS.search(_ADDRESS.sub("", text)) is not None


def classify(text: str, username: str = "") -> LoginRefusal:
    """Return the meaning of a refusal without a code. The module's docstring has the rules."""
    words = _stripped(text, username)
    session = _SESSION.search(words) is not None
    if _WANTS_TLS.search(words):
        return LoginRefusal.REJECTED
    if _SWITCHED_OFF.search(words) and not _LATER.search(words):
        return LoginRefusal.REJECTED
    if _NO_MECHANISM.search(words) and not session and not _MAILDROP_LOCK.search(words):
        return LoginRefusal.REJECTED
    if _ACCOUNT.search(words) and not session:
        return LoginRefusal.LOCKED_OUT
    if _WRONG.search(words):
        return LoginRefusal.REJECTED
    if session or _MAILDROP_LOCK.search(words):
        return LoginRefusal.IN_USE
    if _BUSY.search(words):
        return LoginRefusal.TEMPORARY
    if _CREDENTIALS.search(words):
        return LoginRefusal.REJECTED
    return LoginRefusal.TEMPORARY if _LATER.search(words) else LoginRefusal.REJECTED


def advice_for(text: str, protocol: str = "POP") -> str | None:
    """Return the advice if the text of a refused login says what is missing, else None."""
    words = _ADDRESS.sub("", text)
    if _APP_PASSWORD.search(words):
        return "create an app password on the provider's website, and use it here instead of the account's password"
    if _WEB_LOGIN.search(words):
        return (
            "log in once with a web browser and confirm what the provider asks there; if that does not help, use an app"
            " password or an access token (docs/providers.md)"
        )
    if _TOKENS_ONLY.search(words):
        return "the provider no longer accepts passwords: use an access token (docs/providers.md)"
    if _SWITCHED_OFF.search(words) and not _WANTS_TLS.search(words):
        return f"enable {protocol} access on the provider's website (docs/providers.md)"
    if classify(text) is LoginRefusal.LOCKED_OUT:
        return "the provider has locked the account: see its website, or ask its support"
    return None
