"""A mailbox at a real Dovecot, which asks the tests' provider about access tokens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conversation import Conversation, converse
from tests.program.process import Done
from tests.support.dovecot import Dovecot
from tests.support.oauth_provider import ACCOUNT, CLIENT_ID, OAuthProvider
from tests.support.oauth_serving import running_provider
from tui_popretr.cli.main import main
from tui_popretr.wording import mail_volume

#: The addresses of the provider in <oauth>, by the name of the element.
ENDPOINTS = ("authurl", "tokenurl", "deviceurl", "revokeurl", "issuer")


@dataclass(frozen=True, slots=True)
class Site:
    """A home folder with a configuration c.xml, whose client "work" has <oauth>."""

    home: Path
    provider: OAuthProvider
    dovecot: Dovecot

    def oauth(self, *, without: tuple[str, ...] = (), more: str = "", scope: str = "pop") -> str:
        """An <oauth> for the provider, without some endpoints, with `more` in it."""
        provider = self.provider
        addresses = (provider.auth_url, provider.token_url, provider.device_url, provider.revoke_url, provider.issuer)
        endpoints = "".join(
            f"<{name}>{address}</{name}>"
            for name, address in zip(ENDPOINTS, addresses, strict=True)
            if name not in without
        )
        return f'<oauth provider="custom" clientid="{CLIENT_ID}">{endpoints}<scope>{scope}</scope>{more}</oauth>'

    def configure(
        self,
        *,
        without: tuple[str, ...] = (),
        oauth: str = "",
        scope: str = "pop",
        client: str = "",
        destination: str = "<maildir>mail</maildir>",
    ) -> None:
        """Write the configuration. `client` stands among the attributes of the client; the others as in oauth()."""
        (self.home / "c.xml").write_text(
            f"""<pop3download><delay_start>0</delay_start><clients>
            <client id="work" recip="me" preserve="Y" newonly="Y" {client}>
            <server address="{self.dovecot.host}:{self.dovecot.port}"><username>{ACCOUNT}</username>
            {self.oauth(without=without, more=oauth, scope=scope)}</server>{destination}
            </client></clients></pop3download>"""
        )
        (self.home / "c.xml").chmod(0o600)

    def login(
        self,
        *arguments: str,
        answers: list[tuple[str, str | Callable[[str], str]]],
        environ: dict[str, str] | None = None,
    ) -> Conversation:
        """Run `login` on a terminal of 80 columns."""
        return converse(self.home, ["login", "c.xml", "--client", "work", *arguments], answers, environ=environ)

    def fill(self, number: int) -> None:
        """Put a message into the mailbox."""
        self.dovecot.fill(ACCOUNT, [f"Subject: {number}\n\nhello\n".encode()])

    def works(self) -> str:
        """What `login` reports of a session."""
        sizes = [len(message) + message.count(b"\n") for message in self.dovecot.messages(ACCOUNT)]
        return f"A session works: {mail_volume(len(sizes), sum(sizes))}.\n"

    def delivered(self) -> int:
        """How many messages have been delivered."""
        folder = self.home / "mail/new"
        return len(os.listdir(folder)) if folder.exists() else 0

    def token_files(self) -> list[str]:
        folder = self.home / "var/oauth"
        return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.fixture(scope="session")
def oauth_servers(needs_dovecot: None) -> Iterator[tuple[OAuthProvider, Dovecot]]:
    """The provider and the server that asks it, one each per test process."""
    with running_provider() as provider, Dovecot(introspection=provider.introspection_url) as server:
        server.fill(ACCOUNT, [b"Subject: one\n\nhello\n"])
        yield provider, server


@pytest.fixture
def site(tmp_path: Path, oauth_servers: tuple[OAuthProvider, Dovecot]) -> Site:
    """A configured client that has not logged in."""
    provider, server = oauth_servers
    provider.reset()
    found = Site(tmp_path, provider, server)
    found.configure()
    return found


class Program:
    """`login` for a site, in this process."""

    def __init__(self, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
        self._site = site
        self._capsys = capsys

    def __call__(self, *arguments: str, client: str = "work") -> Done:
        self._capsys.readouterr()
        code = main(["login", str(self._site.home / "c.xml"), "--client", client, *arguments])
        out, err = self._capsys.readouterr()
        return Done(code, out, err)


@pytest.fixture
def login(site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """`login` without a terminal; the user agrees at once."""
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    site.provider.agrees_on_devices = True
    return Program(site, capsys)
