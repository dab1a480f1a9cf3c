"""A provider over the network: answers that are none, and silence."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from trio.testing import trio_test

from tests.oauth.making import oauth_for
from tests.support.oauth_provider import Fault, OAuthProvider
from tests.support.oauth_serving import running_provider
from tui_popretr.clock import SystemClock
from tui_popretr.errors import ExitCode, ProviderFailed, ProviderProtocolError
from tui_popretr.oauth import provider as module
from tui_popretr.oauth.provider import TokenProvider
from tui_popretr.secret import Secret


def tokens_of(provider: OAuthProvider) -> TokenProvider:
    return TokenProvider(oauth_for(provider), Secret(""), SystemClock())


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.HTML, ExitCode.PROTOCOL),
        (Fault.LARGE, ExitCode.PROTOCOL),
        (Fault.REDIRECTION, ExitCode.PROTOCOL),
        (Fault.NONSENSE, ExitCode.PROTOCOL),
        (Fault.INCOMPLETE, ExitCode.PROTOCOL),
        (Fault.ERROR_500, ExitCode.TEMPORARY),
        (Fault.BUSY_503, ExitCode.TEMPORARY),
        (Fault.CUT, ExitCode.TEMPORARY),
    ],
)
def test_answers_that_are_none(fault: Fault, code: ExitCode) -> None:
    with running_provider() as provider:
        provider.faults["/device"] = fault
        with pytest.raises((ProviderProtocolError, ProviderFailed)) as caught:
            trio.run(tokens_of(provider).begin_device)
        assert caught.value.exit_code == code
        assert caught.value.advice
        assert [each.path for each in provider.asked] == ["/device"], "a redirection is not followed"


def test_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    with running_provider() as provider:
        provider.faults["/device"] = Fault.SILENCE
        with pytest.raises(ProviderFailed, match="has not answered within"):
            trio.run(tokens_of(provider).begin_device)


@trio_test
async def test_an_address_without_tls_on_another_machine() -> None:
    """The configuration refuses it; so does the request."""
    oauth = oauth_for(OAuthProvider("http://provider.test"))
    plain = replace(oauth, endpoints=replace(oauth.endpoints, device="http://192.0.2.1/device"))
    with pytest.raises(ProviderProtocolError, match="not encrypted; nothing was sent"):
        await TokenProvider(plain, Secret(""), SystemClock()).begin_device()
