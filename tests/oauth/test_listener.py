"""The web server on the loopback address: the answer of the provider, and everything else that may arrive."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from trio.testing import trio_test

from tui_popretr.errors import ExitCode, LoginDenied, LoginPortUnavailable, PopretrError, RedirectIgnored
from tui_popretr.oauth.listener import RedirectListener, listening
from tui_popretr.secret import Secret


def read(address: str) -> Secret:
    """The answer is right, denied, or another's."""
    match = re.fullmatch(r"http://127\.0\.0\.1:\d+/\?code=(\w+)", address)
    if match is None:
        raise RedirectIgnored("the address belongs to <another> login", advice="open <this>")
    if match[1] == "denied":
        raise LoginDenied("access was not allowed")
    return Secret(match[1])


class Browser:
    """What sends requests, and what came of them."""

    def __init__(self, listener: RedirectListener) -> None:
        self.port = int(listener.address.rpartition(":")[2].strip("/"))
        self.ignored: list[str] = []
        self.outcome: Secret | PopretrError | None = None

    async def send(self, octets: bytes) -> str:
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            await stream.send_all(octets)
            answer = b""
            while piece := await stream.receive_some():
                answer += piece
        return answer.decode()

    async def get(self, target: str, *, method: str = "GET", host: str = "") -> str:
        return await self.send(
            f"{method} {target} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{self.port}'}\r\n\r\n".encode()
        )


@asynccontextmanager
async def waiting(answer: Callable[[str], Secret] = read) -> AsyncIterator[Browser]:
    """A listener that waits for the answer; at the end of the block it must have it."""
    async with listening(0) as listener:
        browser = Browser(listener)

        async def receive() -> None:
            try:
                browser.outcome = await listener.receive(answer, lambda problem: browser.ignored.append(str(problem)))
            except PopretrError as problem:
                browser.outcome = problem

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                yield browser


@trio_test
async def test_the_answer() -> None:
    async with waiting() as browser:
        page = await browser.get("/?code=sesame")
    assert page.startswith("HTTP/1.1 200 ")
    assert "The answer has arrived" in page
    assert "sesame" not in page
    assert "default-src 'none'" in page
    assert browser.outcome == Secret("sesame")
    assert browser.ignored == []


@trio_test
async def test_an_answer_of_another_login_is_ignored() -> None:
    async with waiting() as browser:
        page = await browser.get("/?code=1&state=2")
        assert page.startswith("HTTP/1.1 400 ")
        assert "The address belongs to &lt;another&gt; login." in page
        assert "Open &lt;this&gt;." in page
        assert browser.outcome is None
        await browser.get("/?code=sesame")
    assert browser.ignored == ["the address belongs to <another> login"]
    assert browser.outcome == Secret("sesame")


@trio_test
async def test_an_error_ends_the_login() -> None:
    async with waiting() as browser:
        page = await browser.get("/?code=denied")
    assert "Access was not allowed." in page
    assert isinstance(browser.outcome, LoginDenied)


@pytest.mark.parametrize(
    ("target", "method", "host", "status"),
    [
        ("/favicon.ico", "GET", "", 404),
        ("/", "GET", "", 404),
        ("/other?code=sesame", "GET", "", 404),
        ("//[?code=sesame", "GET", "", 404),
        ("http://attacker.test/?code=sesame", "GET", "", 404),
        ("/?code=sesame", "GET", "attacker.test", 404),
        ("/?code=sesame", "GET", "localhost:1", 404),
        ("/?code=sesame", "POST", "", 405),
        ("/?code=sesame", "HEAD", "", 405),
    ],
)
@trio_test
async def test_other_requests(target: str, method: str, host: str, status: int) -> None:
    async with waiting() as browser:
        page = await browser.get(target, method=method, host=host)
        assert page.startswith(f"HTTP/1.1 {status} ")
        assert ("<p>" in page) == (method != "HEAD")
        assert browser.outcome is None
        await browser.get("/?code=right")
    assert browser.outcome == Secret("right")


@pytest.mark.parametrize("octets", [b"\x16\x03\x01\x02\x00\x01\x00", b"nonsense\r\n\r\n", b"GET /" + b"x" * 40_000])
@trio_test
async def test_what_is_no_http(octets: bytes) -> None:
    async with waiting() as browser:
        async with await trio.open_tcp_stream("127.0.0.1", browser.port) as stream:
            await stream.send_all(octets)
            await stream.send_eof()
        await browser.get("/?code=right")
    assert browser.outcome == Secret("right")


@trio_test
async def test_a_request_without_an_end() -> None:
    async with waiting() as browser:
        async with await trio.open_tcp_stream("127.0.0.1", browser.port) as stream:
            with suppress(trio.BrokenResourceError):  # it need not read the rest
                await stream.send_all(b"GET /" + b"x" * 40_000)
                assert not await stream.receive_some()
        await browser.get("/?code=right")
    assert browser.outcome == Secret("right")


@trio_test
async def test_connections_without_a_request_do_not_matter() -> None:
    async with waiting() as browser:
        idle = [await trio.open_tcp_stream("127.0.0.1", browser.port) for _ in range(8)]
        assert "The answer has arrived" in await browser.get("/?code=right")
        for stream in idle:
            await stream.aclose()
    assert browser.outcome == Secret("right")


@trio_test
async def test_a_port_in_use() -> None:
    async with listening(0) as listener:
        port = listener.address.rpartition(":")[2].strip("/")
        with pytest.raises(LoginPortUnavailable) as caught:
            async with listening(int(port)):
                raise AssertionError
    assert str(caught.value) == f"cannot listen on port {port} of 127.0.0.1: address already in use"
    assert caught.value.advice == "name another port with --port; without it, a free one is chosen"
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
