"""`init` with nobody to ask, as in scripts: what it finds out, what it writes, and what it does not."""

from __future__ import annotations

import argparse
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.program.process import Done, environment, mail, run_program
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop, ServerPolicy
from tests.support.popserver.policy import CRAM, STD, Mechanism
from tests.support.popserver_thread import RunningServer, running_server
from tests.support.waiting import PATIENCE
from tui_popretr.cli.argparse_private import actions
from tui_popretr.cli.init import arguments as init_arguments
from tui_popretr.cli.init import command as init
from tui_popretr.cli.init.ask import client_id_of
from tui_popretr.cli.main import main
from tui_popretr.cli.parser import build_parser, normalise
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.config.model import (
    ClientSettings,
    FolderDestination,
    GmailDestination,
    ImapDestination,
    MaildirDestination,
)
from tui_popretr.config.problems import Severity
from tui_popretr.config.reader import load
from tui_popretr.config.sources import FromEnvironment, FromFile
from tui_popretr.errors import PopretrError, ServerUnreachable, TlsFailed, TlsRequired, UidlUnavailable
from tui_popretr.net.connect import connect
from tui_popretr.net.stream import Stream
from tui_popretr.popserver.certificates import ca_path, server_context


@pytest.fixture
def box() -> ServedMaildrop:
    box = ServedMaildrop("me@example.test", PASSWORD)
    box.add(mail())
    return box


@pytest.fixture
def server(box: ServedMaildrop) -> Iterator[RunningServer]:
    with running_server([box], tls=server_context()) as server:
        yield server


def arguments(address: str, *more: str, user: str = "me@example.test") -> list[str]:
    """Arguments that leave nothing to be asked."""
    if not {"--password-env", "--password-file", "--password-command"}.intersection(more):
        more = ("--password-env", "POP_PASSWORD", *more)
    if not {"--folder", "--smtp", "--imap", "--gmail"}.intersection(more):
        more = ("--maildir", "~/Maildir", *more)
    return ["init", "--address", address, "--user", user, *more]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is home, and where the program is started."""
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("POP_PASSWORD", PASSWORD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


#: Runs `init` with the server's address and further arguments.
Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`init` in this process, without a terminal; without arguments to the contrary the password is right."""

    def run(address: str, *more: str) -> Done:
        trust = () if "--tspath" in more else ("--tspath", ca_path())
        capsys.readouterr()
        code = main(arguments(address, *trust, *more))
        out, err = capsys.readouterr()
        assert PASSWORD not in out + err
        return Done(code, out, err)

    return run


def usual(home: Path) -> Path:
    return home / ".config/tui-popretr/tui-popretr.xml"


def only_client(home: Path, path: Path | None = None) -> ClientSettings:
    """The client of a configuration that has nothing to be warned of."""
    loaded = load(str(path or usual(home)), environ={"HOME": str(home), "POP_PASSWORD": PASSWORD})
    assert loaded.settings is not None, loaded.problems
    assert [problem for problem in loaded.problems if problem.severity is not Severity.NOTE] == []
    (client,) = loaded.settings.clients
    return client


def nothing_in(home: Path) -> bool:
    return list(home.rglob("*.xml")) == list(home.rglob("*.password")) == list(home.rglob("*.part")) == []


# --- all goes well ----------------------------------------------------------------------------------------------------


def test_from_nothing_to_mail_in_two_commands(
    tmp_path: Path, server: RunningServer, box: ServedMaildrop, run: Run
) -> None:
    done = run(server.tls_address)
    assert (done.code, done.err) == (0, "")
    assert box.retrieved == []

    environ = {"HOME": str(tmp_path), "POP_PASSWORD": PASSWORD}
    checked = run_program("check", environ=environ)
    assert (checked.code, checked.err) == (0, "")
    assert run_program("--headless", "--once", environ=environ).code == 0
    assert len(os.listdir(tmp_path / "Maildir/new")) == 1
    assert box.deleted == []
    assert run_program("--headless", "--once", environ=environ).code == 0
    assert len(os.listdir(tmp_path / "Maildir/new")) == 1


