"""The demo's configuration file: a real one, with comments, that is read as anybody's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from html import escape

from tui_popretr.config.model import Settings
from tui_popretr.config.reader import load
from tui_popretr.demo import folder as layout
from tui_popretr.demo.accounts import DemoAccount, Security
from tui_popretr.demo.folder import DemoFolder
from tui_popretr.demo.server import HOST, Ports
from tui_popretr.errors import ConfigurationError
from tui_popretr.popserver.certificates import ca_path

_FRAME = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- What "tui-popretr demo" ran with. Its server is gone when the demo ends; the file stays as an example to read. -->
<pop3download>
  <dirpaths>
    <!-- Relative paths below begin here: the folder of this file. -->
    <root>{root}</root>
    <logs>{logs}</logs>
  </dirpaths>

  <!-- Where mailboxes are: {mail}/RECIP/Maildir. -->
  <message_store>
    <userpath>{mail}</userpath>
    <mailpath>Maildir</mailpath>
  </message_store>

  <!-- One line for each delivered message; the dialogue with the servers; what the program says of itself. -->
  <audit>%DIRLOG%/{audit}</audit>
  <transcript>%DIRLOG%/{transcript}</transcript>
  <trace>%DIRLOG%/{trace}</trace>

  <!-- Nobody waits longer than this for an answer. -->
  <timeout>30s</timeout>
  <!-- Begin at once, all of them together. -->
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

_SSL = '      <ssl latent="{latent}" tspath="{authority}"/>\n'
_DOWNLOADS = "      <downloads_directory>{downloads}/%U%</downloads_directory>\n"


def write_configuration(folder: DemoFolder, accounts: Iterable[DemoAccount], ports: Ports) -> str:
    """Write the configuration and the authority's certificate into the folder; return the configuration's path.

    The configuration holds passwords and is for its owner only (0600). Raises OSError.
    """
    shutil.copyfile(ca_path(), folder.authority)
    # the root is relative to the file's folder, but to its parent where that is called conf
    name = os.path.basename(folder.path)
    text = _FRAME.format(
        root="conf" if name == "conf" else ".",
        mail=layout.MAIL,
        logs=layout.LOGS,
        audit=layout.AUDIT,
        transcript=layout.TRANSCRIPT,
        trace=layout.TRACE,
        clients="\n\n".join(_client(account, ports) for account in accounts),
    )
    descriptor = os.open(folder.configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return folder.configuration


def read_configuration(folder: DemoFolder) -> Settings:
    """Return the settings in the folder's configuration, read the way it is done for everybody.

    Raises ConfigurationError, whose text has one problem a line.
    """
    loaded = load(folder.configuration)
    if loaded.settings is None:
        raise ConfigurationError("\n".join(map(str, loaded.problems)))
    return loaded.settings


def address_of(account: DemoAccount, ports: Ports) -> str:
    """Return where an account is served, as host:port."""
    return f"{HOST}:{ports.tls if account.security is Security.TLS else ports.clear}"


def _client(account: DemoAccount, ports: Ports) -> str:
    extras = ""
    if account.security is not Security.CLEAR:
        extras += _SSL.format(latent="Y" if account.security is Security.STLS else "N", authority=layout.AUTHORITY)
    if account.downloads:
        extras += _DOWNLOADS.format(downloads=layout.DOWNLOADS)
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
