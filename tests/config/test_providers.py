"""docs/providers.md: each sample loads, and is as safe as the provider allows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.config.helpers import load_text, settings_of
from tui_popretr.config.checks import clear_text_logins
from tui_popretr.config.model import ClientSettings
from tui_popretr.config.oauth import Provider
from tui_popretr.config.sources import FromCommand

DOCUMENT = Path(__file__).parents[2] / "docs/providers.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
SAMPLES = re.findall(r"^```xml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)

#: The servers that are named at the head of the document, with their ports.
HOSTS = {
    "pop.gmail.com": 995,
    "outlook.office365.com": 995,
    "pop.mail.yahoo.com": 995,
    "pop.gmx.net": 995,
    "pop.fastmail.com": 995,
    "pop.isp.example": 110,
}


def clients(text: str, folder: Path) -> tuple[ClientSettings, ...]:
    """The clients of a sample that has no problem, not even a warning."""
    loaded = load_text(folder, text, environ={"HOME": str(folder)})
    assert loaded.problems == ()
    return settings_of(loaded).clients


@pytest.mark.parametrize("text", SAMPLES, ids=lambda text: re.search('id="([a-z]+)"', text)[1])  # type: ignore[index]
def test_a_sample_is_accepted_and_safe(text: str, tmp_path: Path) -> None:
    (client,) = clients(text, tmp_path)
    server = client.server
    assert server.port == HOSTS[server.host]
    assert server.tls is not None
    assert server.tls.latent == (server.port == 110)
    assert clear_text_logins(client) == ()
    assert isinstance(server.password or (server.oauth and server.oauth.client_secret), FromCommand | None)
    assert (server.password is None) == (server.oauth is not None)
    assert client.retention.preserve == client.retention.new_only


def test_every_provider_has_one(tmp_path: Path) -> None:
    servers = [client.server for text in SAMPLES for client in clients(text, tmp_path)]
    assert {server.host for server in servers} == HOSTS.keys()
    for server in servers:
        if server.host != "pop.isp.example":
            assert f"| {server.host}:{server.port}" in TEXT
    microsoft = [server for server in servers if server.host == "outlook.office365.com"]
    assert [server.oauth and server.oauth.provider for server in microsoft] == [Provider.MICROSOFT]
    assert not microsoft[0].initial_response


def test_it_is_linked() -> None:
    top = DOCUMENT.parents[1]
    assert "(docs/providers.md)" in (top / "README.md").read_text(encoding="utf-8")
    assert "(SECURITY.md)" in (top / "README.md").read_text(encoding="utf-8")
