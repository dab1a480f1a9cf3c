"""A document by HTTPS, from a real server on this machine."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import pytest
import trio
import trustme
from trio.testing import trio_test

from tests.support.tls_serving import LOOPBACK, serving
from tui_popretr.errors import CertificateRejected, ConnectionCut, PopretrError, WebRequestFailed
from tui_popretr.net.connect import connect
from tui_popretr.net.http import get
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
            f"{HOST} redirects to https://else.test/\\x1b, which is not followed",
        ),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: https://else.test/\r\nContent-Length: 0\r\n\r\n",
            f"{HOST} redirects to https://else.test/, which is not followed",
        ),
        (b"+OK POP3 ready\r\n\r\n", f"{HOST} does not speak HTTP: "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + bytes(1001), f"{HOST} sends more than 1000 octets"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", f"{HOST} does not speak HTTP: "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<a/>", f"{HOST} does not speak HTTP: "),
    ],
    ids=["missing", "no reason", "escape", "redirection", "not HTTP", "too long", "long header", "cut"],
)
@trio_test
async def test_no_document(authority: trustme.CA, answer: bytes, error: str) -> None:
    with pytest.raises(WebRequestFailed) as caught:
        await fetch(authority, answer)
    assert str(caught.value).startswith(error)


@trio_test
async def test_a_slow_server(authority: trustme.CA) -> None:
    with pytest.raises(WebRequestFailed, match="has not answered within"):
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
