"""Requests to a provider over the network: reached, trusted, or not."""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trustme

from tests.oauth.making import oauth_for, tokens
from tests.support.clock import FakeClock
from tests.support.oauth_provider import OAuthProvider
from tests.support.oauth_serving import running_provider
from tests.support.passwords import MARK, discreet
from tui_popretr.config.oauth import Endpoints, OAuth
from tui_popretr.errors import ExitCode, GrantEnded, PopretrError, ProviderProtocolError, ProviderUnreachable
from tui_popretr.oauth.provider import TokenProvider
from tui_popretr.secret import Secret


def failure(oauth: OAuth) -> PopretrError:
    """The error of a renewal with a token that is not known to the provider."""
    old = tokens(f"{MARK}-a", f"{MARK}-r")
    assert old.refresh
    with pytest.raises(PopretrError) as caught:
        trio.run(TokenProvider(oauth, Secret(""), FakeClock()).renew, old, old.refresh)
    discreet(str(caught.value), caught.value.advice)
    return caught.value


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that the system trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


@pytest.mark.parametrize("trusted", [True, False])
def test_the_certificate_is_verified(authority: trustme.CA, trusted: bool) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (authority if trusted else trustme.CA()).issue_cert("localhost").configure_cert(context)
    with running_provider(tls=context) as provider:
        problem = failure(oauth_for(provider))
    if trusted:
        assert isinstance(problem, GrantEnded)
        return
    assert isinstance(problem, ProviderProtocolError)
    assert problem.exit_code is ExitCode.PROTOCOL
    assert " cannot be trusted: " in str(problem)
    assert "SSL_CERT_FILE" in problem.advice
    assert provider.asked == []


def test_a_provider_that_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/token"
    problem = failure(replace(oauth_for(OAuthProvider()), endpoints=Endpoints(token=address)))
    assert isinstance(problem, ProviderUnreachable)
    assert problem.exit_code is ExitCode.UNAVAILABLE
    assert "cannot be reached: cannot connect to 127.0.0.1 port" in str(problem)
