"""What a configuration needs and this machine has not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.program.process import client, run_program, write_configuration
from tests.support.passwords import PASSWORD
from tui_popretr.cli.preflight import warnings
from tui_popretr.config.model import Settings
from tui_popretr.config.reader import load
from tui_popretr.oauth.store import Tokens, TokenStore
from tui_popretr.secret import Secret

FOLDER = "<downloads_directory>{}</downloads_directory>"


def settings_of(folder: Path, *clients: str, before: str = "") -> Settings:
    settings = load(write_configuration(folder / "c.xml", *clients, before=before)).settings
    assert settings is not None
    return settings


def with_password(source: str) -> str:
    return client("isp", "127.0.0.1").replace(f"<password>{PASSWORD}</password>", f"<password {source}/>")


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without permissions, for root too."""
    path = tmp_path / "locked"
    path.mkdir()
    access = os.access

    def refusing(name: str, mode: int) -> bool:
        return not str(name).startswith(str(path)) and access(name, mode)

    monkeypatch.setattr(os, "access", refusing)
    return path


def test_where_nothing_is_missing_nothing_is_told_or_made(tmp_path: Path) -> None:
    (tmp_path / "word").write_text("secret\n", encoding="utf-8")
    (tmp_path / "word").chmod(0o640)
    before = '<audit rot="daily">%DIRLOG%/Y%Y%/a-%DT%.log</audit><trace>%stderr%</trace>'
    for source in ('file="word"', 'command="sh -c true"'):
        assert warnings(settings_of(tmp_path, with_password(source), before=before)) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.xml", "word"]


def test_password_files(tmp_path: Path, locked: Path) -> None:
    (tmp_path / "open").touch()
    (tmp_path / "open").chmod(0o604)
    (locked / "word").touch()
    sources = ("none", "open", ".", "locked/word")
    told = [warnings(settings_of(tmp_path, with_password(f'file="{tmp_path}/{name}"'))) for name in sources]
    assert told == [
        [f"client isp: the password file {tmp_path}/none cannot be read: no such file or directory"],
        [f"client isp: others may read the password file; run chmod 600 {tmp_path}/open"],
        [f"client isp: the password file {tmp_path} is a folder"],
        [f"client isp: the password file {tmp_path}/locked/word cannot be read: permission denied"],
    ]


def test_files_of_client_secrets(tmp_path: Path) -> None:
    oauth = '<oauth provider="google" clientid="i"><clientsecret file="none"/></oauth>'
    isp = client("isp", "127.0.0.1").replace(f"<password>{PASSWORD}</password>", oauth)
    settings = settings_of(tmp_path, isp)
    put_token(settings)
    trouble = f"the client secret file {tmp_path}/none cannot be read: no such file or directory"
    assert warnings(settings) == [f"client isp: {trouble}"]


def put_token(settings: Settings) -> Path:
    (oauth,) = settings.clients[0].oauths
    TokenStore(oauth.folder).save(oauth.key, Tokens(Secret("a"), None, None, (), "", 1))
    return Path(oauth.folder, f"{oauth.key}.json")


def test_access_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oauth = '<oauth provider="google" clientid="i"/>'
    isp = client("isp", "127.0.0.1").replace(f"<password>{PASSWORD}</password>", oauth)
    settings = settings_of(tmp_path, isp)
    command = f"tui-popretr login {tmp_path}/c.xml --client isp"
    assert warnings(settings) == [f"client isp: there is no access token yet; log in with: {command}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.xml"]
    path = put_token(settings)
    assert warnings(settings) == []
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    (trouble,) = warnings(settings)
    assert trouble == f"client isp: the token file {path} belongs to another user, who alone can use it"


def test_password_commands(tmp_path: Path) -> None:
    (told,) = warnings(settings_of(tmp_path, with_password('command="no-such-program --private"')))
    assert told == "client isp: the password command no-such-program is not found, or cannot be run"


