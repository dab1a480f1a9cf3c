"""`run --once` and `check --connect` with <oauth>: mail, exit codes, and no token in anything that is written."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.program.process import Done, mail, run_program, write_configuration
from tests.support.oauth_provider import ACCOUNT, CLIENT_ID, Fault, OAuthProvider
from tests.support.oauth_serving import running_provider
from tests.support.passwords import MARK
from tests.support.popserver import Mechanism, ServedMaildrop, ServerPolicy
from tests.support.popserver_thread import running_server
from tui_popretr.config.oauth import OAuth
from tui_popretr.config.reader import load
from tui_popretr.errors import ExitCode
from tui_popretr.oauth.store import Tokens, TokenStore
from tui_popretr.secret import Secret


class TokenDrop(ServedMaildrop):
    """A maildrop whose password is the provider's last access token, or for this test any that was stored."""

    provider: OAuthProvider

    @property
    def password(self) -> str:
        return next(reversed(self.provider._access), "none")

    @password.setter
    def password(self, value: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Site:
    """A configuration c.xml, its provider and its maildrop."""

    path: str
    provider: OAuthProvider
    drop: TokenDrop

    @property
    def oauth(self) -> OAuth:
        settings = load(self.path, environ={}).settings
        assert settings is not None
        return settings.clients[0].oauths[0]

    def log_in(self, use: int = 0) -> None:
        """Leave tokens behind that must be renewed; `use` 1: for the destination."""
        fields = json.loads(self.provider._tokens(self.provider._grant("mail")).body)
        self.provider._access.clear()
        access, refresh = Secret(fields["access_token"]), Secret(fields["refresh_token"])
        settings = load(self.path, environ={}).settings
        assert settings is not None
        oauth = settings.clients[0].oauths[use]
        TokenStore(oauth.folder).save(oauth.key, Tokens(access, refresh, 2000, ("mail",), "", 1000))

    def run(self, *arguments: str) -> Done:
        return run_program("--headless", "--once", self.path, *arguments)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    drop = TokenDrop("me", "")
    drop.add(mail())
    with running_provider() as provider:
        drop.provider = provider
        with running_server([drop], policy=ServerPolicy(clear=frozenset({Mechanism.XOAUTH2}))) as server:
            oauth = (
                f'<oauth provider="custom" clientid="{CLIENT_ID}" account="{ACCOUNT}">'
                f"<authurl>{provider.auth_url}</authurl><tokenurl>{provider.token_url}</tokenurl><scope>mail</scope></oauth>"
            )
            logs = "<transcript>t.log</transcript><trace level='debug'>d.log</trace><audit>a.log</audit>"
            client = (
                f'<client id="isp" recip="me"><server address="{server.address}"><username>me</username>'
                f"{oauth}</server><maildir>m</maildir></client>"
            )
            yield Site(write_configuration(tmp_path / "c.xml", client, before=logs), provider, drop)


def test_mail_by_a_renewed_token(site: Site, tmp_path: Path) -> None:
    site.log_in()
    done = site.run("-v")
    assert done.code == 0, done.err
    assert len(os.listdir(tmp_path / "m/new")) == 1
    assert site.provider.count("/token", "refresh_token") == 1
    transcript = (tmp_path / "t.log").read_text()
    assert "AUTH XOAUTH2" in transcript
    assert "****" in transcript
    for name in ("t.log", "d.log", "a.log"):
        assert MARK not in (tmp_path / name).read_text()


def test_who_until_when_and_what(site: Site) -> None:
    site.log_in()
    done = run_program("check", site.path, "--connect")
    assert done.code == 0, done.err
    assert f"  access token: {ACCOUNT} at 127.0.0.1:" in done.out
    assert "  allows:       mail\n" in done.out
    done = run_program("check", site.path, "--connect", "--json")
    (client,) = json.loads(done.out)["clients"]
    assert client["token"]["account"] == ACCOUNT
    assert client["token"]["scopes"] == ["mail"]
    assert client["token"]["expires"]


@pytest.mark.parametrize("logged_in", [True, False])
def test_the_token_for_smtp(site: Site, logged_in: bool) -> None:
    text = Path(site.path).read_text()
    oauth = text[text.index("<oauth") : text.index("</oauth>")].replace("<scope>mail<", "<scope>send<")
    smtp = f"<smtp><sender>a@b.test</sender><username>me</username>{oauth}</oauth></smtp>"
    Path(site.path).write_text(text.replace("<maildir>m</maildir>", smtp))
    site.log_in(0)
    if logged_in:
        site.log_in(1)
    done = run_program("check", site.path, "--connect")
    assert done.code == 0, done.err
    if logged_in:
        assert f"  SMTP token:   {ACCOUNT} at 127.0.0.1:" in done.out
    else:
        assert "  warning:      <smtp>: log in (tui-popretr login " in done.out
        assert "--client isp --for smtp): there is no access token" in done.out


def test_no_login_yet(site: Site) -> None:
    done = site.run()
    assert done.code == ExitCode.LOGIN
    assert f"log in (tui-popretr login {site.path} --client isp): there is no access token" in done.err + done.out


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault.ERROR_500, ExitCode.TEMPORARY, "has a temporary problem (status 500)"),
        (Fault.CUT, ExitCode.TEMPORARY, "does not answer"),
        (Fault.HTML, ExitCode.PROTOCOL, "is not one of OAuth"),
        (Fault.REDIRECTION, ExitCode.PROTOCOL, "which is not followed"),
    ],
)
def test_a_provider_in_trouble(site: Site, tmp_path: Path, fault: Fault, code: ExitCode, words: str) -> None:
    site.log_in()
    site.provider.faults["/token"] = fault
    done = site.run()
    assert done.code == code
    # What may be gone at the next run is only in the log: cron would send a mail each time.
    assert words in (tmp_path / "d.log").read_text()


def test_a_provider_that_is_gone(site: Site) -> None:
    site.log_in()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    text = Path(site.path).read_text().replace(site.provider.token_url, f"http://127.0.0.1:{port}/token")
    key = site.oauth.key
    Path(site.path).write_text(text)
    folder = site.oauth.folder
    os.rename(f"{folder}/{key}.json", f"{folder}/{site.oauth.key}.json")
    done = site.run()
    assert done.code == ExitCode.UNAVAILABLE
    assert "cannot be reached" in done.err + done.out


def test_an_access_that_was_removed(site: Site) -> None:
    site.log_in()
    site.provider.revoke()
    done = site.run()
    assert done.code == ExitCode.LOGIN
    assert f"log in again (tui-popretr login {site.path} --client isp)" in done.err + done.out


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"{", ExitCode.LOGIN, "log in again (tui-popretr login "),
        (b'{"version": 2}', ExitCode.CONFIGURATION, "was written by a newer version"),
    ],
)
def test_a_file_that_cannot_be_used(site: Site, content: bytes, code: ExitCode, words: str) -> None:
    site.log_in()
    Path(TokenStore(site.oauth.folder).path(site.oauth.key)).write_bytes(content)
    done = site.run()
    assert done.code == code
    assert words in done.err + done.out
