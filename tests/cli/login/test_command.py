"""`login` in this process, against a provider whose user agrees at once, and a Dovecot that asks it."""

from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path

import pytest

from tests.cli.login.conftest import Program, Site
from tests.support.oauth_provider import ACCOUNT, CLIENT_SECRET, DEVICE_GRANT, Fault
from tui_popretr.errors import ExitCode


def token_file(site: Site) -> Path:
    """The only token file."""
    (name,) = (name for name in site.token_files() if name.endswith(".json"))
    return site.home / "var/oauth" / name


def stored(site: Site) -> dict[str, object]:
    found: dict[str, object] = json.loads(token_file(site).read_text())
    return found


def logins(site: Site) -> int:
    """How many logins have begun at the provider."""
    return site.provider.count("/device")


# --- logging in -------------------------------------------------------------------------------------------------------


def test_a_login(site: Site, login: Program) -> None:
    done = login()
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(site.works())
    assert site.provider.owner(str(stored(site)["access"])) == ACCOUNT


def test_a_second_login_needs_no_user(site: Site, login: Program) -> None:
    login()
    done = login()
    assert done.code == 0
    assert done.out.startswith("There is a token already.\n")
    assert done.out.endswith(f"{site.works()}To log in again all the same, add --for server.\n")
    assert logins(site) == 1


def test_the_element_that_is_named_logs_in_again(site: Site, login: Program) -> None:
    login()
    before = stored(site)
    assert login("--for", "server").code == 0
    assert logins(site) == 2
    assert stored(site)["access"] != before["access"]


def test_an_access_that_was_removed(site: Site, login: Program) -> None:
    """The token looks valid, but the server refuses it."""
    login()
    site.provider.revoke()
    done = login()
    assert done.code == 0, done.err
    assert "So a new login is needed." in done.out
    assert done.out.endswith(site.works())
    assert logins(site) == 2


def test_a_token_that_cannot_be_renewed(site: Site, login: Program) -> None:
    """The error says what to do; here it is done, so only the reason is shown."""
    login()
    site.provider.revoke()
    token_file(site).write_text(json.dumps(stored(site) | {"expires": 1000, "obtained": 0}))
    done = login()
    assert done.code == 0, done.err
    assert "\nIt fails: 127.0.0.1:" in done.out
    assert "log in again" not in done.out.lower()


def test_quiet_shows_what_the_user_needs(login: Program) -> None:
    done = login("-q")
    assert done.code == 0
    assert "Type this code there:" in done.out
    assert "Logged in" not in done.out
    assert "session" not in done.out


def test_a_token_without_a_refresh_token(site: Site, login: Program) -> None:
    site.provider.gives_refresh_token = False
    done = login()
    assert done.code == 0
    assert "and cannot be renewed: log in again then\n" in done.out
    assert "warning: the provider gave no refresh token\n" in done.out


def test_less_is_granted_than_was_asked_for(site: Site, login: Program) -> None:
    site.provider.granted_scope = "other"
    done = login()
    assert done.code == 0
    assert "  allowed: other\n" in done.out
    assert "  warning: not allowed, although asked for: pop\n" in done.out


@pytest.mark.parametrize("source", ["file", "env", "command"])
def test_a_client_secret(site: Site, login: Program, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    site.provider.client_secret = CLIENT_SECRET
    (site.home / "secret").write_text(f"{CLIENT_SECRET}\n")
    (site.home / "secret").chmod(0o600)
    monkeypatch.setenv("SECRET", CLIENT_SECRET)
    value = {"file": site.home / "secret", "env": "SECRET", "command": f"cat {site.home}/secret"}[source]
    site.configure(oauth=f'<clientsecret {source}="{value}"/>')
    assert login().code == 0


# --- what can be wrong ------------------------------------------------------------------------------------------------


def test_another_account(site: Site, login: Program) -> None:
    site.provider.account = "other@example.test"
    site.configure(scope="pop openid")
    done = login()
    assert done.code == ExitCode.LOGIN
    assert f"the user has logged in as other@example.test, but this is for {ACCOUNT}" in done.err
    assert f"log in as {ACCOUNT} in the browser" in done.err
    assert not any(name.endswith(".json") for name in site.token_files())


def test_another_account_that_only_the_server_sees(site: Site, login: Program) -> None:
    site.provider.account = "other@example.test"
    done = login()
    assert done.code == ExitCode.LOGIN
    assert "A session works" not in done.out


def test_an_account_in_other_letters(site: Site, login: Program) -> None:
    site.provider.account = ACCOUNT.upper()
    site.configure(scope="pop openid")
    done = login()
    assert f"as {ACCOUNT.upper()}.\n" in done.out


@pytest.mark.parametrize(
    ("fault", "path", "code", "words"),
    [
        (Fault.HTML, "/device", ExitCode.PROTOCOL, "cannot be understood"),
        (Fault.HTML, "/token", ExitCode.PROTOCOL, "cannot be understood"),
        (Fault.REDIRECTION, "/token", ExitCode.PROTOCOL, ", which is not followed"),
        (Fault.LARGE, "/token", ExitCode.PROTOCOL, "sends more than 262144 octets"),
        (Fault.ERROR_500, "/device", ExitCode.TEMPORARY, "status 500"),
        (Fault.CUT, "/device", ExitCode.TEMPORARY, "does not answer"),
    ],
)
def test_a_provider_that_fails(site: Site, login: Program, fault: Fault, path: str, code: ExitCode, words: str) -> None:
    site.provider.faults[path] = fault
    done = login()
    assert done.code == code
    assert words in done.err
    assert len(done.err.splitlines()) == 2, "an error, and advice"


def test_a_provider_that_cannot_be_reached(site: Site, login: Program) -> None:
    site.configure()
    path = site.home / "c.xml"
    path.write_text(path.read_text().replace(site.provider.device_url, "http://127.0.0.1:1/device"))
    done = login()
    assert done.code == ExitCode.UNAVAILABLE
    assert "cannot be reached" in done.err


def test_a_wrong_client_secret(site: Site, login: Program) -> None:
    site.provider.client_secret = CLIENT_SECRET
    done = login()
    assert done.code == ExitCode.LOGIN
    assert "invalid_client" in done.err


def test_a_client_secret_that_is_missing(site: Site, login: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET", raising=False)
    site.configure(oauth='<clientsecret env="SECRET"/>')
    done = login()
    assert done.code == ExitCode.CONFIGURATION
    assert "SECRET" in done.err
    assert site.provider.asked == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--for", "smtp"), "the client 'work' has no <oauth> in <smtp>"),
        (("--for", "imap"), "the client 'work' has no <oauth> in <imap>"),
        (("--for", "nntp"), "invalid choice"),
        (("--flow", "magic"), "invalid choice"),
        (("--port", "0"), "'0' is no port"),
        (("--port", "65536"), "'65536' is no port"),
        (("--port", "x"), "'x' is no port"),
        (("--flow", "device"), "<deviceurl> is missing"),
    ],
)
def test_arguments_that_cannot_be(site: Site, login: Program, arguments: tuple[str, ...], error: str) -> None:
    site.configure(without=("deviceurl",))
    done = login(*arguments)
    assert done.code == ExitCode.USAGE
    assert error in done.err
    assert site.provider.asked == []


