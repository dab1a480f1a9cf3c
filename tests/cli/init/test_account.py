"""`init` from a mail address: providers that are known, and domains whose server is looked up."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.cli.conversation import CTRL_C, CTRL_D, converse
from tests.program.process import Done, mail
from tests.support.name_server import name_server
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import RunningServer, running_server
from tui_popretr.cli.init import command as init
from tui_popretr.cli.init import providers
from tui_popretr.cli.init.explore import Explored, as_given, candidates
from tui_popretr.cli.init.lookup import FoundServer, Report
from tui_popretr.cli.init.providers import Provider
from tui_popretr.cli.main import main
from tui_popretr.cli.parser import build_parser, normalise
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.config.login import BESIDE_OAUTH
from tui_popretr.config.model import ClientSettings
from tui_popretr.config.reader import load
from tui_popretr.config.sources import FromCommand, FromFile
from tui_popretr.errors import ExitCode, HostNotFound, LoginRejected, PopretrError, UsageError
from tui_popretr.net.connect import connect
from tui_popretr.net.stream import Stream
from tui_popretr.popserver.certificates import ca_path, server_context

ADDRESS, LOOK_UP, SERVER = "if there is none): ", "Ask them? (y/n) [y]: ", "POP3 server [pop.example.test]: "
NUMBER: Final = "Number [1]: "
TOKEN: Final = "Command that prints the access token [pizauth show outlook]: "
REST: Final = ("--password-command", "true", "--maildir", "m")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def client(home: Path, path: str = "c.xml") -> ClientSettings:
    loaded = load(str(home / path), environ={"HOME": str(home)})
    assert loaded.settings is not None, loaded.problems
    (only,) = loaded.settings.clients
    return only


#: Runs `init c.xml` without a terminal.
Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, found: FoundServer | None = None) -> Done:
        def look_up(mail: str, report: Report) -> FoundServer | None:
            report("looked up", mail)
            return found

        capsys.readouterr()
        code = init.run(build_parser().parse_args(normalise(["init", "c.xml", *REST, *arguments])), looked_up=look_up)
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run


# --- providers --------------------------------------------------------------------------------------------------------


def test_a_known_provider(tmp_path: Path, run: Run) -> None:
    done = run("--mail", "me@gmail.com", "--offline")
    assert "looked up" not in done.out
    assert "app password" in done.out
    assert "With recent: before the user name, " in done.out
    made = client(tmp_path)
    assert (made.server.address, made.server.username, made.frequency) == (
        "pop.gmail.com:995",
        "recent:me@gmail.com",
        900.0,
    )
    assert (made.id, made.retention.new_only) == ("gmail", True)


def test_mail_that_is_deleted_needs_no_recent(tmp_path: Path, run: Run) -> None:
    assert "recent:" not in run("--mail", "me@gmail.com", "--offline", "--delete").out
    assert client(tmp_path).server.username == "me@gmail.com"


def test_an_answer_that_deletes_mail_needs_no_recent(tmp_path: Path) -> None:
    arguments = ["init", "c.xml", "--mail", "me@gmail.com", "--offline", *REST]
    talk = converse(tmp_path, arguments, [("(y/n) [n]: ", "y")])
    assert talk.code == 0, talk.screen
    made = client(tmp_path)
    assert (made.server.username, made.retention.preserve) == ("me@gmail.com", False)


def test_arguments_go_before_what_is_known(tmp_path: Path, run: Run) -> None:
    run("--mail", "me@gmail.com", "--user", "other", "--freq", "1h", "--offline")
    made = client(tmp_path)
    assert (made.server.username, made.frequency) == ("other", 3600.0)


def test_a_server_of_a_provider_for_another_domain(tmp_path: Path, run: Run) -> None:
    done = run("--mail", "me@example.test", "--address", "outlook.office365.com", "--offline")
    assert "access token" in done.out
    assert client(tmp_path).server.auth_types == (AuthType.SASL_XOAUTH2,)


def test_questions_for_an_access_token(tmp_path: Path) -> None:
    answers = [(ADDRESS, "me@hotmail.com"), (NUMBER, "2"), (TOKEN, "")]
    talk = converse(tmp_path, ["init", "c.xml", "--offline", "--keep", "--maildir", "m"], answers)
    assert talk.code == 0, talk.screen
    assert "docs/oauth.md" in talk.screen
    server = client(tmp_path).server
    assert (server.username, server.auth_types) == ("me@hotmail.com", (AuthType.SASL_XOAUTH2,))
    assert server.password == FromCommand(("pizauth", "show", "outlook"))


CLIENT_ID = "1234-abc.apps.googleusercontent.com"


def test_questions_for_a_login_by_oauth_at_microsoft(tmp_path: Path) -> None:
    answers = [
        (ADDRESS, "me@hotmail.com"),
        (NUMBER, ""),
        ("Client id: ", ""),
        ("Client id: ", "1111-2222"),
        ("(directory) that it is for [common]: ", "consumers"),
    ]
    talk = converse(tmp_path, ["init", "c.xml", "--offline", "--keep", "--maildir", "m"], answers)
    assert talk.code == 0, talk.screen
    assert f"Next:\n  tui-popretr login {tmp_path}/c.xml --client office365\n" in talk.screen
    server = client(tmp_path).server
    assert (server.username, server.password, server.auth_types) == ("me@hotmail.com", None, BESIDE_OAUTH)
    assert server.oauth is not None
    assert (server.oauth.client_id, server.oauth.account) == ("1111-2222", "me@hotmail.com")
    assert server.oauth.endpoints.device == "https://login.microsoftonline.com/consumers/oauth2/v2.0/devicecode"
    assert server.oauth.client_secret is None


def test_questions_for_a_login_by_oauth_at_google(tmp_path: Path) -> None:
    answers = [
        (ADDRESS, "me@gmail.com"),
        (NUMBER, "4"),
        ("Client id: ", CLIENT_ID),
        ("Client secret (not shown): ", PASSWORD),
    ]
    talk = converse(tmp_path, ["init", "c.xml", "--offline", "--keep", "--maildir", "m"], answers)
    assert talk.code == 0, talk.screen
    assert f"         {tmp_path}/gmail.secret, which holds the client secret".replace(str(tmp_path), "~") in talk.screen
    server = client(tmp_path).server
    assert server.username == "me@gmail.com"  # without recent:
    assert server.oauth is not None
    assert server.oauth.client_secret == FromFile(str(tmp_path / "gmail.secret"))
    assert (tmp_path / "gmail.secret").read_text() == f"{PASSWORD}\n"
    assert (tmp_path / "gmail.secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("answer", ["y", "n"])
def test_the_user_can_log_in_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    asked: list[str] = []
    logins: list[dict[str, object]] = []

    def answered(prompt: str) -> str:
        asked.append(prompt)
        return answer

    def log_in(arguments: argparse.Namespace) -> int:
        logins.append(vars(arguments))
        return 77

    async def unreachable(server: Server, timeout: float) -> Stream:
        raise AssertionError

    def explored(*_: object, **others: object) -> Explored:
        return as_given(next(candidates("outlook.office365.com", None, TlsPolicy())), (AuthType.SASL_XOAUTH2,))

    monkeypatch.setattr("builtins.input", answered)
    monkeypatch.setattr(init, "has_terminal", lambda: True)
    monkeypatch.setattr("tui_popretr.cli.init.ask.explore", explored)
    monkeypatch.setattr("tui_popretr.cli.login.command.run", log_in)
    words = ["init", "c.xml", "--mail", "me@outlook.com", "--client-id", "1111", "--maildir", "m", "--keep"]
    code = init.run(build_parser().parse_args(normalise(words)), connector=unreachable)
    assert asked == ["Log in now? (y/n) [y]: "]
    assert client(tmp_path).server.oauth is not None
    if answer == "n":
        assert (code, logins) == (0, [])
        return
    assert code == 77
    known = vars(build_parser().parse_args(normalise(["login", str(tmp_path / "c.xml"), "--client", "office365"])))
    assert logins == [
        {name: value for name, value in known.items() if name not in ("command", "verbose", "print_completion")}
    ]


def test_a_login_by_oauth_of_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rest = ("--offline", "--maildir", "m", "--client-id", CLIENT_ID)
    google = ("init", "c.xml", "--mail", "me@gmail.com", *rest, "--client-secret-file", "google.secret")
    assert main(google) == 0
    oauth = client(tmp_path).server.oauth
    assert oauth is not None
    assert oauth.client_secret == FromFile(str(tmp_path / "google.secret"))
    assert "google.secret does not exist yet" in capsys.readouterr().out
    assert main(("init", "d.xml", "--mail", "me@outlook.com", "--tenant", "consumers", *rest)) == 0
    oauth = client(tmp_path, "d.xml").server.oauth
    assert oauth is not None
    assert oauth.tenant == "consumers"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--mail", "me@gmx.net", "--client-id", "x"), "--client-id is for Gmail and Outlook"),
        (("--mail", "me@gmail.com", "--client-id", "x"), "Google requires a client secret"),
        (("--mail", "me@gmail.com", "--client-id", "é"), "is not a client id"),
        (("--mail", "me@gmail.com", "--client-id", ""), "a client id is needed"),
        (("--mail", "me@outlook.com", "--client-id", "x", "--tenant", "a b"), "is not a tenant"),
        (("--mail", "me@gmail.com", "--client-id", "x", "--client-secret-file", "f", "--tenant", "a"), "for Microsoft"),
        (("--mail", "me@gmail.com", "--password-env", "X", "--tenant", "a"), "go with --client-id"),
        (("--mail", "me@gmail.com", "--password-env", "X", "--client-id", "a"), "not allowed with argument"),
    ],
)
def test_arguments_of_oauth_that_do_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], error: str
) -> None:
    assert main(("init", "c.xml", "--offline", "--maildir", "m", *arguments)) == ExitCode.USAGE
    assert error in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def here() -> Iterator[RunningServer]:
    box = ServedMaildrop("recent:me@example.test", PASSWORD)
    box.add(mail())
    with running_server([box], tls=server_context()) as server:
        yield server


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_a_login_at_a_provider(
    tmp_path: Path, here: RunningServer, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    steps = ("Switch POP on.", "An app password is needed.")
    known = Provider("Here", {"localhost": ("example.test",)}, "", "", steps, "9m", prefix="recent:")
    monkeypatch.setattr(providers, "PROVIDERS", (known,))
    monkeypatch.setenv("POP_PASSWORD", password)

    async def to_it(server: Server, timeout: float) -> Stream:
        assert server.port == 995
        return await connect("localhost", here.tls_port, timeout=timeout)

    arguments = ["init", "c.xml", "--mail", "me@example.test", "--password-env", "POP_PASSWORD", "--maildir", "m"]
    parsed = build_parser().parse_args(normalise([*arguments, "--tspath", ca_path()]))
    if password == PASSWORD:
        assert init.run(parsed, connector=to_it) == 0
        assert client(tmp_path).server.username == "recent:me@example.test"
        return
    with pytest.raises(LoginRejected) as caught:
        init.run(parsed, connector=to_it)
    assert caught.value.advice == "Check username and password. Switch POP on. An app password is needed."


# --- looking up -------------------------------------------------------------------------------------------------------


def test_nothing_is_looked_up_beside_an_address(run: Run) -> None:
    assert "looked up" not in run("--mail", "me@example.test", "--offline", "--address", "localhost").out


@pytest.mark.parametrize("user", [(), ("--user", "name")])
def test_the_server_and_the_user_name_that_were_found(here: RunningServer, run: Run, user: tuple[str, ...]) -> None:
    found = FoundServer(here.tls_address, "me", trusted=True)
    done = run("--mail", "me@example.test", "--no-login", "--tspath", ca_path(), *user, found=found)
    assert "  looked up: me@example.test\n" in done.out
    server = client(Path.cwd()).server
    assert (server.address, server.username) == (here.tls_address, user[1] if user else "me")


def test_only_access_tokens(here: RunningServer, run: Run) -> None:
    found = FoundServer(here.tls_address, "me", trusted=True, tokens_only=True)
    run("--mail", "me@example.test", "--no-login", "--tspath", ca_path(), found=found)
    assert client(Path.cwd()).server.auth_types == (AuthType.SASL_XOAUTH2, AuthType.SASL_OAUTHBEARER)


def failure(run: Run, *arguments: str, found: FoundServer | None = None) -> PopretrError:
    with pytest.raises(PopretrError) as caught:
        run(*arguments, found=found)
    assert list(Path.cwd().iterdir()) == []
    return caught.value


def test_no_server_is_found(run: Run) -> None:
    problem = failure(run, "--mail", "me@example.test")
    assert isinstance(problem, HostNotFound)
    assert (str(problem), problem.advice) == ("example.test names no POP3 server", "add --address")


def test_without_a_terminal_a_server_elsewhere_must_be_confirmed(run: Run) -> None:
    problem = failure(run, "--mail", "me@example.test", found=FoundServer("pop.else.test:995", "me", trusted=False))
    assert isinstance(problem, HostNotFound)
    assert problem.advice == "if it is your provider's server, add --address pop.else.test:995"


@pytest.mark.parametrize("arguments", [("--no-lookup",), ("--offline",)])
def test_without_looking_up_an_address_is_needed(run: Run, arguments: tuple[str, ...]) -> None:
    problem = failure(run, "--mail", "me@example.test", *arguments)
    assert isinstance(problem, UsageError)
    assert problem.advice == "add --address"


@pytest.mark.parametrize("text", ["me", "me@", "@example.test", "me@exa mple.test", "me@[192.0.2.1]", "me@a..b"])
def test_not_a_mail_address(run: Run, text: str) -> None:
    assert str(failure(run, "--mail", text)).startswith("--mail: ")


# --- questions --------------------------------------------------------------------------------------------------------


def test_a_refusal_looks_up_nothing(tmp_path: Path) -> None:
    patch = "from tui_popretr.cli.init import lookup; lookup._look_up = None"
    talk = converse(tmp_path, ["init"], [(ADDRESS, "me@example.test"), (LOOK_UP, "n"), (SERVER, CTRL_C)], patch=patch)
    assert talk.code == 130, talk.screen
    said = " ".join(talk.screen.split())
    for asked in ("_pop3s._tcp.example.test and _pop3._tcp.example.test", "autoconfig.example.test and example.test"):
        assert asked in said.partition(LOOK_UP)[0]


def asking(port: int) -> str:
    """Code that makes the program ask the name server at this port, and no web servers."""
    return (
        "import dns.asyncresolver; from tests.support.name_server import resolver_at\n"
        f"dns.asyncresolver.default_resolver = resolver_at({port})\n"
        "from tui_popretr.cli.init import lookup; lookup.documents = lambda domain: ()\n"
    )


def test_a_domain_without_a_server(tmp_path: Path) -> None:
    with name_server({}) as port:
        answers = [(ADDRESS, "me@example.test"), (LOOK_UP, "y"), (SERVER, CTRL_D)]
        talk = converse(tmp_path, ["init"], answers, patch=asking(port))
    assert talk.code == 64, talk.screen
    assert "No POP3 server was found.\n" in talk.screen


def test_a_server_elsewhere_is_shown_and_asked_for(tmp_path: Path, here: RunningServer) -> None:
    records = {"_pop3s._tcp.example.test": [f"0 0 {here.tls_port} localhost."]}
    with name_server(records) as port:
        answers = [
            (ADDRESS, "me@example.test"),
            (LOOK_UP, ""),
            (f"POP3 server [{here.tls_address}]: ", ""),
            ("User name [me@example.test]: ", ""),
        ]
        options = ["--tspath", ca_path(), "--no-login", "--keep", *REST]
        talk = converse(tmp_path, ["init", "c.xml", *options], answers, patch=asking(port))
    assert talk.code == 0, talk.screen
    assert "an answer of a name server can be forged" in " ".join(talk.screen.split())
    assert client(tmp_path).server.address == here.tls_address


@pytest.mark.parametrize(
    ("typed", "options", "question"),
    [
        ("me", (), "POP3 server: "),
        ("me@localhost", (), "POP3 server [pop.localhost]: "),
        ("me@example.test", ("--no-lookup",), SERVER),
    ],
)
def test_where_nothing_can_be_looked_up(tmp_path: Path, typed: str, options: tuple[str, ...], question: str) -> None:
    talk = converse(tmp_path, ["init", *options], [(ADDRESS, typed), (question, CTRL_D)])
    assert talk.code == 64, talk.screen


def test_a_mail_address_that_is_none_is_asked_again(tmp_path: Path) -> None:
    talk = converse(tmp_path, ["init"], [(ADDRESS, "me@"), (ADDRESS, "me@a b"), (ADDRESS, CTRL_D)])
    assert talk.code == 64, talk.screen
