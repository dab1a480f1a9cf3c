"""The login methods that can be used with an IMAP server, in the order in which they are tried."""

from __future__ import annotations

from typing import Final

from tui_popretr.config.choices import AuthType
from tui_popretr.config.login import CLEAR_TEXT, TOKENS
from tui_popretr.config.model import ImapDestination
from tui_popretr.errors import ImapLoginFailed
from tui_popretr.imap import Capabilities

#: AUTO's methods, strongest first (docs/decisions/0007-auto.md). The first four do not send the password.
_ORDER: Final = (
    AuthType.SASL_SCRAM_SHA_256,
    AuthType.SASL_SCRAM_SHA_1,
    AuthType.SASL_CRAM_MD5,
    AuthType.SASL_PLAIN,
    AuthType.SASL_LOGIN,
    AuthType.USERPASS,
)


def mechanism(method: AuthType) -> str:
    """Return the SASL mechanism of a login method."""
    return method.value.removeprefix("SASL_").replace("_", "-")


def usable_methods(
    destination: ImapDestination, capabilities: Capabilities, name: str, *, private: bool
) -> tuple[AuthType, ...]:
    """Return the methods to try, in order; one alone with AUTO and <oauth>: each may count as a failed login.

    `private`: no third party can read the connection. `name` is the server's. Raises ImapLoginFailed if there is none.
    """
    auto = AuthType.AUTO in destination.auth_types
    by_certificate = destination.password is None and destination.oauth is None
    known = destination.auth_types
    if auto:
        known = (AuthType.SASL_EXTERNAL,) if by_certificate else _ORDER
    reasons = {each: _obstacle(each, capabilities, private=private) for each in known}
    usable = tuple(each for each, reason in reasons.items() if not reason)
    if usable:
        return usable[:1] if auto or destination.oauth is not None else usable
    raise ImapLoginFailed(
        f"no login method can be used with {name}: {_joined(reasons)}", advice=_advice(destination, capabilities)
    )


def _obstacle(method: AuthType, capabilities: Capabilities, *, private: bool) -> str:
    """Return why a method cannot be used; "" if it can."""
    if method in CLEAR_TEXT and not private:
        return "would send the secret in clear"
    if method is AuthType.USERPASS:
        return "is disabled (LOGINDISABLED)" if capabilities.login_disabled else ""
    name = mechanism(method)
    return "" if {name, f"{name}-PLUS"}.intersection(capabilities.mechanisms) else "is not offered"


def _joined(reasons: dict[AuthType, str]) -> str:
    by_reason: dict[str, list[str]] = {}
    for method, reason in reasons.items():
        by_reason.setdefault(reason, []).append(method.value)
    return "; ".join(f"{', '.join(methods)} {reason}" for reason, methods in by_reason.items())


def _advice(destination: ImapDestination, capabilities: Capabilities) -> str:
    offered = [each for each in AuthType if mechanism(each) in capabilities.mechanisms]
    if destination.tls is None:
        return 'remove <ssl enabled="N"/> from <imap>: many servers offer a login under TLS only'
    if destination.oauth is None and offered and all(each in TOKENS for each in offered):
        return "the server accepts access tokens only: use <oauth> in place of <password>"
    if not offered:
        return "ask the server's operator how to log in"
    return f"the server offers {', '.join(each.value for each in offered)}: name one of them in <authtypes>"
