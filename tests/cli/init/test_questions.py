"""`init` on a terminal: its questions, and what becomes of the answers."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conversation import CTRL_C, CTRL_D, converse
from tests.program.process import mail, run_program
from tests.support.issuing import Authority, weak_context
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop, ServerPolicy
from tests.support.popserver_thread import RunningServer, running_server
from tui_popretr.config.model import ClientSettings, GmailDestination, MaildirDestination
from tui_popretr.config.reader import load
from tui_popretr.config.sources import FromCommand, FromEnvironment, FromFile
from tui_popretr.popserver.certificates import ca_path, server_context

WHO, SERVER, PASSWORD_FROM = "if there is none): ", "POP3 server [pop.example.test]: ", "Number [1]: "
SECRET, WHERE, MAILDIR, DELETE = "Password (not shown): ", "Number [1]: ", "Maildir [~/Maildir]: ", "(y/n) [n]: "
AGAIN = "(y/n) [y]: "
USER = "User name [me@example.test]: "


@pytest.fixture
def box() -> ServedMaildrop:
    box = ServedMaildrop("me@example.test", PASSWORD)
    box.add(mail())
    return box


@pytest.fixture
def server(box: ServedMaildrop) -> Iterator[RunningServer]:
    with running_server([box], tls=server_context()) as server:
        yield server


INIT = ("init", "--no-lookup", "--tspath", ca_path())


def only_client(home: Path) -> ClientSettings:
    path = home / ".config/tui-popretr/tui-popretr.xml"
    loaded = load(str(path), environ={"HOME": str(home)})
    assert loaded.settings is not None, loaded.problems
    (client,) = loaded.settings.clients
    return client


def written(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_all_the_questions(tmp_path: Path, server: RunningServer) -> None:
    talk = converse(
        tmp_path,
        INIT,
        [
            (WHO, "me@example.test"),
            (SERVER, server.tls_address),
            (USER, ""),
            (PASSWORD_FROM, ""),
            (SECRET, PASSWORD),
            (WHERE, ""),
            (MAILDIR, ""),
            (DELETE, ""),
        ],
    )
    assert talk.code == 0, talk.screen
    assert PASSWORD not in talk.screen
    assert "  it works: 1 message" in talk.screen
    assert re.findall(r"(?m)^  (tui-popretr.*)", talk.screen.partition("\nNext:\n")[2]) == [
        "tui-popretr check --connect",
        "tui-popretr",
        "tui-popretr --headless --once",
        "tui-popretr service --write",
    ]
    assert talk.screen.index("Written: ~/.config/tui-popretr/tui-popretr.xml") < talk.screen.index("\nNext:\n")
    client = only_client(tmp_path)
    secret = tmp_path / ".config/tui-popretr/localhost.password"
    assert client.server.password == FromFile(str(secret))
    assert client.destination == MaildirDestination(f"{tmp_path}/Maildir")
    assert (client.retention.preserve, client.retention.new_only) == (True, True)
    assert secret.read_text() == f"{PASSWORD}\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert written(tmp_path) == [
        ".config/tui-popretr/localhost.password",
        ".config/tui-popretr/tui-popretr.xml",
    ]
    checked = run_program("check", "--connect", environ={"HOME": str(tmp_path)})
    assert (checked.code, checked.err) == (0, "")
    assert "  maildrop:     1 message" in checked.out


def test_a_user_name_that_is_not_the_mail_address(tmp_path: Path) -> None:
    with running_server([ServedMaildrop("me", PASSWORD)], tls=server_context()) as server:
        more = ["--address", server.tls_address, "--keep", "--maildir", "m", "--password-command", f"echo {PASSWORD}"]
        talk = converse(tmp_path, [*INIT, *more], [(WHO, "me@example.test"), (USER, "me")])
    assert talk.code == 0, talk.screen
    assert only_client(tmp_path).server.username == "me"


def test_the_other_answers(tmp_path: Path, server: RunningServer) -> None:
    talk = converse(
        tmp_path,
        INIT,
        [
            (WHO, "me@example.test"),
            (SERVER, server.tls_address),
            (USER, ""),
            (PASSWORD_FROM, "2"),
            ("Command: ", f"echo {PASSWORD}"),
            (WHERE, "2"),
            ("Folder [~/Mail]: ", "~/Mail/all"),
            (DELETE, "y"),
        ],
    )
    assert talk.code == 0, talk.screen
    client = only_client(tmp_path)
    assert client.server.password == FromCommand(("echo", PASSWORD))
    assert getattr(client.destination, "path", None) == f"{tmp_path}/Mail/all"
    assert not client.retention.preserve


def test_a_variable_and_a_mail_server(tmp_path: Path, server: RunningServer) -> None:
    talk = converse(
        tmp_path,
        INIT,
        [
            (WHO, "me@example.test"),
            (SERVER, server.tls_address),
            (USER, ""),
            (PASSWORD_FROM, "3"),
            ("Variable: ", "POP_PASSWORD"),
            (WHERE, "3"),
            ("of the recipient: ", "me@home.test"),
            ("Mail server [localhost:25]: ", ""),
            (DELETE, ""),
        ],
    )
    assert talk.code == 0, talk.screen
    assert "POP_PASSWORD is not set now, so no login is tried." in talk.screen
    assert "tui-popretr check --connect\n" in talk.screen
    client = only_client(tmp_path)
    assert client.server.password == FromEnvironment("POP_PASSWORD")
    assert client.recip == "me@home.test"


def test_gmail(tmp_path: Path, server: RunningServer) -> None:
    talk = converse(
        tmp_path,
        [*INIT, "--user", "me@example.test", "--address", server.tls_address, "--password-env", "POP_PASSWORD"],
        [
            (WHERE, "5"),
            ("Gmail address: ", "me@gmail.com"),
            ("Client id: ", "id-of-mine"),
            ("Client secret (not shown): ", PASSWORD),
            ("(none: -) [-]: ", "Example | Old"),
            (DELETE, ""),
            ("Log in now? (y/n) [y]: ", "n"),
        ],
        environ={"POP_PASSWORD": PASSWORD},
    )
    assert talk.code == 0, talk.screen
    assert PASSWORD not in talk.screen
    assert "localhost-gmail.secret, which holds the client secret" in talk.screen
    found = only_client(tmp_path).destination
    assert isinstance(found, GmailDestination)
    assert (found.account, found.labels) == ("me@gmail.com", ("Example", "Old"))
    assert found.oauth is not None
    secret = tmp_path / ".config/tui-popretr/localhost-gmail.secret"
    assert found.oauth.client_secret == FromFile(str(secret))
    assert secret.read_text() == f"{PASSWORD}\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_only_what_the_arguments_do_not_say_is_asked(tmp_path: Path, server: RunningServer) -> None:
    more = ["--user", "me@example.test", "--address", server.tls_address, "--maildir", "m", "--delete"]
    talk = converse(tmp_path, [*INIT, *more, "--password-file", "p"], [(SECRET, PASSWORD)])
    assert talk.code == 0, talk.screen
    assert PASSWORD not in talk.screen
    assert written(tmp_path) == [".config/tui-popretr/tui-popretr.xml", "p"]


def test_wrong_answers_are_asked_again(tmp_path: Path, server: RunningServer) -> None:
    talk = converse(
        tmp_path,
        INIT,
        [
            (WHO, ""),
            (WHO, "stranger@example.test"),
            (SERVER, "pop example"),
            (SERVER, "localhost:1"),
            (AGAIN, ""),
            (SERVER, server.tls_address),
            ("User name [stranger@example.test]: ", ""),
            (PASSWORD_FROM, "4"),
            (PASSWORD_FROM, "1"),
            (SECRET, ""),
            (SECRET, "mistyped"),
            (AGAIN, "perhaps"),
            (AGAIN, ""),
            ("User name [stranger@example.test]: ", "me@example.test"),
            (SECRET, PASSWORD),
            (WHERE, "1"),
            (MAILDIR, ""),
            (DELETE, ""),
        ],
    )
    assert talk.code == 0, talk.screen
    for words in (
        "  an answer is needed\n",
        "  'pop example' is not a host name\n",
        "cannot connect to localhost port 1: connection refused\n",
        "  what to do: check the address and port",
        "  a number from 1 to 3 is expected\n",
        "  it failed: the server rejected the login",
        "  what to do: check username and password\n",
        "  y or n is expected\n",
    ):
        assert words in talk.screen
    client = only_client(tmp_path)
    assert client.server.username == "me@example.test"
    assert (tmp_path / ".config/tui-popretr/localhost.password").read_text() == f"{PASSWORD}\n"
    assert "mistyped" not in talk.screen


def test_a_mailbox_in_use_is_to_be_tried_later(tmp_path: Path, box: ServedMaildrop, server: RunningServer) -> None:
    box.locked = True
    talk = converse(
        tmp_path,
        INIT,
        [(WHO, "me@example.test"), (SERVER, server.tls_address), (USER, ""), (PASSWORD_FROM, ""), (SECRET, PASSWORD)],
    )
    assert talk.code == 75, talk.screen
    assert "run init again later" in " ".join(talk.screen.split())
    assert "next run" not in " ".join(talk.screen.split())


COMPARED = "it is the same: "


def test_an_untrusted_certificate_can_be_pinned_after_comparison(tmp_path: Path, server: RunningServer) -> None:
    more = ["--user", "me@example.test", "--address", server.tls_address, "--maildir", "m", "--keep"]
    more += ["--password-command", f"echo {PASSWORD}"]
    for answer in ("", "y", "no"):
        refused = converse(tmp_path, ["init", *more], [(COMPARED, answer)])
        assert refused.code == 76
        assert "tui-popretr: nothing was written, for the reason above" in refused.screen
        assert refused.screen.count("signed by an") == 1
        assert "--fingerprint" in refused.screen
        assert written(tmp_path) == []
    assert not {b"USER", b"AUTH", b"PASS"}.intersection(line.split()[0] for line in server.said())
    talk = converse(tmp_path, ["init", *more], [(COMPARED, "yes")])
    assert talk.code == 0, talk.screen
    tls = only_client(tmp_path).server.tls
    assert tls is not None
    (pin,) = tls.fingerprints
    digits = "".join(talk.screen.split()).replace(":", "").lower()
    assert pin in digits
    assert "Check the address first" not in talk.screen


@pytest.mark.parametrize(
    ("common_name", "what"),
    [
        (None, "the certificate is for"),
        ("test root", "the certificate of localhost is rejected: it is self-signed, and it is for"),
    ],
)
def test_a_certificate_for_another_name_can_be_pinned_after_comparison(
    tmp_path: Path, box: ServedMaildrop, common_name: str | None, what: str
) -> None:
    authority, home = Authority.root(), tmp_path / "home"
    home.mkdir()
    tls = weak_context(authority.issue("vm.test", common_name=common_name), tmp_path)
    with running_server([box], tls=tls) as server:
        more = ["--user", "me@example.test", "--address", server.tls_address, "--maildir", "m", "--keep"]
        more += ["--password-command", f"echo {PASSWORD}", "--tspath", authority.trust_file(tmp_path)]
        done = run_program("init", *more, environ={"HOME": str(home)})
        assert done.code == 76
        assert f"{what} vm.test, not for localhost\n" in done.err
        assert re.search("--fingerprint (?:[0-9A-F]{2}:){31}[0-9A-F]{2}\n", done.err)
        assert converse(home, ["init", *more], [(COMPARED, "no")]).code == 76
        assert written(home) == []
        talk = converse(home, ["init", *more], [(COMPARED, "yes")])
    assert talk.code == 0, talk.screen
    assert f"{what} vm.test, not for localhost" in " ".join(talk.screen.split())
    assert "\nThe certificate is for vm.test, not for localhost. Check the address first: " in talk.screen
    policy = only_client(home).server.tls
    assert policy is not None
    assert len(policy.fingerprints) == 1


def test_lines_break_between_words(tmp_path: Path, server: RunningServer) -> None:
    more = ["--user", "me@example.test", "--address", server.tls_address, "--maildir", "m", "--keep"]
    talk = converse(tmp_path, [*INIT, *more, "--password-command", f"echo {PASSWORD}"], [])
    assert talk.code == 0, talk.screen
    assert [line for line in talk.screen.splitlines() if len(line) > 80] == []
    assert "verified certificate of localhost" in " ".join(talk.screen.split())


def test_an_existing_password_file_is_kept_unless_it_is_wrong(tmp_path: Path, server: RunningServer) -> None:
    (tmp_path / "p").write_text("stale\n")
    more = ["--user", "me@example.test", "--address", server.tls_address, "--maildir", "m", "--keep"]
    refused = converse(tmp_path, [*INIT, *more, "--password-file", "p"], [(AGAIN, "n")])
    assert refused.code == 77
    assert (tmp_path / "p").read_text() == "stale\n"
    assert written(tmp_path) == ["p"]
    answers = [(AGAIN, "y"), ("User name [me@example.test]: ", ""), (SECRET, PASSWORD)]
    talk = converse(tmp_path, [*INIT, *more, "--password-file", "p"], answers)
    assert talk.code == 0, talk.screen
    assert (tmp_path / "p").read_text() == f"{PASSWORD}\n"
    assert stat.S_IMODE((tmp_path / "p").stat().st_mode) == 0o600


def test_a_password_is_not_kept_without_its_configuration(tmp_path: Path, server: RunningServer) -> None:
    def interfere(_: str) -> str:
        (tmp_path / "mail.xml").write_text("mine")
        return ""

    more = ["--user", "me@example.test", "--address", server.tls_address, "--password-file", "p", "--maildir", "m"]
    talk = converse(tmp_path, [*INIT, "mail.xml", *more], [(SECRET, PASSWORD), (DELETE, interfere)])
    assert talk.code == 73
    assert " exists already" in " ".join(talk.screen.split())
    assert written(tmp_path) == ["mail.xml"]
    assert (tmp_path / "mail.xml").read_text() == "mine"


@pytest.mark.parametrize(
    ("key", "code", "words"), [(CTRL_C, 130, "interrupted"), (CTRL_D, 64, "the input ended before the last answer")]
)
@pytest.mark.parametrize("questions", [1, 2, 3, 5, 7])
def test_whoever_leaves_leaves_no_trace(
    tmp_path: Path, server: RunningServer, questions: int, key: str, code: int, words: str
) -> None:
    answers = [
        (WHO, "me@example.test"),
        (SERVER, server.tls_address),
        (USER, ""),
        (PASSWORD_FROM, "1"),
        (SECRET, PASSWORD),
        (WHERE, "1"),
        (MAILDIR, ""),
    ][:questions]
    talk = converse(tmp_path, INIT, [*answers[:-1], (answers[-1][0], key)])
    assert talk.code == code, talk.screen
    assert words in talk.screen
    assert "Traceback" not in talk.screen
    assert PASSWORD not in talk.screen
    assert written(tmp_path) == []


def test_mail_that_would_come_again_is_explained(tmp_path: Path, box: ServedMaildrop) -> None:
    with running_server([box], policy=ServerPolicy(uidl=False), tls=server_context()) as server:
        more = ["--user", "me@example.test", "--address", server.tls_address, "--maildir", "m"]
        more += ["--password-command", f"echo {PASSWORD}"]
        refused = converse(tmp_path, [*INIT, *more], [(DELETE, "n")])
        assert refused.code == 76
        assert "This server does not have UIDL" in refused.screen
        assert written(tmp_path) == []
        talk = converse(tmp_path, [*INIT, *more], [(DELETE, "y")])
        assert talk.code == 0
    assert not only_client(tmp_path).retention.preserve
