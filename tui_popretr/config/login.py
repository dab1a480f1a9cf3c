"""The login of a client: user name, source of the password, and the login methods that can be used."""

from __future__ import annotations

from typing import NamedTuple

from tui_popretr.config import values
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.config.oauth import OAuth, Use, read_oauth
from tui_popretr.config.section import Section
from tui_popretr.config.setting import Setting
from tui_popretr.config.sources import PasswordSource, read_source

INITIAL_RESPONSE = Setting("initrsp", values.boolean, "N")

#: With these the password is an access token.
TOKENS = (AuthType.SASL_XOAUTH2, AuthType.SASL_OAUTHBEARER)
#: Without TLS these methods send the password or token in clear.
#: The default beside <oauth>: the standard first; see session/login.py.
BESIDE_OAUTH = (AuthType.SASL_OAUTHBEARER, AuthType.SASL_XOAUTH2)
CLEAR_TEXT = frozenset({AuthType.USERPASS, AuthType.SASL_PLAIN, AuthType.SASL_LOGIN, *TOKENS})


class LoginSettings(NamedTuple):
    """How a client logs in."""

    username: str | None
    password: PasswordSource | None
    auth_types: tuple[AuthType, ...]
    initial_response: bool
    oauth: OAuth | None = None


def read_login(
    client: Section, server: Section, tls: TlsPolicy | None, kind: type = Server, use: Use = Use.SERVER
) -> LoginSettings:
    """Read username, password and authtypes of <server> or <imap>. Report login methods that cannot be used.

    `kind` is the class that declares authtypes.
    """
    owner = client if use is Use.SERVER else server  # of <ssl>
    username = read_username(server)
    password = read_password(server)
    oauth = read_oauth(server, use, client, username)
    named, initial_response = _auth_types(server, kind)
    by_token = server.child("oauth") is not None
    if by_token and (server.child("authtypes") is None or AuthType.AUTO in named):
        named = BESIDE_OAUTH

    def given(element: str, value: object) -> bool:
        """Whether an element has a value, or may have one because of an error that is already reported."""
        return value is not None or server.uncertain(element) or owner.misplaced(element)

    has_username, has_password = given("username", username), given("password", password) or by_token
    uncertain = _tls_is_uncertain(owner)
    has_tls, has_certificate = (
        tls is not None or uncertain,
        uncertain or (tls is not None and tls.key_store is not None),
    )

    def missing(auth_type: AuthType) -> str:
        """Return why a method cannot be used; empty if it can."""
        if auth_type is AuthType.AUTO and has_certificate:
            return ""
        if by_token and auth_type not in (*TOKENS, AuthType.SASL_EXTERNAL):
            return "needs a password, and <oauth> gives an access token"
        if auth_type is not AuthType.SASL_EXTERNAL:
            return "needs a username" if not has_username else "" if has_password else "needs a password"
        if not has_tls:
            return "needs TLS (<ssl>) and a client certificate (kspath)"
        return "" if has_certificate else "needs a client certificate (kspath in <ssl>)"

    left_out = {each: reason for each in named if (reason := missing(each))}
    usable = tuple(each for each in named if each not in left_out)
    if left_out and not server.uncertain("authtypes") and not owner.misplaced("authtypes"):
        place = (server.child("authtypes") or server).place
        reasons = "; ".join(f"{auth_type.value} {reason}" for auth_type, reason in left_out.items())
        if usable:
            server.warning(f"a login method is left out: {reasons}", place)
        else:
            server.error(f"no login method can be used: {reasons}", place)
    return LoginSettings(username, password, usable, initial_response, oauth)


def _tls_is_uncertain(owner: Section) -> bool:
    """Whether an error makes it unknown if there is TLS with a client certificate."""
    ssl = owner.child("ssl")
    if owner.misplaced("ssl", "kspath") or (ssl is None and owner.uncertain("ssl")):
        return True
    return ssl is not None and ssl.uncertain_attribute("enabled", "kspath", "kstype")


def _auth_types(server: Section, kind: type) -> tuple[tuple[AuthType, ...], bool]:
    """Return the configured login methods, () if they are not valid, and initrsp."""
    named: tuple[AuthType, ...] = server.field(kind, "auth_types")
    section = server.child("authtypes")
    if section is None:
        return named, False
    initial_response = section.value(INITIAL_RESPONSE)
    return () if section.has_errors else named, initial_response


def read_username(owner: Section) -> str | None:
    """Return the text of <username>, None if there is none."""
    section = owner.child("username")
    return section.parsed(section.credential(), values.one_line, None) if section else None


def read_password(owner: Section) -> PasswordSource | None:
    """Return the source of the password in <password>; None if there is none."""
    section = owner.child("password")
    return read_source(section, "password") if section else None
