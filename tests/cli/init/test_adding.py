"""`init` with a configuration that exists: another client is added to it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conversation import converse
from tests.program.process import Done, mail, run_program
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import RunningServer, running_server
from tui_popretr.cli.init import existing
from tui_popretr.cli.init.existing import ExistingConfiguration
from tui_popretr.cli.init.insertion import with_client
from tui_popretr.cli.init.text import NewClient
from tui_popretr.cli.main import main
from tui_popretr.config.model import Settings
from tui_popretr.config.reader import load
from tui_popretr.errors import ConfigurationError
from tui_popretr.popserver.certificates import ca_path, server_context

OLD = """\
<pop3download>
  <timeout>3m</timeout>   <!-- mine,   with   spaces -->
  <clients>
    <client id='localhost' recip="me">
      <server address="pop.old.example"><username>me</username><password env="OLD"/></server>
      <ssl/>
      <maildir>old</maildir>
    </client>
    <client enabled="N" id="off"/>
    <!-- the end -->
  </clients>
</pop3download>
"""
ADD = "Add a client to it? (y/n) [y]: "


@pytest.fixture
def server() -> Iterator[RunningServer]:
    box = ServedMaildrop("me@example.test", PASSWORD)
    box.add(mail())
    with running_server([box], tls=server_context()) as server:
        yield server


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("POP_PASSWORD", PASSWORD)
    monkeypatch.setenv("OLD", "old")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mail.xml"
    path.write_text(OLD)
    path.chmod(0o640)
    return path


def arguments(server: RunningServer, *more: str) -> list[str]:
    trust = ("--address", server.tls_address, "--tspath", ca_path())
    return ["init", "mail.xml", *trust, "--user", "me@example.test", "--maildir", "new", *more]


#: Runs `init mail.xml` without a terminal.
Run = Callable[..., Done]


@pytest.fixture
def run(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*more: str) -> Done:
        capsys.readouterr()
        password = () if "--password-command" in more else ("--password-env", "POP_PASSWORD")
        code = main(arguments(server, *password, *more))
        return Done(code, *capsys.readouterr())

    return run


def settings_of(path: Path) -> Settings:
    loaded = load(str(path), environ={"HOME": str(path.parent), "OLD": "", "POP_PASSWORD": ""})
    assert loaded.settings is not None, loaded.problems
    return loaded.settings


def test_a_client_is_added_and_the_rest_stays(path: Path, run: Run) -> None:
    before = settings_of(path)
    done = run("--add")
    assert (done.code, done.err) == (0, "")
    text = path.read_text()
    begin, end = text.index("\n    <client enabled"), text.index("\n    <!-- the end")
    assert text[:begin] + text[begin:].partition("\n\n")[0] + text[end:] == OLD
    after = settings_of(path)
    assert [client.id for client in after.clients] == ["localhost", "localhost-2"]
    assert after.clients[0] == before.clients[0]
    assert (after.timeout, after.disabled) == (before.timeout, before.disabled)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(path.parent) == ["mail.xml"]


def test_what_is_printed(path: Path, run: Run) -> None:
    said = run("--add").out
    assert said.startswith("A client for one more account, added to ~/mail.xml\n")
    assert "Written: ~/mail.xml, with the new client\n" in said
    assert f"  tui-popretr reload {path}\n" in said
    assert f"  tui-popretr mark-seen {path} --client localhost-2\n" in said
    assert "pop.old.example" not in said.partition("Written")[2]


def test_the_new_client_retrieves(path: Path, run: Run) -> None:
    assert run("--add").code == 0
    done = run_program("--headless", "--once", str(path), "--client", "localhost-2", environ=dict(os.environ))
    assert done.code == 0, done.err
    assert len(os.listdir(path.parent / "new/new")) == 1


def test_a_third_one(path: Path, run: Run) -> None:
    assert run("--add").code == run("--add").code == 0
    assert [client.id for client in settings_of(path).clients] == ["localhost", "localhost-2", "localhost-3"]


def test_without_a_file_one_is_made(tmp_path: Path, run: Run) -> None:
    assert run("--add").code == 0
    assert [client.id for client in settings_of(tmp_path / "mail.xml").clients] == ["localhost"]


def test_a_symbolic_link_stays(path: Path, run: Run) -> None:
    path.rename("real.xml")
    path.symlink_to("real.xml")
    assert run("--add").code == 0
    assert path.is_symlink()
    assert len(settings_of(path).clients) == 2


# --- what is refused --------------------------------------------------------------------------------------------------


def test_without_a_terminal_it_has_to_be_said(path: Path, server: RunningServer, run: Run) -> None:
    done = run()
    assert done.code == 73
    assert "--add adds a client to it" in done.err
    assert path.read_text() == OLD
    assert server.said() == []


@pytest.mark.parametrize("taken", ["localhost", "off"])
def test_an_id_that_is_taken(path: Path, server: RunningServer, run: Run, taken: str) -> None:
    done = run("--add", "--id", taken)
    assert done.code == 64
    assert f"has a client '{taken}' already" in done.err
    assert path.read_text() == OLD
    assert server.said() == []


def test_a_file_with_errors(path: Path, server: RunningServer, run: Run) -> None:
    path.write_text(OLD.replace("3m", "soon"))
    done = run("--add")
    assert done.code == 78
    assert "~/mail.xml cannot be used (1 error), so no client is added to it" in done.err
    assert "tui-popretr check" in done.err
    assert path.read_text() == OLD.replace("3m", "soon")
    assert server.said() == []


def test_a_file_without_clients(path: Path, run: Run) -> None:
    path.write_text("<pop3download/>")
    done = run("--add")
    assert done.code == 78
    assert "<clients></clients>" in done.err
    assert path.read_text() == "<pop3download/>"


def test_a_client_that_cannot_be_used(path: Path, run: Run) -> None:
    done = run("--add", "--maildir", "%NOPE%/new")
    assert done.code == 78
    assert "the token %NOPE% is unknown here" in done.err
    assert path.read_text() == OLD
    assert os.listdir(path.parent) == ["mail.xml"]


def test_a_file_that_changes_meanwhile(path: Path, run: Run) -> None:
    script = path.parent / "password"
    script.write_text(f"#!/bin/sh\necho mine >mail.xml\necho {PASSWORD}\n")
    script.chmod(0o700)
    done = run("--add", "--password-command", "./password")
    assert done.code == 73
    assert "was changed by another program meanwhile" in done.err
    assert path.read_text() == "mine\n"
    assert sorted(os.listdir(path.parent)) == ["mail.xml", "password"]


def test_an_insertion_that_changes_the_rest_is_not_written(
    path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(data: bytes, client: NewClient) -> bytes:
        return with_client(data, client).replace(b"3m", b"4m")

    monkeypatch.setattr(existing, "with_client", wrong)
    done = run("--add")
    assert done.code == 78
    assert "the rest of the file would be read as something else" in done.err
    assert path.read_text() == OLD
    assert os.listdir(path.parent) == ["mail.xml"]


def test_a_difference_elsewhere_is_found(path: Path) -> None:
    old = ExistingConfiguration.read(str(path))
    settings = settings_of(path)
    new = replace(settings.clients[0], id="new")
    added = replace(settings, clients=(*settings.clients, new))
    old.verify(added)
    for wrong in (
        replace(added, timeout=1.0),
        replace(added, clients=(new, *settings.clients)),
        replace(added, disabled=()),
        replace(added, clients=(*settings.clients, new, new)),
        replace(added, password_variables=frozenset()),
    ):
        with pytest.raises(ConfigurationError, match="would be read as something else"):
            old.verify(wrong)


# --- durability -------------------------------------------------------------------------------------------------------


def test_the_old_file_is_replaced_when_the_new_one_is_durable(
    path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        steps.append(f"fsync {kind}, {'old' if path.read_text() == OLD else 'new'}")
        fsync(descriptor)

    def noted_rename(old: str, new: str) -> None:
        steps.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_rename)
    assert run("--add").code == 0
    assert steps[:3] == ["fsync file, old", "rename", "fsync folder, new"]


def test_a_failure_to_replace_it_leaves_it(path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_old: str, _new: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert run("--add").code in (73, 74)
    assert path.read_text() == OLD
    assert os.listdir(path.parent) == ["mail.xml"]


# --- questions --------------------------------------------------------------------------------------------------------


def test_questions(path: Path, server: RunningServer) -> None:
    answers = [(ADD, ""), ("Number [1]: ", "1"), ("Password (not shown): ", PASSWORD), ("(y/n) [n]: ", "")]
    talk = converse(path.parent, arguments(server), answers)
    assert talk.code == 0, talk.screen
    assert "~/mail.xml exists already; its clients: localhost, off\n" in talk.screen
    assert len(settings_of(path).clients) == 2
    assert (path.parent / "localhost-2.password").read_text() == f"{PASSWORD}\n"


def test_a_refusal(path: Path, server: RunningServer) -> None:
    talk = converse(path.parent, arguments(server), [(ADD, "n")])
    assert talk.code == 73, talk.screen
    assert path.read_text() == OLD


def test_a_password_that_is_there_is_not_of_the_new_client(path: Path, server: RunningServer) -> None:
    (path.parent / "localhost.password").write_text("another one\n")
    answers = [("Number [1]: ", "1"), ("Password (not shown): ", PASSWORD), ("(y/n) [n]: ", "")]
    talk = converse(path.parent, arguments(server, "--add"), answers)
    assert talk.code == 0, talk.screen
    assert (path.parent / "localhost.password").read_text() == "another one\n"