def test_what_is_told(tmp_path: Path, server: RunningServer, run: Run) -> None:
    done = run(server.tls_address)
    said = done.out.splitlines()
    look = f"  port {server.tls_port}, TLS from the first byte: TLSv1.3, verified certificate of localhost, issued by "
    assert said[4].startswith(look)
    assert re.search(r", expires in [\d,]+ days, on \d{4}-\d\d-\d\d$", said[4])
    assert "  logins: USERPASS, SASL_PLAIN" in said
    assert f"  it works: 1 message, {len(mail())} B" in said
    assert "Written: ~/.config/tui-popretr/tui-popretr.xml" in said
    next_steps = said[said.index("Next:") + 1 :]
    commands = ("check --connect", "", "--headless --once", "service --write")
    assert next_steps[::2] == [f"  tui-popretr {command}".rstrip() for command in commands]
    assert run(server.tls_address, "-q", "other.xml") == Done(0, "", "")
    elsewhere = run(server.tls_address, "with space.xml", "--no-login").out
    assert f"  tui-popretr check '{tmp_path}/with space.xml' --connect\n" in elsewhere
    assert f"  tui-popretr '{tmp_path}/with space.xml' --headless --once\n" in elsewhere


def test_files_and_folders_are_private(tmp_path: Path, server: RunningServer, run: Run) -> None:
    assert run(server.tls_address).code == 0
    made = [*(tmp_path / ".config").rglob("*"), tmp_path / ".config"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()} == {0o700}
    assert [path.name for path in made if path.is_file()] == ["tui-popretr.xml"]


def test_mail_stays_unless_it_is_to_be_deleted(tmp_path: Path, server: RunningServer, run: Run) -> None:
    assert run(server.tls_address).code == 0
    client = only_client(tmp_path)
    assert (client.retention.preserve, client.retention.new_only) == (True, True)
    assert run(server.tls_address, "--delete", "--force").code == 0
    client = only_client(tmp_path)
    assert (client.retention.preserve, client.retention.new_only) == (False, False)


def test_stls_where_there_is_no_tls_from_the_first_byte(tmp_path: Path, server: RunningServer, run: Run) -> None:
    done = run(f"localhost:{server.port}")
    assert done.code == 0, done.err
    assert re.search(r"TLS from the first byte: the server speaks plain text at port \d+ and not TLS", done.out)
    client = only_client(tmp_path)
    assert client.server.tls is not None
    assert client.server.tls.latent
    assert client.server.address == f"localhost:{server.port}"


def test_all_that_can_be_said(tmp_path: Path, server: RunningServer, run: Run) -> None:
    more = ("mine/mail.xml", "--folder", "mail/%U%", "--id", "isp", "--recip", "anna", "--freq", "1h", "--keep")
    assert run(server.tls_address, *more).code == 0
    client = only_client(tmp_path, tmp_path / "mine/mail.xml")
    assert (client.id, client.recip, client.frequency) == ("isp", "anna", 3600.0)
    assert client.destination == FolderDestination(f"{tmp_path}/mail/anna")


def test_without_a_look_at_the_server(tmp_path: Path, run: Run) -> None:
    done = run("pop.example.test", "--offline")
    assert done.code == 0, done.err
    client = only_client(tmp_path)
    assert client.server.address == "pop.example.test:995"
    assert client.destination == MaildirDestination(f"{tmp_path}/Maildir")
    assert run("pop.example.test:110", "--offline", "--force").code == 0
    tls = only_client(tmp_path).server.tls
    assert tls is not None
    assert tls.latent


def test_mail_goes_on_by_smtp(tmp_path: Path, run: Run) -> None:
    done = run("pop.example.test", "--offline", "--smtp", "me@home.test", "--smtp-server", "mx:2525")
    assert done.code == 0, done.err
    text = usual(tmp_path).read_text()
    assert 'recip="me@home.test"' in text
    assert "<sender>pop3downloader@localhost</sender>" in text
    assert "<address>mx:2525</address>" in text


