"""What `init` knows of providers is what docs/providers.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.config.helpers import load_text, settings_of
from tests.config.test_providers import SAMPLES, TEXT
from tui_popretr.cli.init.providers import PROVIDERS, Provider, provider_of, server_of


def row(provider: Provider) -> str:
    """The row of a provider in the table."""
    anchor = provider.name.replace(", ", " and ").replace(" ", "-").replace(".", "").lower()
    servers = ", ".join(f"{server}:995" for server in provider.servers)
    cells = (f"[{provider.name}](#{anchor})", ", ".join(provider.domains), servers, provider.password, provider.enabled)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def test_the_table() -> None:
    rows = re.findall(r"^\| \[.*$", TEXT, re.MULTILINE)
    assert rows[:-1] == [row(provider) for provider in PROVIDERS]


def test_links_of_the_table_lead_to_headings() -> None:
    headings = {re.sub("[^a-z0-9 -]", "", line.lower()).replace(" ", "-") for line in re.findall("(?m)^#+ (.*)$", TEXT)}
    assert {link for provider in PROVIDERS for link in re.findall(r"\(#(.*?)\)", row(provider))} <= headings


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_a_sample_of_each_has_the_same_settings(provider: Provider, tmp_path: Path) -> None:
    loaded = [settings_of(load_text(tmp_path, text, environ={"HOME": str(tmp_path)})) for text in SAMPLES]
    clients = [client for each in loaded for client in each.clients if client.server.host in provider.servers]
    client = clients[0]
    minutes = int(provider.frequency.removesuffix("m"))
    assert client.frequency == 60 * minutes
    assert client.server.port == 995
    username = client.server.username or ""
    assert username.startswith(provider.prefix)
    assert server_of(username.removeprefix(provider.prefix)) == client.server.host
    if provider.logins:
        assert set(provider.logins) <= set(client.server.auth_types)


def test_the_steps_name_what_the_document_names() -> None:
    def words(text: str) -> set[str]:
        return set(re.findall(r"[\w&]+", text.lower()))

    for provider in PROVIDERS:
        for step in provider.steps:
            places = re.findall(r": ([^:(]*?)(?: \(|\.$)", step)
            for place in places:
                assert words(place) <= words(TEXT), place


def test_no_domain_has_two_servers() -> None:
    domains = [domain for provider in PROVIDERS for domain in provider.domains]
    assert len(domains) == len(set(domains))


@pytest.mark.parametrize(
    ("mail", "server"),
    [
        ("me@gmail.com", "pop.gmail.com"),
        ("me@GMail.com.", "pop.gmail.com"),
        ("a@b@gmx.de", "pop.gmx.net"),
        ("me@gmx.co.uk", "pop.gmx.com"),
        ("me@mail.gmx.de", None),
        ("me@gmail.com.example", None),
        ("gmail.com@example.net", None),
        ("me", None),
    ],
)
def test_the_server_of_a_mail_address(mail: str, server: str | None) -> None:
    assert server_of(mail) == server


def test_the_provider_of_a_server() -> None:
    for provider in PROVIDERS:
        for server in provider.servers:
            assert provider_of(server.upper()) is provider
    assert provider_of("pop.example.net") is None
