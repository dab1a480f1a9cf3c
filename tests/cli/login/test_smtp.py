"""`login` for <smtp>: a mail server that asks the tests' provider about access tokens."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.cli.login.conftest import Program, Site
from tests.support.oauth_provider import ACCOUNT, OAuthProvider
from tui_popretr.errors import ExitCode


class MailServer(socketserver.ThreadingTCPServer):
    """As far as the login, by XOAUTH2."""

    daemon_threads = True

    def __init__(self, provider: OAuthProvider) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.provider = provider

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 mail.test ESMTP\r\n")
        for line in self.rfile:
            verb, _, rest = line.strip().partition(b" ")
            match verb.upper():
                case b"EHLO":
                    self.wfile.write(b"250-mail.test\r\n250 AUTH XOAUTH2\r\n")
                case b"AUTH":
                    token = base64.b64decode(rest.split()[1]).decode().partition("Bearer ")[2].rstrip("\1")
                    if self.server.provider.owner(token) == ACCOUNT:
                        self.wfile.write(b"235 2.7.0 Accepted\r\n")
                    else:
                        self.wfile.write(b"535 5.7.8 Authentication credentials invalid\r\n")
                case b"QUIT":
                    self.wfile.write(b"221 Bye\r\n")
                    return
                case _:
                    self.wfile.write(b"250 OK\r\n")


@pytest.fixture
def mail_server(site: Site) -> Iterator[MailServer]:
    """The mail server in the configuration of the client."""
    with MailServer(site.provider) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        site.configure(
            destination=f"<smtp><address>127.0.0.1:{server.port}</address><sender>me@example.test</sender>"
            f"<username>{ACCOUNT}</username>{site.oauth(scope='smtp')}</smtp>"
        )
        yield server
        server.shutdown()
        thread.join()


def test_both_are_logged_in(site: Site, login: Program, mail_server: MailServer) -> None:
    done = login()
    assert (done.code, done.err) == (0, "")
    assert "for <server>." in done.out
    assert "for <smtp>." in done.out
    trying = f"\n\nTrying a login at 127.0.0.1:{mail_server.port} ...\nThe login works.\n"
    assert done.out.endswith(f"{site.works()}{trying.removeprefix(chr(10))}")
    assert site.provider.count("/device") == 2
    assert len([name for name in site.token_files() if name.endswith(".json")]) == 2


def test_only_the_one_that_is_named(site: Site, login: Program, mail_server: MailServer) -> None:
    done = login("--for", "smtp")
    assert done.code == 0
    assert "a session" not in done.out
    assert done.out.endswith(f"Trying a login at 127.0.0.1:{mail_server.port} ...\nThe login works.\n")
    assert site.provider.count("/device") == 1
    login()
    assert site.provider.count("/device") == 2


def test_one_that_was_revoked(site: Site, login: Program, mail_server: MailServer) -> None:
    login("--for", "smtp")
    site.provider.revoke()
    login("--for", "server")
    done = login()
    assert done.code == 0, done.err
    assert done.out.count("So a new login is needed.") == 1
    assert done.out.count("The login works.") == 1


def test_a_mail_server_that_is_not_there(site: Site, login: Program, mail_server: MailServer) -> None:
    mail_server.server_close()
    done = login()
    assert done.code == ExitCode.UNAVAILABLE
    assert site.works() in done.out
    assert "cannot reach the SMTP server" in done.err


def test_logging_out_of_both(site: Site, login: Program, mail_server: MailServer) -> None:
    login()
    done = login("--logout")
    assert done.out.count("the access is revoked") == 2
    assert [name for name in site.token_files() if name.endswith(".json")] == []


def test_the_same_token_for_both(site: Site, login: Program, mail_server: MailServer) -> None:
    path = site.home / "c.xml"
    path.write_text(path.read_text().replace("<scope>smtp</scope>", "<scope>pop</scope>"))
    done = login()
    assert done.code == 0
    assert site.provider.count("/device") == 1
    assert "The login works." in done.out
