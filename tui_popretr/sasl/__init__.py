"""SASL exchanges (RFC 5034, RFC 4422) without I/O; begin() makes one by the mechanism's name."""

from __future__ import annotations

from tui_popretr.pop3.errors import LocalProtocolError
from tui_popretr.sasl.exchange import Endpoint, Exchange, Proof
from tui_popretr.sasl.oauth import OAuthBearer, XOAuth2
from tui_popretr.sasl.scram import ScramSha1, ScramSha1Plus, ScramSha256, ScramSha256Plus
from tui_popretr.sasl.simple import CramMd5, External, Login, Plain, apop_digest
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

__all__ = ["EXCHANGES", "Endpoint", "Exchange", "Proof", "apop_digest", "begin"]


def begin(
    mechanism: str,
    username: str | None,
    password: Secret | None,
    *,
    initial_response: bool = False,
    server: Endpoint | None = None,
) -> Exchange:
    """Return a new exchange for a mechanism by name. LocalProtocolError as Exchange, or if there is none such."""
    if mechanism not in EXCHANGES:
        raise LocalProtocolError(f"there is no SASL mechanism {visible(mechanism)} here")
    return EXCHANGES[mechanism](username, password, initial_response=initial_response, server=server)