@pytest.mark.parametrize(("port", "starttls"), [(993, False), (143, True), (1993, False)])
def test_mail_goes_into_an_imap_server(port: int, starttls: bool, tmp_path: Path, run: Run) -> None:
    login = ("--imap-user", "me@home.test", "--imap-password-env", "POP_PASSWORD", "--imap-folder", "Old & new")
    done = run("pop.example.test", "--offline", "--imap", f"imap.home.test:{port}", *login)
    assert done.code == 0, done.err
    assert only_client(tmp_path).destination == ImapDestination(
        "imap.home.test",
        port,
        starttls=starttls,
        username="me@home.test",
        password=FromEnvironment("POP_PASSWORD"),
        tls=TlsPolicy(latent=starttls),
        folder="Old & new",
    )
    assert ("<address>imap.home.test</address>" in usual(tmp_path).read_text()) == (port != 1993)


def test_without_the_login_at_the_imap_server(run: Run) -> None:
    done = run("pop.example.test", "--offline", "--imap", "imap.home.test")
    assert done.code == 64
    assert "missing: --imap-user; one of --imap-password-file, --imap-password-command, --imap-password-env" in done.err


def test_the_imap_server_is_tried(tmp_path: Path, server: RunningServer, run: Run) -> None:
    login = ("--imap-user", "me", "--imap-password-env", "POP_PASSWORD")
    done = run(server.tls_address, "--imap", "127.0.0.1:1", *login)
    assert done.code == 69
    assert "cannot reach the IMAP server 127.0.0.1:1" in done.err
    assert nothing_in(tmp_path)


def test_mail_goes_into_gmail(tmp_path: Path, run: Run) -> None:
    given = ("--gmail-client-id", "id-of-mine", "--gmail-client-secret-file", "s", "--gmail-labels", "A | B/C")
    done = run("pop.example.test", "--offline", "--gmail", "me@gmail.com", *given)
    assert done.code == 0, done.err
    found = only_client(tmp_path).destination
    assert isinstance(found, GmailDestination)
    assert found == GmailDestination("me@gmail.com", found.oauth, labels=("A", "B/C"))
    assert found.oauth is not None
    assert (found.oauth.client_id, found.oauth.client_secret) == ("id-of-mine", FromFile(f"{os.getcwd()}/s"))
    assert "\n  tui-popretr login --client example\n" in done.out
    assert "<gmail> was not tested with Google itself" in done.err


def test_without_the_client_id_for_gmail(run: Run) -> None:
    done = run("pop.example.test", "--offline", "--gmail", "me@gmail.com")
    assert done.code == 64
    assert "missing: --gmail-client-id; --gmail-client-secret-file" in done.err


# --- passwords --------------------------------------------------------------------------------------------------------


def test_a_command_is_run_for_the_login(tmp_path: Path, server: RunningServer, run: Run) -> None:
    command = f"{sys.executable} -c \"print('{PASSWORD[:4]}' + '{PASSWORD[4:]}')\""
    done = run(server.tls_address, "--password-command", command)
    assert done.code == 0, done.err
    assert "  it works: " in done.out
    assert PASSWORD not in usual(tmp_path).read_text()


def test_a_file_that_is_there_is_used_as_it_is(tmp_path: Path, server: RunningServer, run: Run) -> None:
    (tmp_path / "secret").write_text(f"{PASSWORD}\nmore\n")
    (tmp_path / "secret").chmod(0o600)
    done = run(server.tls_address, "--password-file", "secret")
    assert (done.code, done.err) == (0, "")
    assert "  it works: " in done.out
    assert (tmp_path / "secret").read_text() == f"{PASSWORD}\nmore\n"
    assert '<password file="~/secret"/>' in usual(tmp_path).read_text()


