"""The text of a first configuration: one account, with the comments that help to go on from there."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from tui_popretr.cli.init.explore import Approach, Security, Trust
from tui_popretr.config.login import DEFAULT_AUTH_TYPES
from tui_popretr.config.model import FromCommand, FromEnvironment, FromFile
from tui_popretr.errors import ConfigurationError
from tui_popretr.home import UnknownHomeError, expand, home_folder
from tui_popretr.hosts import POP3_PORT, POP3S_PORT
from tui_popretr.text import visible

_FRAME = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- Which mail tui-popretr retrieves, and where it goes. "tui-popretr init" wrote this; from now on it is yours. After
     a change, "tui-popretr check" finds every mistake and says in plain words what will be done. -->
<pop3download>

  <!-- To look things up in: a line for each message delivered, and the dialogue with the server, without passwords. -->
  <audit rot="monthly">%DIRLOG%/audit-%DT%.log</audit>
  <transcript maxfile="10M">%DIRLOG%/transcript.log</transcript>

  <clients>
{about}
    <client {attributes}>
      <server address={address}>
{login}
      </server>
{security}
{target}
    </client>

    <!-- Another account is another client, with an id of its own. -->
  </clients>
</pop3download>
"""

_KEEPS = """\
    <!-- freq: the time from one session to the next. preserve and newonly: all mail stays on the server, and each
         message is retrieved once. With deleteafter="30d" beside them it is deleted there so long after it was
         retrieved; without the two, as soon as it is safe here. -->"""
_DELETES = """\
    <!-- freq: the time from one session to the next. Mail is deleted from the server as soon as it is safe here; with
         preserve="Y" newonly="Y" it would stay there, and each message would still be retrieved once. -->"""

Password = FromFile | FromCommand | FromEnvironment


@dataclass(frozen=True, slots=True)
class MailFolder:
    """Mail goes into a Maildir or a folder. `element` is the one that names it, `path` absolute."""

    element: str
    path: str


@dataclass(frozen=True, slots=True)
class MailServer:
    """Mail goes to a mail server by SMTP, for the address that is the client's recip."""

    address: str  # host or host:port
    sender: str


@dataclass(frozen=True, slots=True)
class Outline:
    """What a first configuration says. Paths are absolute."""

    client_id: str
    recip: str
    host: str
    approach: Approach
    trust: Trust  # its path is absolute
    username: str
    password: Password
    target: MailFolder | MailServer
    keep: bool  # the mail on the server
    frequency: str


def configuration_text(outline: Outline) -> str:
    """Return the configuration, to be written in UTF-8."""
    attributes = {"id": outline.client_id, "recip": outline.recip, "freq": outline.frequency}
    if outline.keep:
        attributes |= {"preserve": "Y", "newonly": "Y"}
    return _FRAME.format(
        about=_KEEPS if outline.keep else _DELETES,
        attributes=" ".join(f"{name}={_attribute(value)}" for name, value in attributes.items()),
        address=_attribute(address(outline.host, outline.approach)),
        login="\n".join(f"        {line}" for line in _login(outline)),
        security="\n".join(f"      {line}" for line in _security(outline.approach, outline.trust)),
        target="\n".join(f"      {line}" for line in _target(outline.target)),
    )


def address(host: str, approach: Approach) -> str:
    """Return the address of a server, with its port where that is not the usual one for its security."""
    bare = f"[{host}]" if ":" in host else host
    usual = POP3S_PORT if approach.security is Security.TLS else POP3_PORT
    return bare if approach.port == usual else f"{bare}:{approach.port}"


def short(path: str) -> str:
    """Return a path with ~ for the home folder."""
    try:
        home = home_folder(os.environ).rstrip("/")
    except UnknownHomeError:
        return path
    return f"~{path.removeprefix(home)}" if home and path.startswith(f"{home}/") else path


def shown(path: str) -> str:
    """Return a path for the user's eyes."""
    return visible(short(path), 4096)


def absolute(path: str) -> str:
    """Return a path absolute, as a shell would understand it; one that begins with a %TOKEN% as it is.

    Raises ConfigurationError where there is no such home folder.
    """
    if path.startswith("%"):
        return path
    try:
        return os.path.abspath(expand(path, os.environ))
    except UnknownHomeError as error:
        raise ConfigurationError(str(error)) from None


def _login(outline: Outline) -> list[str]:
    lines = [f"<username>{_text(outline.username)}</username>", *_password(outline.password)]
    if outline.approach.auth_types != DEFAULT_AUTH_TYPES:
        names = " | ".join(each.value for each in outline.approach.auth_types)
        lines += ["<!-- What this server offers; they are tried in this order. -->", f"<authtypes>{names}</authtypes>"]
    return lines


def _password(source: Password) -> list[str]:
    match source:
        case FromFile(path):
            return ["<!-- The first line of this file. -->", f"<password file={_attribute(short(path))}/>"]
        case FromCommand(argv):
            return [
                "<!-- The first line that this command prints. It is run at each session, without a shell. -->",
                f"<password command={_attribute(shlex.join(argv))}/>",
            ]
        case FromEnvironment(name):
            return [
                "<!-- A variable of the environment: whoever starts the program has to set it. -->",
                f"<password env={_attribute(name)}/>",
            ]


def _security(approach: Approach, trust: Trust) -> list[str]:
    trusted, verified = "", "the certificate is verified"
    if trust.fingerprint:
        trusted, verified = f" fingerprint={_attribute(trust.fingerprint)}", "only this certificate is accepted"
    elif trust.path:
        trusted = f" tspath={_attribute(short(trust.path))}"
    match approach.security:
        case Security.TLS:
            return [f"<!-- TLS from the first byte; {verified}. -->", f"<ssl{trusted}/>"]
        case Security.STLS:
            about = f"TLS by STLS, before anything secret is said; {verified}."
            return [f"<!-- {about} -->", f'<ssl latent="Y"{trusted}/>']
        case Security.CLEAR:
            return ["<!-- No TLS: the server offers none. As soon as it does, put <ssl/> here. -->"]


def _target(target: MailFolder | MailServer) -> list[str]:
    if isinstance(target, MailFolder):
        return [f"<{target.element}>{_text(short(target.path))}</{target.element}>"]
    return [
        "<!-- Mail goes on by SMTP, to the address in recip. The sender is told of trouble by the mail server. -->",
        "<smtp>",
        f"  <sender>{_text(target.sender)}</sender>",
        f"  <address>{_text(target.address)}</address>",
        "</smtp>",
    ]


def _text(value: str) -> str:
    """Return a value as an element's text. ${ begins the name of an environment variable there; ${$} stands for it."""
    return escape(value.replace("${", "${$}"))


def _attribute(value: str) -> str:
    return quoteattr(value.replace("${", "${$}"))
