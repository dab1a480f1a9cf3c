"""A document by HTTPS, from a real server on this machine."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import pytest
import trio
import trustme
from trio.testing import trio_test

from tests.support.passwords import PASSWORD, discreet
from tests.support.tls_serving import LOOPBACK, serving
from tui_popretr.errors import (
    CertificateRejected,
    ConnectionCut,
    ExitCode,
    PopretrError,
    ServerUnreachable,
    WebRequestFailed,
    WebServerSilent,
)
from tui_popretr.net.connect import connect
from tui_popretr.net.http import Response, get, request
from tui_popretr.net.stream import Stream

HOST: Final = "autoconfig.example.test"
PATH: Final = "/mail/config-v1.1.xml"
LIMIT: Final = 1000


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that the system trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


async def fetch(
    authority: trustme.CA, answer: bytes, *, name: str = HOST, timeout: float = 30.0, rude: bool = False
) -> tuple[bytes, bytes]:
    """The document of a server that sends `answer`, and the request that it got."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    request = bytearray()

    async def serve(plain: trio.SocketStream) -> None:
        stream = trio.SSLStream(plain, context, server_side=True, https_compatible=rude)
        while b"\r\n\r\n" not in request:
            request.extend(await stream.receive_some())
        await stream.send_all(answer)
        if timeout < 1:
            await trio.sleep_forever()
        await stream.aclose()

    async with serving(serve) as port:

        async def dial(host: str, asked: int, timeout: float) -> Stream:
            assert (host, asked) == (HOST, 443)
            return await connect(LOOPBACK, port, timeout=timeout)

        problem: PopretrError | None = None
        try:
            body = await get(HOST, PATH, timeout=timeout, limit=LIMIT, dial=dial)
        except PopretrError as error:  # outside the nursery it would be in a group
            problem = error
    if problem is not None:
        raise problem
    return body, bytes(request)


@trio_test
async def test_a_document(authority: trustme.CA) -> None:
    body, request = await fetch(authority, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<a/>")
    assert body == b"<a/>"
    lines = request.decode().splitlines()
    assert lines[0] == f"GET {PATH} HTTP/1.1"
    assert set(lines[1:]) == {f"Host: {HOST}", "Accept: text/xml, application/xml", "Connection: close", ""}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n<a\r\n2\r\n/>\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n<a/>",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<a/>",
    ],
    ids=["chunked", "until the end", "after hints"],
)
@trio_test
async def test_framing(authority: trustme.CA, answer: bytes) -> None:
    assert (await fetch(authority, answer))[0] == b"<a/>"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", f"{HOST} has no such document (404 Not Found)"),
        (b"HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n", f"{HOST} has no such document (500)"),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: https://else.test/\x1b\r\nContent-Length: 0\r\n\r\n",
            f"{HOST} redirects to https://else.test, which is not followed",
        ),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: https://else.test/\r\nContent-Length: 0\r\n\r\n",
            f"{HOST} redirects to https://else.test, which is not followed",
        ),
        (b"+OK POP3 ready\r\n\r\n", f"{HOST} does not speak HTTP: "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + bytes(1001), f"{HOST} sends more than 1000 octets"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", f"{HOST} does not speak HTTP: "),
    ],
    ids=["missing", "no reason", "escape", "redirection", "not HTTP", "too long", "long header"],
)
@trio_test
async def test_no_document(authority: trustme.CA, answer: bytes, error: str) -> None:
    with pytest.raises(WebRequestFailed) as caught:
        await fetch(authority, answer)
    assert str(caught.value).startswith(error)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<a/>"])
@trio_test
async def test_a_cut_answer(authority: trustme.CA, answer: bytes) -> None:
    with pytest.raises(ConnectionCut, match="ended the connection before its answer was complete"):
        await fetch(authority, answer)


@trio_test
async def test_a_slow_server(authority: trustme.CA) -> None:
    with pytest.raises(WebServerSilent, match="has not answered within"):
        await fetch(authority, b"HTTP/1.1 200 OK\r\n", timeout=0.1)


