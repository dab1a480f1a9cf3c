"""The demo's folder and the configuration in it."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest

from tests.support.clock import local
from tui_popretr.config.choices import AuthType
from tui_popretr.config.model import FolderDestination, MaildirDestination, Settings
from tui_popretr.config.reader import load
from tui_popretr.config.sources import Literal
from tui_popretr.demo.accounts import DemoAccount, make_accounts
from tui_popretr.demo.folder import DemoFolder, address_of, make_folder, read_configuration, write_configuration
from tui_popretr.demo.server import Ports
from tui_popretr.errors import CannotCreate, ConfigurationError, ExitCode


def _furnish(folder: Path) -> None:
    """Create what a demo leaves."""
    for name in ("mail/alice/Maildir/new", "downloads/carol", "logs", "var"):
        (folder / name).mkdir(parents=True)
    for name in ("demo.xml", "demo-ca.pem", "logs/audit.log", "var/popretr.sqlite"):
        (folder / name).touch()


def test_a_fresh_folder_among_the_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first, second = make_folder(None), make_folder(None)
    assert first.path != second.path
    for folder in (first, second):
        path = Path(folder.path)
        assert path.parent == tmp_path
        assert path.name.startswith("tui-popretr-demo-")
        assert path.stat().st_mode & 0o777 == 0o700


def test_a_new_folder_with_its_parents(tmp_path: Path) -> None:
    folder = make_folder(str(tmp_path / "a" / "b"))
    assert Path(folder.path) == tmp_path / "a" / "b"
    assert folder.created
    assert Path(folder.path).stat().st_mode & 0o777 == 0o700


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert make_folder("here").path == str(tmp_path / "here")


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(CannotCreate, match="is not empty") as caught:
        make_folder(str(tmp_path))
    assert caught.value.exit_code is ExitCode.CANT_CREATE
    assert "--folder" in caught.value.advice
    assert list(tmp_path.iterdir()) == [tmp_path / "thesis.txt"]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotCreate, match="file exists"):
        make_folder(str(tmp_path / "file"))


def test_no_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(CannotCreate, match="no such file or directory"):
        make_folder(None)


def test_a_folder_of_the_demo_is_removed(tmp_path: Path) -> None:
    folder = make_folder(str(tmp_path / "demo"))
    _furnish(Path(folder.path))
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_existed_before_stays(tmp_path: Path) -> None:
    folder = make_folder(str(tmp_path))
    _furnish(tmp_path)
    folder.remove()
    assert tmp_path.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    folder = make_folder(str(tmp_path / "demo"))
    _furnish(Path(folder.path))
    (tmp_path / "demo" / "notes.txt").write_text("mine")
    folder.remove()
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["notes.txt"]


# --- the configuration ----------------------------------------------------------------------------------------------

PORTS = Ports(40110, 40995)


@pytest.fixture(scope="module")
def accounts() -> tuple[DemoAccount, ...]:
    return make_accounts(local(2026, 11, 23))


@pytest.fixture(params=["demo", "conf", "with space & ${HOME} %Y%", "größer"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> DemoFolder:
    """Folders with difficult names."""
    return make_folder(str(tmp_path / request.param))


@pytest.fixture
def settings(folder: DemoFolder, accounts: tuple[DemoAccount, ...]) -> Settings:
    loaded = load(write_configuration(folder, accounts, PORTS))
    assert loaded.problems == ()
    assert loaded.settings is not None
    return loaded.settings


def test_only_the_owner_can_read_the_configuration(folder: DemoFolder, settings: Settings) -> None:
    assert stat.S_IMODE(Path(folder.configuration).stat().st_mode) == 0o600


def test_paths_are_those_of_the_folder(
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


def test_each_account_has_a_client(folder: DemoFolder, settings: Settings, accounts: tuple[DemoAccount, ...]) -> None:
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


def test_an_existing_configuration_is_not_overwritten(folder: DemoFolder, accounts: tuple[DemoAccount, ...]) -> None:
    Path(folder.configuration).write_text("mine")
    with pytest.raises(FileExistsError):
        write_configuration(folder, accounts, PORTS)
    assert Path(folder.configuration).read_text() == "mine"


def test_each_problem_has_a_line(folder: DemoFolder) -> None:
    text = '<pop3download><clients><client id="a" freq="x"/></clients></pop3download>'
    Path(folder.configuration).write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(folder)
    lines = str(caught.value).splitlines()
    assert lines == [str(problem) for problem in load(folder.configuration).problems]
    assert len(lines) > 1
