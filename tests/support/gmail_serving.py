"""The tests' Gmail behind a port: in the test's own trio, or in a thread for the program and other clients."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import h11
import trio

from tests.support.gmail import Answer, FakeGmail, Fault
from tests.support.tls_serving import LOOPBACK, serving
from tests.support.waiting import PATIENCE


async def serve(gmail: FakeGmail, stream: trio.abc.Stream) -> None:
    """Answer the requests of one connection (HTTP/1.1)."""
    gmail.connections += 1
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=64 * 1024)
    while True:
        request, fault, body = None, None, bytearray()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                if http.they_are_waiting_for_100_continue:
                    await stream.send_all(http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                http.receive_data(bytes(await stream.receive_some()))
            elif isinstance(event, h11.Request):
                request = event
                fault = gmail.fault(request.method.decode(), request.target.decode())
                if fault is not None and fault.early:
                    await _fail(http, stream, fault)
                    return
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return
        assert request is not None
        headers = {name.decode(): value.decode() for name, value in request.headers}
        answer = None
        if fault is None or fault.works:
            answer = gmail.answer(request.method.decode(), request.target.decode(), headers, bytes(body))
        if fault is not None:
            await _fail(http, stream, fault)
            if fault.answer is None or fault.closes or fault.answer.raw is not None:
                return
        elif answer is not None:
            await stream.send_all(_octets(http, answer))
        if http.our_state is h11.MUST_CLOSE:
            return
        http.start_next_cycle()


async def _fail(http: h11.Connection, stream: trio.abc.Stream, fault: Fault) -> None:
    if fault.answer is not None:
        raw = fault.answer.raw
        await stream.send_all(_octets(http, fault.answer) if raw is None else raw)
    if fault.silent:
        await trio.sleep_forever()


def _octets(http: h11.Connection, answer: Answer) -> bytes:
    headers = [*answer.headers]
    if not answer.chunked:
        headers.append(("Content-Length", str(len(answer.body))))
    response = h11.Response(status_code=answer.status, headers=headers)
    events = (response, h11.Data(data=answer.body), h11.EndOfMessage())
    return b"".join(http.send(event) or b"" for event in events)


async def _connection(gmail: FakeGmail, stream: trio.abc.Stream) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
        await serve(gmail, stream)
    await stream.aclose()


@asynccontextmanager
async def serving_gmail(gmail: FakeGmail) -> AsyncIterator[str]:
    """Serve it during the block; its address."""

    async def server(stream: trio.SocketStream) -> None:
        await _connection(gmail, stream)

    async with serving(server) as port:
        yield f"http://{LOOPBACK}:{port}"


@contextmanager
def running_gmail(gmail: FakeGmail) -> Iterator[str]:
    """The same in a thread."""
    ready, ended = threading.Event(), trio.Event()
    tokens: list[trio.lowlevel.TrioToken] = []
    address: list[str] = []

    async def main() -> None:
        async with serving_gmail(gmail) as url:
            tokens.append(trio.lowlevel.current_trio_token())
            address.append(url)
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=trio.run, args=(main,), name="Gmail")
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield address[0]
    finally:
        if tokens:
            tokens[0].run_sync_soon(ended.set)
        thread.join()
