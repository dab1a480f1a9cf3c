"""The demo's folder, and the configuration file in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from tui_popretr.config.model import Settings
from tui_popretr.config.reader import load
from tui_popretr.demo.accounts import DemoAccount, Security
from tui_popretr.demo.server import HOST, Ports
from tui_popretr.errors import CannotCreate, ConfigurationError, describe_os_error
from tui_popretr.popserver.certificates import ca_path

# names in the folder
_CONFIGURATION, _AUTHORITY = "demo.xml", "demo-ca.pem"
_MAIL, _DOWNLOADS, _LOGS, _VAR = "mail", "downloads", "logs", "var"
_AUDIT, _TRANSCRIPT, _TRACE = "audit.log", "transcript.log", "program.log"

_FRAME = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- The configuration of "tui-popretr demo". Its server has ended; the file stays as an example. -->
<pop3download>
  <dirpaths>
    <!-- Relative paths below are relative to this folder, the folder of this file. -->
    <root>{root}</root>
    <logs>{logs}</logs>
  </dirpaths>

  <!-- Mailboxes are {mail}/RECIP/Maildir. -->
  <message_store>
    <userpath>{mail}</userpath>
    <mailpath>Maildir</mailpath>
  </message_store>

  <!-- One line for each delivered message; the dialogue with the servers; the program's own log. -->
  <audit>%DIRLOG%/{audit}</audit>
  <transcript>%DIRLOG%/{transcript}</transcript>
  <trace>%DIRLOG%/{trace}</trace>

  <!-- How long to wait for a server's reply. -->
  <timeout>30s</timeout>
  <!-- Start all clients at once. -->
  <delay_start>0</delay_start>

  <clients>
{clients}
  </clients>
</pop3download>
"""

_CLIENT = """\
    <!-- {about} -->
    <client id="{id}" recip="{owner}" freq="{frequency}">
      <server address="{address}">
        <username>{owner}</username>
        <password>{password}</password>
        <authtypes>{auth_types}</authtypes>
      </server>
{extras}    </client>"""

_SSL = f'      <ssl latent="{{latent}}" tspath="{_AUTHORITY}"/>\n'
_DOWNLOADS_DIRECTORY = f"      <downloads_directory>{_DOWNLOADS}/%U%</downloads_directory>\n"


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """The paths in a folder that holds nothing but one demo. `path` is absolute."""

    path: str
    created: bool  # by the demo

    @property
    def configuration(self) -> str:
        return os.path.join(self.path, _CONFIGURATION)

    @property
    def authority(self) -> str:
        """The certificate authority of the demo's server, as PEM file."""
        return os.path.join(self.path, _AUTHORITY)

    @property
    def audit(self) -> str:
        return os.path.join(self.path, _LOGS, _AUDIT)

    @property
    def transcript(self) -> str:
        return os.path.join(self.path, _LOGS, _TRANSCRIPT)

    @property
    def trace(self) -> str:
        """The program's own log."""
        return os.path.join(self.path, _LOGS, _TRACE)

    def mail_of(self, account: DemoAccount) -> str:
        """Return the folder with an account's new mail; of a Maildir, its `new`."""
        if account.downloads:
            return os.path.join(self.path, _DOWNLOADS, account.owner)
        return os.path.join(self.path, _MAIL, account.owner, "Maildir", "new")

    def remove(self) -> None:
        """Remove what the demo has created. Other files stay, and the folder, if it existed before."""
        for name in (_MAIL, _DOWNLOADS, _LOGS, _VAR):
            shutil.rmtree(os.path.join(self.path, name), ignore_errors=True)
        for path in (self.configuration, self.authority):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        if self.created:
            with contextlib.suppress(OSError):
                os.rmdir(self.path)


def make_folder(path: str | None) -> DemoFolder:
    """Return a folder for a demo: `path`, new or empty, or a new one among the system's temporary files.

    Raises CannotCreate, also if `path` is a folder that is not empty.
    """
    try:
        if path is None:
            return DemoFolder(os.path.realpath(tempfile.mkdtemp(prefix="tui-popretr-demo-")), created=True)
        path = os.path.realpath(path)
        created = not os.path.isdir(path)
        os.makedirs(path, mode=0o700, exist_ok=True)
        if os.listdir(path):
            raise CannotCreate(
                f"the folder {path} is not empty", advice="name a new or empty one, or leave --folder out"
            )
    except OSError as error:
        name = error.filename or path or tempfile.gettempdir()
        raise CannotCreate(
            f"the demo's folder cannot be created: {name}: {describe_os_error(error)}",
            advice="name another one with --folder",
        ) from error
    return DemoFolder(path, created)


def write_configuration(folder: DemoFolder, accounts: Iterable[DemoAccount], ports: Ports) -> str:
    """Write the configuration and the authority's certificate into the folder; return the configuration's path.

    The file contains passwords; its mode is 0600. Raises OSError.
    """
    shutil.copyfile(ca_path(), folder.authority)
    # a path in a folder that is called conf is relative to the folder's parent
    name = os.path.basename(folder.path)
    text = _FRAME.format(
        root="conf" if name == "conf" else ".",
        mail=_MAIL,
        logs=_LOGS,
        audit=_AUDIT,
        transcript=_TRANSCRIPT,
        trace=_TRACE,
        clients="\n\n".join(_client(account, ports) for account in accounts),
    )
    descriptor = os.open(folder.configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return folder.configuration


def read_configuration(folder: DemoFolder) -> Settings:
    """Return the settings in the folder's configuration.

    Raises ConfigurationError; its text has a line for each problem.
    """
    loaded = load(folder.configuration)
    if loaded.settings is None:
        raise ConfigurationError("\n".join(map(str, loaded.problems)))
    return loaded.settings


def address_of(account: DemoAccount, ports: Ports) -> str:
    """Return the address of an account's server, as host:port."""
    return f"{HOST}:{ports.tls if account.security is Security.TLS else ports.clear}"


def _client(account: DemoAccount, ports: Ports) -> str:
    extras = ""
    if account.security is not Security.CLEAR:
        extras += _SSL.format(latent="Y" if account.security is Security.STLS else "N")
    if account.downloads:
        extras += _DOWNLOADS_DIRECTORY
    return _CLIENT.format(
        about=account.about,
        id=account.id,
        owner=escape(account.owner),
        frequency=account.frequency,
        address=address_of(account, ports),
        password=escape(account.password),
        auth_types=account.auth_types,
        extras=extras,
    )