@trio_test
async def test_a_document_cut_without_close_notify(authority: trustme.CA) -> None:
    with pytest.raises(ConnectionCut):
        await fetch(authority, b"HTTP/1.0 200 OK\r\n\r\n<a/>", rude=True)


@pytest.mark.parametrize("trusted", [True, False])
@trio_test
async def test_the_certificate_is_verified(authority: trustme.CA, trusted: bool) -> None:
    issuer, name = (authority, "example.test") if trusted else (trustme.CA(), HOST)
    with pytest.raises(PopretrError) as caught:
        await fetch(issuer, b"", name=name)
    assert isinstance(caught.value, CertificateRejected)


async def ask(
    answer: bytes, *, path: str = "/token?a=1", method: str = "POST", body: bytes = b""
) -> tuple[Response, bytes]:
    """A request without TLS to this machine; the answer, and what the server got."""
    received = bytearray()

    async def serve(stream: trio.SocketStream) -> None:
        while not received.endswith(b"\r\n\r\n" + body):
            received.extend(await stream.receive_some())
        await stream.send_all(answer)
        await stream.aclose()

    async with serving(serve) as port:
        url = f"http://{LOOPBACK}:{port}{path}"
        response = await request(method, url, [("X-A", "b")], body, timeout=30.0, limit=LIMIT)
    return response, bytes(received).replace(str(port).encode(), b"PORT")


@trio_test
async def test_a_post(tmp_path: Path) -> None:
    secret = f"token={PASSWORD}".encode()
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/x\r\nContent-Length: %d\r\n\r\n%b" % (len(secret), secret)
    response, received = await ask(answer, body=secret)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.decode().splitlines() == [
        "POST /token?a=1 HTTP/1.1",
        "Host: 127.0.0.1:PORT",
        "X-A: b",
        "Connection: close",
        f"Content-Length: {len(secret)}",
    ]
    assert body == response.body == secret
    assert (response.status, response.reason, response.header("content-TYPE")) == (400, "Bad Request", "text/x")
    assert response.header("none") == ""
    discreet(repr(response), str(response))


@trio_test
async def test_a_redirection_is_an_answer() -> None:
    response, received = await ask(
        b"HTTP/1.1 302 Found\r\nLocation: https://else.test/\r\nContent-Length: 0\r\n\r\n", method="GET", path=""
    )
    assert received.startswith(b"GET / HTTP/1.1\r\n")
    assert response.status == 302
    assert "redirects to https://else.test, which is not followed" in str(response.redirection)


@pytest.mark.parametrize("status", [200, 404, 304])
@trio_test
async def test_no_redirection(status: int) -> None:
    response, _ = await ask(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
    assert response.redirection is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.test/token", "'?http://example.test/token'? is not encrypted; nothing was sent"),
        ("ftp://example.test/", "is not a web address"),
        ("https:///token", "is not a web address"),
        ("https://a.test:x/", "is not a web address"),
        ("token", "is not a web address"),
    ],
)
@trio_test
async def test_addresses_that_are_not_asked(url: str, words: str) -> None:
    async def dial(host: str, port: int, timeout: float) -> Stream:
        raise AssertionError

    with pytest.raises(WebRequestFailed, match=words):
        await request("GET", url, timeout=1.0, limit=LIMIT, dial=dial)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("https://login.example.test", ("login.example.test", 443)),
        ("https://login.example.test:8443/a", ("login.example.test", 8443)),
        ("http://[::1]/a", ("::1", 80)),
        ("https://straße.example.test/", ("xn--strae-oqa.example.test", 443)),
    ],
)
@trio_test
async def test_where_a_request_goes(url: str, where: tuple[str, int]) -> None:
    async def dial(host: str, port: int, timeout: float) -> Stream:
        assert (host, port) == where
        raise ServerUnreachable("no")

    with pytest.raises(ServerUnreachable):
        await request("GET", url, timeout=1.0, limit=LIMIT, dial=dial)


def test_exit_codes() -> None:
    codes = [kind.exit_code for kind in (ServerUnreachable, WebServerSilent, ConnectionCut, WebRequestFailed)]
    assert codes == [ExitCode.UNAVAILABLE, ExitCode.TEMPORARY, ExitCode.TEMPORARY, ExitCode.PROTOCOL]
