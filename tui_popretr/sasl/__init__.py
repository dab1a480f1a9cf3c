"""SASL mechanisms (RFC 4422) without I/O: challenges in, responses out. begin() makes an exchange by name.

Nothing here depends on the protocol that carries the exchange, except that it has lines (see response.py).
"""

from __future__ import annotations

from tui_popretr.sasl.errors import Cancelled, MechanismUnusable
from tui_popretr.sasl.exchange import Endpoint, Exchange, Proof
from tui_popretr.sasl.oauth import OAuthBearer, XOAuth2
from tui_popretr.sasl.response import MAX_LINE, Response, decode_challenge
from tui_popretr.sasl.scram import ScramSha1, ScramSha1Plus, ScramSha256, ScramSha256Plus
from tui_popretr.sasl.simple import CramMd5, External, Login, Plain
from tui_popretr.secret import Secret
from tui_popretr.text import visible

#: The mechanisms by their names.
EXCHANGES: dict[str, type[Exchange]] = {
    each.mechanism: each
    for each in (
        ScramSha256Plus,
        ScramSha1Plus,
        ScramSha256,
        ScramSha1,
        CramMd5,
        Plain,
        Login,
        External,
        XOAuth2,
        OAuthBearer,
    )
}

__all__ = [
    "EXCHANGES",
    "MAX_LINE",
    "Cancelled",
    "Endpoint",
    "Exchange",
    "MechanismUnusable",
    "Proof",
    "Response",
    "begin",
    "decode_challenge",
]


def begin(mechanism: str, username: str | None, password: Secret | None, server: Endpoint | None = None) -> Exchange:
    """Return a new exchange. MechanismUnusable if the name is unknown, or as Exchange."""
    if mechanism not in EXCHANGES:
        raise MechanismUnusable(f"there is no SASL mechanism {visible(mechanism)} here")
    return EXCHANGES[mechanism](username, password, server)
