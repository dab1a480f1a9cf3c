"""Who logs in to the server and how: the password's source and the login methods that are usable."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from tui_popretr.config import values
from tui_popretr.config.choices import AuthType
from tui_popretr.config.model import FromCommand, FromEnvironment, FromFile, Literal, PasswordSource, Server, TlsPolicy
from tui_popretr.config.section import Section
from tui_popretr.config.setting import Setting

INITIAL_RESPONSE = Setting("initrsp", values.boolean, "N")
_VARIABLE = Setting("env", values.variable_name)
_FILE = Setting("file", values.path)
_COMMAND = Setting("command", values.command_line)
#: Where a password can come from other than its element's text.
PASSWORD_SOURCES = (_VARIABLE, _FILE, _COMMAND)

#: With these whoever listens reads the password or token off the wire, unless there is TLS.
CLEAR_TEXT = frozenset(
    {AuthType.USERPASS, AuthType.SASL_PLAIN, AuthType.SASL_LOGIN, AuthType.SASL_XOAUTH2, AuthType.SASL_OAUTHBEARER}
)


class Login(NamedTuple):
    """The credentials of a client."""

    username: str | None
    password: PasswordSource | None
    auth_types: tuple[AuthType, ...]
    initial_response: bool


class _Means(NamedTuple):
    """What the configuration has for a login."""

    username: bool
    password: bool
    tls: bool
    certificate: bool


def read_login(client: Section, server: Section, tls: TlsPolicy | None) -> Login:
    """Read username, password and authtypes; report where no login method remains usable."""
    username = read_username(server)
    password = read_password(server)
    named, initial_response = _auth_types(server)

    def there(element: str, value: object) -> bool:
        """Whether an element has a value, or may have one because of an error that is already reported."""
        return value is not None or server.uncertain(element) or client.misplaced(element)

    with_tls, with_certificate = tls is not None, tls is not None and tls.key_store is not None
    if _tls_is_uncertain(client):
        with_tls = with_certificate = True
    means = _Means(there("username", username), there("password", password), with_tls, with_certificate)
    usable, left_out = _usable(named, means)
    if named and not server.uncertain("authtypes") and not client.misplaced("authtypes"):
        section = server.child("authtypes")
        place = section.place if section else server.place
        reasons = "; ".join(f"{auth_type.value} {reason}" for auth_type, reason in left_out)
        if not usable:
            server.error(f"no login method remains that could be used: {reasons}", place)
        elif left_out:
            server.warning(f"a login method is left out: {reasons}", place)
    return Login(username, password, usable, initial_response)


def _tls_is_uncertain(client: Section) -> bool:
    """Whether, because of an error, it is unknown if there is TLS with a client certificate."""
    ssl = client.child("ssl")
    if client.misplaced("ssl", "kspath") or (ssl is None and client.uncertain("ssl")):
        return True
    return ssl is not None and ssl.uncertain_attribute("enabled", "kspath", "kstype")


def _auth_types(server: Section) -> tuple[tuple[AuthType, ...], bool]:
    """Return the login methods as configured, () where they are not valid, and initrsp."""
    named: tuple[AuthType, ...] = server.field(Server, "auth_types")
    section = server.child("authtypes")
    if section is None:
        return named, False
    initial_response = section.value(INITIAL_RESPONSE)
    return () if section.has_errors else named, initial_response


def _usable(named: tuple[AuthType, ...], means: _Means) -> tuple[tuple[AuthType, ...], list[tuple[AuthType, str]]]:
    usable: list[AuthType] = []
    left_out: list[tuple[AuthType, str]] = []
    for auth_type in named:
        reason = ""
        if auth_type is AuthType.AUTO and means.certificate:
            pass  # where username or password are missing, the certificate is enough
        elif auth_type is AuthType.SASL_EXTERNAL:
            if not means.tls:
                reason = "needs TLS (<ssl>) and a client certificate (kspath)"
            elif not means.certificate:
                reason = "needs a client certificate (kspath in <ssl>)"
        elif not means.username:
            reason = "needs a username"
        elif not means.password:
            reason = "needs a password"
        if reason:
            left_out.append((auth_type, reason))
        else:
            usable.append(auth_type)
    return tuple(usable), left_out


def read_username(owner: Section) -> str | None:
    """Return the text of <username>, None if there is none."""
    section = owner.child("username")
    return section.parsed(section.credential(), values.one_line, None) if section else None


def read_password(owner: Section) -> PasswordSource | None:
    """Return where the password in <password> comes from, None where there is none."""
    section = owner.child("password")
    if section is None:
        return None
    text_value = section.credential(octets=True)
    text = section.parsed(text_value, values.one_line, None)
    name = section.value(_VARIABLE)
    path = section.value(replace(_FILE, parse=_credential(section)))
    argv = section.value(_COMMAND)
    sources: list[PasswordSource] = []
    if secret := section.secret(text_value, text):
        sources.append(Literal(secret))
    if name:
        sources.append(FromEnvironment(name))
        if name not in section.context.environ:
            section.warning(f"the environment variable {name} is not set now")
    if path:
        sources.append(FromFile(path))
    if argv:
        sources.append(FromCommand(argv))
    if len(sources) > 1:
        section.error("the password comes from one place only: its text, env, file or command")
        return None
    return sources[0] if sources else None


def _credential(section: Section) -> Callable[[str], str]:
    """Return a parser of paths of secrets: a bare name is one of systemd's credentials where there are any."""
    folder = section.context.environ.get("CREDENTIALS_DIRECTORY")

    def parse(text: str) -> str:
        path = section.context.resolve(text)
        if folder and "/" not in text and not text.startswith(("~", "%")):
            return os.path.join(folder, os.path.basename(path))
        return path

    return parse
