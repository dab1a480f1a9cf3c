"""AUTO: the login methods that a server offers, strongest first, without those that reveal the password
(docs/decisions/0007-auto.md)."""

from __future__ import annotations

from dataclasses import dataclass

from tui_popretr.config.choices import AuthType
from tui_popretr.config.login import CLEAR_TEXT, TOKENS
from tui_popretr.errors import NoUsableMechanism
from tui_popretr.pop3 import Capabilities
from tui_popretr.text import visible

# The first four do not send the password. Of the others, the one with a single step comes first.
_ORDER = (
    AuthType.SASL_SCRAM_SHA_256,
    AuthType.SASL_SCRAM_SHA_1,
    AuthType.SASL_CRAM_MD5,
    AuthType.APOP,
    AuthType.SASL_PLAIN,
    AuthType.SASL_LOGIN,
    AuthType.USERPASS,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers. `capabilities` is None without CAPA; `stamp`: the greeting has a timestamp for APOP.

    `remembered`: the SASL mechanisms that the server listed in an earlier session, for use without CAPA.
    """

    capabilities: Capabilities | None
    stamp: bool
    remembered: tuple[str, ...] = ()

    @property
    def methods(self) -> tuple[AuthType, ...]:
        """The login methods that the server offers, strongest first; then those that AUTO never uses."""
        offered = tuple(each for each in (*_ORDER, *TOKENS, AuthType.SASL_EXTERNAL) if self._has(each))
        if self.capabilities is not None:
            return offered
        return tuple(each for each in offered if not self._weaker(each))

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The SASL mechanisms that the server lists or, without CAPA, has listed before."""
        return self.remembered if self.capabilities is None else self.capabilities.sasl

    def _has(self, method: AuthType) -> bool:
        capabilities = self.capabilities
        if method is AuthType.APOP:
            return self.stamp
        if method is AuthType.USERPASS:
            # every server has it unless it names others (RFC 1939 §7); some do not list it
            return (capabilities is not None and capabilities.has("USER")) or not self.mechanisms
        return self._lists(method)

    def _lists(self, method: AuthType) -> bool:
        name = mechanism(method)
        return not {name, f"{name}-PLUS"}.isdisjoint(self.mechanisms)

    def _weaker(self, method: AuthType) -> bool:
        """Whether a method is weaker than one that the server has listed before."""
        strongest = next((each for each in _ORDER if each not in CLEAR_TEXT and self._lists(each)), None)
        return strongest is not None and (method not in _ORDER or _ORDER.index(method) > _ORDER.index(strongest))


def mechanism(method: AuthType) -> str:
    """Return the SASL mechanism of a login method."""
    return method.value.removeprefix("SASL_").replace("_", "-")


def choose(offer: Offer, *, private: bool, password: bool) -> tuple[AuthType, ...]:
    """Return the methods to log in with, strongest first.

    `private`: no third party can read the connection, because of TLS or because the server is this machine. Without a
    `password`, the client certificate is used. Raises NoUsableMechanism.
    """
    offered = offer.methods
    if not password:
        if AuthType.SASL_EXTERNAL in offered:
            return (AuthType.SASL_EXTERNAL,)
        raise NoUsableMechanism(
            "the server does not offer a login by client certificate (EXTERNAL)",
            advice="ask its operator, or add a username and a password",
        )
    usable = tuple(each for each in _ORDER if each in offered and (private or each not in CLEAR_TEXT))
    if usable:
        return usable
    names = ", ".join(each.value for each in offered)
    if not private and any(each in _ORDER for each in offered):
        stls = offer.capabilities is not None and offer.capabilities.stls
        advice = 'add <ssl latent="Y"/>: the server can do STLS' if stls else "add <ssl/> if it has TLS (port 995)"
        raise NoUsableMechanism(
            f"AUTO sends no password in clear, and without TLS the server offers nothing else ({names})",
            advice=f"{advice}; to send it in clear all the same, name the method in authtypes",
        )
    if any(each in TOKENS for each in offered):
        raise NoUsableMechanism(
            f"the server offers no login by password ({names})",
            advice="if the password is an access token, name the method in authtypes; else get one (OAuth 2)",
        )
    mechanisms = visible(", ".join(offer.mechanisms), 200)
    raise NoUsableMechanism(f"the server offers no login method that is known here ({mechanisms})")
