"""Who logs in to the server and how: the password's source and the login methods that are usable."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from typing import NamedTuple

from tui_popretr.config import values
from tui_popretr.config.model import (
    AuthType,
    FromCommand,
    FromEnvironment,
    FromFile,
    Literal,
    PasswordSource,
    TlsPolicy,
)
from tui_popretr.config.paths import PathResolver
from tui_popretr.config.section import Section
from tui_popretr.config.values import InvalidValueError, did_you_mean, quote

DEFAULT_AUTH_TYPES = (AuthType.USERPASS, AuthType.SASL_PLAIN)

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


def read_login(client: Section, server: Section, tls: TlsPolicy | None, resolver: PathResolver) -> Login:
    """Read username, password and authtypes; report where no login method remains usable."""
    username = read_username(server)
    password = read_password(server, resolver)
    named, initial_response = _auth_types(server)

    def there(element: str, value: object) -> bool:
        """Whether an element has a value, or may have one because of an error that is already reported."""
        return value is not None or server.doubtful(element) or client.misplaced(element)

    with_tls, with_certificate = tls is not None, tls is not None and tls.key_store is not None
    if _tls_is_uncertain(client):
        with_tls = with_certificate = True
    means = _Means(there("username", username), there("password", password), with_tls, with_certificate)
    usable, left_out = _usable(named, means)
    if named and not server.doubtful("authtypes") and not client.misplaced("authtypes"):
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
    if client.misplaced("ssl", "kspath") or (ssl is None and client.doubtful("ssl")):
        return True
    return ssl is not None and ssl.doubtful_attribute("enabled", "kspath", "kstype")


def _auth_types(server: Section) -> tuple[tuple[AuthType, ...], bool]:
    """Return the login methods as configured, () where they are not valid, and initrsp."""
    section = server.child("authtypes")
    if section is None:
        return DEFAULT_AUTH_TYPES, False
    named = section.text(_parse_auth_types, DEFAULT_AUTH_TYPES)
    initial_response = section.attribute("initrsp", values.boolean, False)
    return (() if section.spoiled else named), initial_response


def _parse_auth_types(text: str) -> tuple[AuthType, ...]:
    found: list[AuthType] = []
    for item in values.items(text):
        try:
            auth_type = AuthType[item.upper().replace("-", "_")]
        except KeyError:
            names = [known.value for known in AuthType]
            raise InvalidValueError(f"{quote(item)} is not a login method{did_you_mean(item, names)}") from None
        if auth_type in found:
            raise InvalidValueError(f"{auth_type.value} is named twice")
        found.append(auth_type)
    if AuthType.AUTO in found and len(found) > 1:
        raise InvalidValueError("AUTO stands alone: it chooses among all methods")
    return tuple(found)


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


def read_password(owner: Section, resolver: PathResolver) -> PasswordSource | None:
    """Return where the password in <password> comes from, None where there is none."""
    section = owner.child("password")
    if section is None:
        return None
    text_value = section.credential(octets=True)
    text = section.parsed(text_value, values.one_line, None)
    name = section.attribute("env", variable_name, None)
    path = section.attribute("file", _credential(section, resolver), None)
    argv = section.attribute("command", command_line, None)
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


def variable_name(text: str) -> str:
    """The name of an environment variable."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        # not quoted: it may be the password itself, put in the wrong place
        raise InvalidValueError("the value of env is not the name of an environment variable")
    return text


def _credential(section: Section, resolver: PathResolver) -> Callable[[str], str]:
    """Return a parser of paths of secrets: a bare name is one of systemd's credentials where there are any."""
    folder = section.context.environ.get("CREDENTIALS_DIRECTORY")

    def parse(text: str) -> str:
        path = resolver.path(text)
        if folder and "/" not in text and not text.startswith(("~", "%")):
            return os.path.join(folder, os.path.basename(path))
        return path

    return parse


def command_line(text: str) -> tuple[str, ...]:
    """Split a command as a shell would, without any other meaning of a shell. The message does not show it."""
    try:
        argv = shlex.split(text)
    except ValueError as error:
        raise InvalidValueError(f"the quoting of the command is wrong: {str(error).lower()}") from None
    if not argv or not argv[0]:
        raise InvalidValueError("the command is empty")
    return tuple(argv)