def test_a_file_that_is_not_there_yet_is_no_obstacle(tmp_path: Path, server: RunningServer, run: Run) -> None:
    done = run(server.tls_address, "--password-file", "~/later")
    assert done.code == 0
    assert "~/later does not exist yet" in done.out
    assert "tui-popretr check --connect\n" in done.out
    assert f"the password file {tmp_path}/later cannot be read" in done.err
    assert not (tmp_path / "later").exists()
    assert b"USER" not in b"".join(server.said())


def test_a_variable_that_is_not_set_is_no_obstacle(tmp_path: Path, server: RunningServer, run: Run) -> None:
    done = run(server.tls_address, "--password-env", "NOT_SET")
    assert done.code == 0
    assert "NOT_SET is not set now, so no login is tried." in done.out
    assert "the environment variable NOT_SET is not set now" in done.err


def test_no_login(tmp_path: Path, server: RunningServer, run: Run) -> None:
    assert run(server.tls_address, "--no-login").code == 0
    assert {line.split()[0] for line in server.said()} == {b"CAPA", b"QUIT"}


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--password-command", "echo wrong"), 77, "the server rejected the login"),
        (("--password-command", "false"), 78, "the password command false failed (exit code 1)"),
        (("--password-command", "no-such-command-here"), 78, "is it installed"),
    ],
)
def test_a_login_that_fails_leaves_nothing(
    tmp_path: Path, server: RunningServer, more: tuple[str, ...], code: int, words: str, run: Run
) -> None:
    done = run(server.tls_address, *more)
    assert done.code == code
    assert words in done.err
    assert nothing_in(tmp_path)


# --- what is missing or wrong -----------------------------------------------------------------------------------------


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    done = run_program("init", environ={"HOME": str(tmp_path)})
    assert done.code == 64
    missing = (
        "one of --address, --mail; one of --user, --mail; one of --password-file, --password-command, --password-env,"
        " --client-id; one of --maildir, --folder, --smtp, --imap, --gmail"
    )
    assert done.err.splitlines()[0] == (f"tui-popretr: there is no terminal to ask on, so these are missing: {missing}")
    done = run_program("init", "--user", "me", "--folder", "d", "--address", "h", environ={"HOME": str(tmp_path)})
    assert done.code == 64
    assert "these are missing: one of --password-file, " in done.err
    assert "--user" not in done.err
    assert nothing_in(tmp_path)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--freq", "often"), "--freq: 'often' is not a time"),
        (("--id", "a/b"), "--id: 'a/b' contains a /"),
        (("--recip", ".."), "--recip: it cannot be '..'"),
        (("--user", " "), "--user: an answer is needed"),
        (("--user", "a\x1b[0m"), "--user: it contains a character that is not allowed there"),
        (("--address", "::1"), "--address: an IPv6 address needs brackets"),
        (("--password-command", "'"), "--password-command: the quoting of the command is wrong"),
        (("--password-env", "A-B"), "--password-env: the value of env is not the name"),
        (("--smtp", "a b"), "--smtp: 'a b' is not a mail address"),
        (("--sender", "a@b"), "--sender and --smtp-server go with --smtp"),
        (("--imap-folder", "x"), "--imap-folder goes with --imap"),
        (("--imap-user", "x"), "--imap-user goes with --imap"),
        (("--imap-tspath", "x"), "--imap-tspath goes with --imap"),
        (("--gmail", "me"), "--gmail: 'me' is not a whole mail address"),
        (("--gmail-client-id", "x"), "--gmail-client-id goes with --gmail"),
        (("--gmail", "a@b.test", "--gmail-labels", "INBOX"), "--gmail-labels: the label 'INBOX' cannot be given"),
        (("--imap", "::1"), "--imap: an IPv6 address needs brackets"),
        (("--keep", "--delete"), "argument --delete: not allowed with argument --keep"),
        (("--folder", "d", "--maildir", "m"), "argument --maildir: not allowed with argument --folder"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path: Path, more: tuple[str, ...], words: str, run: Run) -> None:
    done = run("localhost:1", *more)
    assert done.code == 64
    assert words in done.err
    assert nothing_in(tmp_path)