def test_a_port_in_use(site: Site, login: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = login("--flow", "browser", "--port", str(taken.getsockname()[1]))
    assert done.code == ExitCode.UNAVAILABLE
    assert "address already in use" in done.err
    assert "name another port with --port" in done.err


def test_a_client_that_does_not_exist(login: Program) -> None:
    done = login(client="wrok")
    assert done.code == ExitCode.USAGE
    assert "work" in done.err


def test_a_client_with_a_password(site: Site, login: Program) -> None:
    path = site.home / "c.xml"
    path.write_text(
        '<pop3download><clients><client id="work" recip="me"><server address="127.0.0.1"><username>u</username>'
        '<password env="PATH"/></server><maildir>m</maildir></client></clients></pop3download>'
    )
    done = login()
    assert done.code == ExitCode.USAGE
    assert done.err.splitlines()[0].endswith("the client 'work' has no <oauth>")


# --- token files ------------------------------------------------------------------------------------------------------


def test_a_damaged_token_file(site: Site, login: Program) -> None:
    login()
    token_file(site).write_text("{")
    done = login()
    assert done.code == 0
    assert "was damaged and is now " in done.out
    assert logins(site) == 2
    assert [name for name in site.token_files() if name.endswith(".damaged")]


def test_a_token_file_of_a_newer_version(site: Site, login: Program) -> None:
    login()
    token_file(site).write_text('{"version": 99}')
    done = login()
    assert done.code == ExitCode.CONFIGURATION
    assert "install the newer version again" in done.err
    assert logins(site) == 1


@pytest.mark.root
def test_a_folder_of_another_user(site: Site, login: Program) -> None:
    (site.home / "var/oauth").mkdir(parents=True)
    os.chown(site.home / "var/oauth", 1, 1)
    done = login()
    assert done.code == ExitCode.IO_ERROR
    assert "belongs to another user" in done.err
    assert logins(site) == 0


def test_a_full_disk(site: Site, login: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    login()
    before = token_file(site).read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        done = login("--for", "server")
    assert done.code == ExitCode.IO_ERROR
    assert "the disk is full" in done.err
    assert token_file(site).read_bytes() == before
    assert login().code == 0


# --- logging out ------------------------------------------------------------------------------------------------------


def test_logging_out(site: Site, login: Program) -> None:
    login()
    token = str(stored(site)["access"])
    done = login("--logout")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("the access is revoked, and the tokens are forgotten.\n")
    assert site.provider.owner(token) is None
    assert not any(name.endswith(".json") for name in site.token_files())
    assert login("--logout").out.endswith(": there is no token.\n")
    assert site.provider.count("/revoke") == 1
    login()
    assert logins(site) == 2


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.ERROR_500, ExitCode.TEMPORARY), (Fault.REDIRECTION, ExitCode.PROTOCOL), (Fault.CUT, 75)]
)
def test_logging_out_at_a_provider_that_fails(site: Site, login: Program, fault: Fault, code: int) -> None:
    login()
    site.provider.faults["/revoke"] = fault
    done = login("--logout")
    assert "the tokens are forgotten, but the access is not revoked" in done.out
    assert done.code == code
    assert not any(name.endswith(".json") for name in site.token_files())


def test_logging_out_at_a_provider_without_revocation(site: Site, login: Program) -> None:
    site.configure(without=("revokeurl",))
    login()
    done = login("--logout")
    assert done.code == 0
    assert "This provider has no address to revoke the access" in done.out
    assert site.provider.count("/revoke") == 0


def test_logging_out_with_a_damaged_token_file(site: Site, login: Program) -> None:
    login()
    token_file(site).write_text("{")
    done = login("--logout")
    assert done.code == ExitCode.LOGIN
    assert "nothing can be revoked" in done.out
    assert login("--logout").code == 0


def test_a_login_polls_no_more_than_it_needs(site: Site, login: Program) -> None:
    login()
    assert site.provider.count("/token", DEVICE_GRANT) == 1
