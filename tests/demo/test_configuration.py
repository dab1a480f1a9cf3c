"""The demo's configuration: read as anybody's, without a single complaint, and saying what the accounts say."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.support.clock import local
from tui_popretr.config.choices import AuthType
from tui_popretr.config.model import FolderDestination, Literal, MaildirDestination, Settings
from tui_popretr.config.reader import load
from tui_popretr.demo.accounts import DemoAccount, make_accounts
from tui_popretr.demo.configuration import address_of, read_configuration, write_configuration
from tui_popretr.demo.folder import DemoFolder, make_folder
from tui_popretr.demo.server import Ports
from tui_popretr.errors import ConfigurationError

PORTS = Ports(40110, 40995)


@pytest.fixture(scope="module")
def accounts() -> tuple[DemoAccount, ...]:
    return make_accounts(local(2026, 11, 23))


@pytest.fixture(params=["demo", "conf", "with space & ${HOME} %Y%", "größer"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> DemoFolder:
    """Folders of names that could lead astray."""
    return make_folder(str(tmp_path / request.param))


@pytest.fixture
def settings(folder: DemoFolder, accounts: tuple[DemoAccount, ...]) -> Settings:
    loaded = load(write_configuration(folder, accounts, PORTS))
    assert loaded.problems == ()
    assert loaded.settings is not None
    return loaded.settings


def test_nobody_else_may_read_it(folder: DemoFolder, settings: Settings) -> None:
    assert stat.S_IMODE(Path(folder.configuration).stat().st_mode) == 0o600


def test_everything_lies_where_the_folder_says(
    folder: DemoFolder, settings: Settings, accounts: tuple[DemoAccount, ...]
) -> None:
    assert settings.path == folder.configuration
    assert settings.paths.top == folder.path
    assert settings.audit is not None
    assert settings.transcript is not None
    assert settings.trace is not None
    assert (settings.audit.path, settings.transcript.path) == (folder.audit, folder.transcript)
    assert settings.trace.path == folder.trace
    assert Path(settings.journal).parent == Path(folder.path, "var")
    for client, account in zip(settings.clients, accounts, strict=True):
        destination = client.destination
        assert isinstance(destination, FolderDestination if account.downloads else MaildirDestination)
        new = Path(destination.path) if account.downloads else Path(destination.path, "new")
        assert str(new) == folder.mail_of(account)


def test_the_accounts_are_in_it(folder: DemoFolder, settings: Settings, accounts: tuple[DemoAccount, ...]) -> None:
    assert [client.id for client in settings.clients] == [account.id for account in accounts]
    for client, account in zip(settings.clients, accounts, strict=True):
        server = client.server
        assert server.address == address_of(account, PORTS)
        assert server.username == client.recip == account.owner
        assert isinstance(server.password, Literal)
        assert server.password.secret.reveal() == account.password
    protection = {client.id: client.server.tls for client in settings.clients}
    implicit, latent = protection.pop("tls"), protection.pop("stls")
    assert implicit is not None
    assert latent is not None
    assert (implicit.latent, latent.latent) == (False, True)
    assert implicit.trust_path == latent.trust_path == folder.authority
    assert "BEGIN CERTIFICATE" in Path(folder.authority).read_text()
    assert set(protection.values()) == {None}
    by_id = {client.id: client for client in settings.clients}
    assert by_id["tls"].server.port == PORTS.tls
    assert by_id["stls"].server.auth_types == (AuthType.SASL_CRAM_MD5, AuthType.APOP)


def test_an_older_configuration_is_not_overwritten(folder: DemoFolder, accounts: tuple[DemoAccount, ...]) -> None:
    Path(folder.configuration).write_text("mine")
    with pytest.raises(FileExistsError):
        write_configuration(folder, accounts, PORTS)
    assert Path(folder.configuration).read_text() == "mine"


def test_problems_are_told_one_a_line(folder: DemoFolder) -> None:
    text = '<pop3download><clients><client id="a" freq="x"/></clients></pop3download>'
    Path(folder.configuration).write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(folder)
    lines = str(caught.value).splitlines()
    assert lines == [str(problem) for problem in load(folder.configuration).problems]
    assert len(lines) > 1