@pytest.mark.parametrize("name", ["~user-nobody-has/x", "%NOPE%/x"])
def test_an_answer_that_no_configuration_can_hold(tmp_path: Path, name: str, run: Run) -> None:
    done = run("pop.example.test", "--offline", "--folder", name)
    assert done.code == 78
    words = "the token %NOPE% is unknown here" if name.startswith("%") else "is not a user of this machine"
    assert words in done.err
    assert nothing_in(tmp_path)


def test_a_configuration_that_is_there_stays(tmp_path: Path, server: RunningServer, run: Run) -> None:
    path = usual(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    done = run(server.tls_address)
    assert done.code == 73
    assert f"{path} exists already" in done.err
    assert "--force" in done.err
    assert path.read_text() == "mine"
    assert server.said() == []
    assert run(server.tls_address, "--force").code == 0
    assert only_client(tmp_path)
    assert os.listdir(path.parent) == [path.name]


def test_one_that_comes_in_the_meantime_stays_too(tmp_path: Path, server: RunningServer, run: Run) -> None:
    script = tmp_path / "password"
    script.write_text(f"#!/bin/sh\necho mine >mail.xml\necho {PASSWORD}\n")
    script.chmod(0o700)
    done = run(server.tls_address, "mail.xml", "--password-command", "./password")
    assert done.code == 73
    assert "  it works: " in done.out
    assert (tmp_path / "mail.xml").read_text() == "mine\n"
    assert sorted(os.listdir(tmp_path)) == ["mail.xml", "password"]


def test_a_link_stays_a_link(tmp_path: Path, run: Run) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles/mail.xml").write_text("old")
    (tmp_path / "mail.xml").symlink_to("dotfiles/mail.xml")
    assert run("pop.example.test", "--offline", "mail.xml").code == 73
    assert run("pop.example.test", "--offline", "mail.xml", "--force").code == 0
    assert (tmp_path / "mail.xml").is_symlink()
    assert only_client(tmp_path, tmp_path / "dotfiles/mail.xml")


def test_a_place_that_cannot_be_written(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").touch()
    done = run("pop.example.test", "--offline", "file/mail.xml")
    assert done.code == 73
    assert f"~/file/mail.xml cannot be written: {tmp_path}/file is not a folder" in done.err
    assert "Looking at" not in done.out


def test_an_untrusted_certificate_ends_it_before_the_login(tmp_path: Path, server: RunningServer) -> None:
    for port in (server.tls_port, server.port):
        done = run_program(*arguments(f"localhost:{port}"), environ={"HOME": str(tmp_path), "POP_PASSWORD": PASSWORD})
        assert done.code == 76
        assert "signed by an authority that is not trusted here" in done.err
        assert "tspath" in done.err
    assert not {b"USER", b"AUTH", b"PASS"}.intersection(line.split()[0] for line in server.said())
    assert nothing_in(tmp_path)


def test_a_certificate_is_pinned_by_its_fingerprint(tmp_path: Path, server: RunningServer) -> None:
    environ = {"HOME": str(tmp_path), "POP_PASSWORD": PASSWORD}
    refused = run_program(*arguments(server.tls_address), environ=environ)
    assert refused.code == 76
    (shown,) = re.findall(r" --fingerprint ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})", refused.err)
    assert "--tspath FILE" in refused.err
    for address in (server.tls_address, f"localhost:{server.port}"):
        done = run_program(*arguments(address, "--fingerprint", shown, "--force"), environ=environ)
        assert (done.code, done.err) == (0, "")
        assert "pinned certificate of localhost" in done.out
        tls = only_client(tmp_path).server.tls
        assert tls is not None
        assert tls.fingerprints == (shown.replace(":", "").lower(),)
    assert run_program("check", "--connect", environ=environ).code == 0


def test_another_certificate_than_the_pinned_one_ends_it(tmp_path: Path, server: RunningServer) -> None:
    more = ("--fingerprint", ":".join(["5A"] * 32))
    done = run_program(*arguments(server.tls_address, *more), environ={"HOME": str(tmp_path), "POP_PASSWORD": PASSWORD})
    assert done.code == 76
    assert "is not the pinned one" in done.err
    assert "ask its operator what to give as --fingerprint" in done.err
    assert not {b"USER", b"AUTH", b"PASS"}.intersection(line.split()[0] for line in server.said())
    assert nothing_in(tmp_path)


def test_the_first_run_is_told_of(tmp_path: Path, server: RunningServer, run: Run) -> None:
    kept = " ".join(run(server.tls_address).out.split())
    assert f"The first run retrieves all mail that is on the server: 1 message, {len(mail())} B." in kept
    assert "tui-popretr mark-seen --client localhost" in kept
    assert "all mail that is on the server. " in " ".join(run("pop.example.test", "a.xml", "--offline").out.split())
    assert "mark-seen" not in run(server.tls_address, "--delete", "b.xml").out


def test_nobody_listens(tmp_path: Path, run: Run) -> None:
    done = run("localhost:1")
    assert done.code == 69
    assert "cannot connect to localhost port 1: connection refused" in done.err
    assert nothing_in(tmp_path)


def test_ctrl_c_leaves_no_trace(tmp_path: Path, box: ServedMaildrop) -> None:
    with running_server([box], tls=server_context(), faults=Faults(stall={"PASS"})) as server:
        more = ("--tspath", ca_path(), "--password-file", str(tmp_path / "secret"))
        (tmp_path / "secret").write_text(PASSWORD)
        process = subprocess.Popen(
            [sys.executable, "-m", "tui_popretr", *arguments(server.tls_address, *more)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment({"HOME": str(tmp_path)}),
        )
        server.wait_for_line(b"PASS")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert err == b"tui-popretr: interrupted\n"
    assert os.listdir(tmp_path) == ["secret"]


# --- servers as they are ----------------------------------------------------------------------------------------------


ONLY_USER = ServerPolicy(clear=frozenset({Mechanism.USER}), tls=frozenset({Mechanism.USER}))


class Provider:
    """A server that is pop.example.test, so not on this machine, with its usual ports."""

    def __init__(self, server: RunningServer) -> None:
        self.asked: list[int] = []
        self._server = server

    async def __call__(self, server: Server, timeout: float) -> Stream:
        self.asked.append(server.port)
        port = {995: self._server.tls_port, 110: self._server.port}.get(server.port, 0)
        if not port:
            raise ServerUnreachable(f"cannot connect to {server.host} port {server.port}: connection refused")
        return await connect("127.0.0.1", port, timeout=timeout)

    def init(self, folder: Path, *more: str) -> Server:
        """Make a configuration, and return the server in it."""
        path = folder / "mail.xml"
        words = arguments("pop.example.test", *more, str(path))
        init.run(build_parser().parse_args(normalise(words)), connector=self)
        loaded = load(str(path))
        assert loaded.settings is not None
        return loaded.settings.clients[0].server


def test_the_safest_way_is_tried_first(tmp_path: Path, server: RunningServer) -> None:
    provider = Provider(server)
    with pytest.raises(PopretrError, match=r"the certificate is for localhost, .*, not for pop.example.test"):
        provider.init(tmp_path, "--tspath", ca_path())
    assert provider.asked == [995]  # a certificate that is wrong is no reason to try with less


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (CRAM, (AuthType.SASL_CRAM_MD5,)),
        (ServerPolicy(clear=frozenset({Mechanism.USER, Mechanism.APOP})), (AuthType.APOP,)),
        (
            ServerPolicy(clear=frozenset({Mechanism.USER, Mechanism.APOP, Mechanism.CRAM_MD5})),
            (AuthType.SASL_CRAM_MD5, AuthType.APOP),
        ),
    ],
)
def test_without_tls_the_password_stays_off_the_wire(
    tmp_path: Path, box: ServedMaildrop, policy: ServerPolicy, expected: tuple[AuthType, ...]
) -> None:
    with running_server([box], policy=policy) as server:
        provider = Provider(server)
        found = provider.init(tmp_path)
        assert provider.asked == [995, 110, 110, 110]  # with and without STLS, and the login
        said = b"\n".join(server.said())
    assert (found.address, found.tls, found.auth_types) == ("pop.example.test:110", None, expected)
    assert PASSWORD.encode() not in said
    assert b"PASS" not in said


def test_a_password_in_clear_needs_consent(tmp_path: Path, box: ServedMaildrop) -> None:
    with running_server([box], policy=ONLY_USER) as server:
        provider = Provider(server)
        with pytest.raises(
            TlsFailed, match="offers no TLS, and only logins that send the password unencrypted"
        ) as raised:
            provider.init(tmp_path)
        assert "--clear-text" in raised.value.advice
        assert not any(line.startswith((b"USER", b"PASS")) for line in server.said())
        assert nothing_in(tmp_path)
        assert provider.init(tmp_path, "--clear-text").tls is None


def test_with_consent_it_is_the_last_resort(tmp_path: Path, box: ServedMaildrop) -> None:
    with running_server([box], policy=replace(ONLY_USER, tls=STD.tls)) as server:
        provider = Provider(server)
        with pytest.raises(TlsRequired, match="only under TLS"):
            provider.init(tmp_path)  # there is a stamp for APOP in the greeting, which turns out to be of no use
        found = provider.init(tmp_path, "--clear-text")
    assert found.auth_types == (AuthType.APOP, AuthType.USERPASS, AuthType.SASL_PLAIN)


def test_a_server_that_tells_nothing_is_given_user_and_pass(tmp_path: Path, box: ServedMaildrop) -> None:
    with running_server([box], policy=replace(ONLY_USER, capa=False)) as server:
        found = Provider(server).init(tmp_path, "--clear-text")
    assert found.auth_types == (AuthType.USERPASS, AuthType.SASL_PLAIN)


@pytest.mark.parametrize("mails", [0, 1])
def test_mail_cannot_stay_where_it_would_come_again(tmp_path: Path, mails: int) -> None:
    box = ServedMaildrop("me@example.test", PASSWORD)
    for _ in range(mails):
        box.add(mail())
    with running_server([box], policy=ServerPolicy(uidl=False)) as server:
        provider = Provider(server)
        with pytest.raises(UidlUnavailable, match="does not have UIDL") as raised:
            provider.init(tmp_path)
        assert "--delete" in raised.value.advice
        assert nothing_in(tmp_path)
        provider.init(tmp_path, "--delete")
    assert not only_client(tmp_path, tmp_path / "mail.xml").retention.preserve


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("pop.gmx.net", "gmx"),
        ("pop3.mail.example.org", "example"),
        ("pop.example.co.uk", "example"),
        ("example.test", "example"),
        ("mail", "mail"),
        ("pop.mail.de", "mail"),
        ("192.0.2.7", "mail"),
        ("2001:db8::1", "mail"),
        ("POP.T-Online.de.", "t-online"),
    ],
)
def test_the_id_is_a_name_that_people_would_give(host: str, expected: str) -> None:
    assert client_id_of(host) == expected


def test_every_argument_is_in_the_document() -> None:
    document = (Path(__file__).parents[3] / "docs/command-line.md").read_text(encoding="utf-8")
    section = document.partition("\n## init\n")[2].partition("\n## ")[0]
    parser = argparse.ArgumentParser()
    init_arguments.add_arguments(parser)
    options = {option for action in actions(parser) for option in action.option_strings} - {"-h", "--help"}
    assert {option for option in options if f"`{option}" not in section} == set()
