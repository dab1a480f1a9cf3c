"""A mailbox at a real Dovecot, which asks the tests' provider about access tokens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conversation import Conversation, converse
from tests.support.dovecot import Dovecot
from tests.support.oauth_provider import ACCOUNT, CLIENT_ID, OAuthProvider
from tests.support.oauth_serving import running_provider
from tui_popretr.wording import mail_volume

#: The addresses of the provider in <oauth>, by the name of the element.
ENDPOINTS = ("authurl", "tokenurl", "deviceurl", "revokeurl", "issuer")


@dataclass(frozen=True, slots=True)
class Site:
    """A home folder with a configuration c.xml, whose client "work" has <oauth>."""

    home: Path
    provider: OAuthProvider
    dovecot: Dovecot

    def configure(
        self, *, without: tuple[str, ...] = (), more: str = "", oauth: str = "", scope: str = "pop", client: str = ""
    ) -> None:
        """Write the configuration, without some endpoints. `more` stands in the client, `client` among its attributes,
        `oauth` in <oauth>.
        """
        provider = self.provider
        addresses = (provider.auth_url, provider.token_url, provider.device_url, provider.revoke_url, provider.issuer)
        endpoints = "".join(
            f"<{name}>{address}</{name}>"
            for name, address in zip(ENDPOINTS, addresses, strict=True)
            if name not in without
        )
        login = f'<oauth provider="custom" clientid="{CLIENT_ID}">{endpoints}<scope>{scope}</scope>{oauth}</oauth>'
        (self.home / "c.xml").write_text(
            f"""<pop3download><delay_start>0</delay_start><clients>
            <client id="work" recip="me" preserve="Y" newonly="Y" {client}>
            <server address="{self.dovecot.host}:{self.dovecot.port}">
            <username>{ACCOUNT}</username>{login}</server>{more}<maildir>mail</maildir>
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
