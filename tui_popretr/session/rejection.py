"""A rejected login: its error, and the advice. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui_popretr.config.account import Server
from tui_popretr.config.choices import AuthType
from tui_popretr.config.login import TOKENS
from tui_popretr.config.oauth import OAuth
from tui_popretr.errors import LoginRejected, TlsRequired
from tui_popretr.sasl.refusals import advice_for, wants_tls

#: The advice after a server has refused an access token.
REFUSED_ADVICE = "the access token may have expired, or be for another purpose; best is a command that gets a new one"


@dataclass(frozen=True, slots=True)
class Refused:
    """A method that failed: the reason, whether the server has seen the credentials, and whether we cancelled it.

    `final`: no other method can succeed.
    """

    reason: str
    credentials_seen: bool = True
    cancelled: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """All methods that were tried were refused.

    `methods`: those that were to be tried. `unusable`: why some of them could not be. `ended`: how the server ended the
    connection, "" if it did not.
    """

    server: Server
    methods: Sequence[AuthType]
    refused: Mapping[AuthType, Refused]
    unusable: Mapping[AuthType, str]
    ended: str

    def error(self, *, private: bool) -> LoginRejected:
        """Return the error. `private`: no third party can read the connection."""
        reasons = join_reasons({method: refused.reason for method, refused in self.refused.items()})
        if self._tls_is_wanted():
            return TlsRequired(f"the server allows no login without TLS ({reasons})")
        ended = f", and then: {self.ended}" if self.ended else ""
        return LoginRejected(f"the server rejected the login ({reasons}){ended}", advice=self._advice(private=private))

    def _tls_is_wanted(self) -> bool:
        """Whether the server refused because there is no TLS, so that it has not checked the credentials."""
        if self.server.tls is not None:
            return False
        refused = self.refused.values()
        return any(wants_tls(each.reason) for each in refused) and all(
            wants_tls(each.reason) or not each.credentials_seen for each in refused
        )

    def _advice(self, *, private: bool) -> str | None:
        """Return the advice, None for the default advice."""
        for refused in self.refused.values():
            if (advice := advice_for(refused.reason)) is not None:
                return advice
        if all(refused.cancelled for refused in self.refused.values()):
            return "the server breaks the rules of this login method: tell its operator, or name another in authtypes"
        if all(each in TOKENS for each in self.refused):
            if self.server.oauth is not None and not any(each.credentials_seen for each in self.refused.values()):
                return "the server has no login by access token; use a <password>, or ask its operator"
            return REFUSED_ADVICE
        left = [each.value for each in self.methods if each not in self.refused and each not in self.unusable]
        tried = " and ".join(each.value for each in self.refused)
        others = f"name another in authtypes (here: {', '.join(left)})" if left else "name another in authtypes"
        if self.ended and left:
            return (
                f"the server closes the connection after it refuses {tried}, so no other method can be tried: if"
                f" username and password are right, {others}"
            )
        if AuthType.AUTO not in self.server.auth_types:
            return None
        if list(self.refused) == [AuthType.APOP] and not self.refused[AuthType.APOP].credentials_seen:
            # Without TLS, this is the only method that AUTO uses if the server lists no mechanism.
            return (
                "the greeting has a timestamp for APOP, but the server may not support APOP. If username and password"
                f" are right, {'add <ssl>, or ' if not private else ''}name USERPASS in authtypes"
                f"{', which sends the password in clear' if not private else ''}"
            )
        if not left:
            return None
        return (
            "check username and password. AUTO tries the strongest method that the server offers, and no weaker one"
            f" after it: if they are right, {others}"
        )


def advice_on_new_token(oauth: OAuth, problem: LoginRejected) -> str:
    """Return the advice after a server has refused an access token that is new."""
    if problem.advice != REFUSED_ADVICE:
        return problem.advice
    return (
        "the access token is new, so another setting is wrong: is <username> the mailbox of the account, does the scope"
        f" allow this, and is POP access enabled for the account? To log in again: {oauth.login_command}"
    )


def join_reasons(reasons: Mapping[AuthType, str]) -> str:
    """Return the reasons with the methods that they are about."""
    return "; ".join(f"{method.value}: {reason}" for method, reason in reasons.items())
