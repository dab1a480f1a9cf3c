"""A provider over the network: answers that are none, and silence."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import trio
from trio.testing import trio_test

from tests.oauth.making import oauth_for, tokens
from tests.support.oauth_provider import Fault, OAuthProvider
from tests.support.oauth_serving import running_provider
from tests.support.passwords import MARK, discreet
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


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 x\r\nLocation: https://other.test/?FORM\r\n\r\n",
        b"HTTP/1.1 302 x\r\nLocation: /FORM\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nFORM\r\n\r\n",
        b"FORM\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFORM\r\n",
    ],
)
@trio_test
async def test_an_answer_that_repeats_the_form(answer: bytes) -> None:
    """Also of a token that is longer than what is shown of an answer."""

    async def serve(stream: trio.SocketStream) -> None:
        request = b""
        while not request.endswith(b"-end"):  # the refresh token is the last field
            request += await stream.receive_some()
        await stream.send_all(answer.replace(b"FORM", request.partition(b"\r\n\r\n")[2]))
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, host="127.0.0.1"), serve, 0)
        provider = OAuthProvider(f"http://127.0.0.1:{listener.socket.getsockname()[1]}")
        refresh = Secret(f"{MARK}-{'x' * 300}-end")
        with pytest.raises(ProviderProtocolError) as caught:
            await tokens_of(provider).renew(tokens("old", refresh.reveal()), refresh)
        nursery.cancel_scope.cancel()
    problem: BaseException | None = caught.value
    while problem is not None:
        discreet(str(problem))
        assert problem.__suppress_context__ or problem.__context__ is None
        problem = problem.__cause__