def test_commands_that_take_the_mail(tmp_path: Path) -> None:
    inside = '<ssl/><mda command="{}"/>'
    told = warnings(
        settings_of(
            tmp_path,
            client("a", "a.test", more=inside.format("sh -c true")),
            client("b", "b.test", more=inside.format("no-such-program --private")),
        )
    )
    assert told == ["client b: mail cannot be delivered: the command no-such-program is not found, or cannot be run"]


def test_destinations_that_are_no_folders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "half").mkdir()
    (tmp_path / "half/new").touch()
    (tmp_path / "lost").symlink_to("nowhere")
    told = warnings(
        settings_of(
            tmp_path,
            client("a", "a.test", more="<ssl/><maildir>file/mail</maildir>"),
            client("b", "b.test", more="<ssl/><maildir>half</maildir>"),
            client("c", "c.test", more="<ssl/>" + FOLDER.format("file")),
            client("d", "d.test", more="<ssl/>" + FOLDER.format("lost")),
        )
    )
    assert told == [
        f"client a: mail cannot be stored: {tmp_path}/file is not a folder",
        f"client b: mail cannot be stored: {tmp_path}/half/new is not a folder",
        f"client c: mail cannot be stored: {tmp_path}/file is not a folder",
        f"client d: mail cannot be stored: {tmp_path}/lost is not a folder",
    ]


def test_destinations_that_cannot_be_written(tmp_path: Path, locked: Path) -> None:
    told = warnings(
        settings_of(
            tmp_path,
            client("a", "a.test", more="<ssl/>" + FOLDER.format("locked")),
            client("b", "b.test", more="<ssl/>" + FOLDER.format("locked/a/b")),
        )
    )
    assert [each.removeprefix("client ").replace("mail cannot be stored: ", "") for each in told] == [
        f"a: no permission to write into the folder {locked}",
        f"b: the folder {locked}/a/b cannot be made: no permission to write into {locked}",
    ]


def test_journal_and_logs(tmp_path: Path, locked: Path) -> None:
    (tmp_path / "file").touch()
    (locked / "old.log").touch()
    logs = f"<audit>{tmp_path}/file/%DT%.log</audit><transcript>{locked}/old.log</transcript><trace>{tmp_path}</trace>"
    told = warnings(settings_of(tmp_path, before=f"<dirpaths><var>locked/var</var></dirpaths>{logs}"))
    assert told == [
        f"the journal cannot be written: the folder {locked}/var cannot be made: no permission to write into {locked}",
        f"the audit log cannot be written: {tmp_path}/file is not a folder",
        f"the transcript cannot be written: no permission to write {locked}/old.log",
        f"the trace cannot be written: {tmp_path} is a folder",
    ]


def test_the_folder_of_the_metrics_must_exist(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, client("isp", "127.0.0.1"), before="<metrics>m/popretr.prom</metrics>")
    assert warnings(settings) == [f"the file of metrics cannot be written: the folder {tmp_path}/m does not exist"]
    (tmp_path / "m").mkdir()
    assert warnings(settings) == []


def test_check_tells_and_ends_with_0(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", with_password('file="none"'), client("work", "127.0.0.2"))
    done = run_program("check", path)
    assert (done.code, done.out.count("\n")) == (0, 3)
    trouble = f"the password file {tmp_path}/none cannot be read: no such file or directory"
    assert done.err == f"{path}: warning: client isp: {trouble}\n"
    assert run_program("check", path, "--client", "work").err == ""


def test_a_folder_for_refused_messages(tmp_path: Path, locked: Path) -> None:
    smtp = "<smtp><sender>me</sender><rejected>{}</rejected></smtp>"
    told = [
        warnings(settings_of(tmp_path, client("isp", "127.0.0.1", more=smtp.format(path))))
        for path in (tmp_path / "new", locked / "deep/down")
    ]
    cannot = f"the folder {locked}/deep/down cannot be made: no permission to write into {locked}"
    assert told == [[], [f"client isp: refused messages cannot be saved: {cannot}"]]
