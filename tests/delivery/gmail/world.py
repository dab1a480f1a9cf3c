"""A session with the tests' Gmail through memory: sinks, tokens, and trio's clock for both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import h11
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from tests.support.gmail import ACCOUNT, SCOPES, TOKEN, FakeGmail
from tests.support.gmail_serving import serve
from tests.support.passwords import MARK
from tests.support.streams import MemoryStream
from tui_popretr.config.model import GmailDestination
from tui_popretr.config.oauth import Endpoints, OAuth, Provider, Use
from tui_popretr.delivery.gmail.sink import GmailSink
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.errors import PopretrError
from tui_popretr.facts import Direction
from tui_popretr.net.stream import Stream
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret

URL: Final = "http://127.0.0.1:8025"
EPOCH: Final = 1_000_000_000.0
OTHER_TOKEN: Final = f"{MARK}.access-2"
MAIL: Final = b"Message-ID: <1@example.test>\r\nSubject: x\r\n\r\ntext\r\n"


def now() -> float:
    return EPOCH + trio.current_time()


class World:
    """Gmail, and the sinks of one client. Made by world()."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.gmail = FakeGmail(clock=now)
        self.tokens: list[Tokens | PopretrError] = [tokens()]
        #: what a refused token is replaced by
        self.others: list[Tokens | PopretrError | None] = []
        self.said: list[str] = []
        self.dialed = 0
        self.unreachable: PopretrError | None = None
        self._nursery = nursery

    def sink(self, **settings: Any) -> GmailSink:
        """A sink with these settings of <gmail>."""
        oauth = OAuth(Provider.GOOGLE, "id", ACCOUNT, Endpoints(), use=Use.GMAIL, config="c.xml", client="isp")
        return GmailSink(
            GmailDestination(ACCOUNT, **{"oauth": oauth, "url": URL, **settings}),
            spool="/nonexistent",
            tokens=self._token,
            other_tokens=self._other,
            said=self._say,
            now=now,
            dial=self._dial,
        )

    async def _token(self) -> Tokens:
        return _result(self.tokens[-1])

    async def _other(self, refused: Secret) -> Tokens | None:
        await trio.lowlevel.checkpoint()
        if not self.others:
            return None
        self.tokens.append(found) if (found := self.others.pop(0)) is not None else None
        return None if found is None else _result(found)

    def _say(self, direction: Direction, lines: Iterable[str]) -> None:
        self.said += [f"{direction.name} {line}" for line in lines]

    async def _dial(self, host: str, port: int, timeout: float) -> Stream:
        await trio.lowlevel.checkpoint()
        self.dialed += 1
        if self.unreachable is not None:
            raise self.unreachable
        near, far = memory_stream_pair()

        async def connection() -> None:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
                await serve(self.gmail, far)
            await far.aclose()

        self._nursery.start_soon(connection)
        return MemoryStream(near)


def _result(found: Tokens | PopretrError) -> Tokens:
    if isinstance(found, PopretrError):
        raise found
    return found


def tokens(access: str = TOKEN, account: str = ACCOUNT, scopes: tuple[str, ...] = SCOPES) -> Tokens:
    return Tokens(Secret(access), None, None, scopes, account, EPOCH)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        yield World(nursery)
        nursery.cancel_scope.cancel()


def message(
    sink: GmailSink, *parts: bytes, message_id: str | None = "1@example.test", number: int = 7
) -> OutgoingMessage:
    """A message that was received."""
    made = sink.open(number)
    for part in parts or (MAIL,):
        made.write(part)
    made.finish()
    made.message_id = message_id
    return made


async def send(sink: GmailSink, *parts: bytes, message_id: str | None = "1@example.test") -> str:
    """Send a message as the queue does; return the receipt. The server sees everything before the end first."""
    made = message(sink, *parts, message_id=message_id)
    await sink.mark([made])
    try:
        return await sink.send(made, wait_all_tasks_blocked)
    finally:
        made.abort()


async def marked(sink: GmailSink, *parts: bytes, message_id: str | None = "1@example.test") -> str:
    """Send a message that comes into doubt; return its mark."""
    made = message(sink, *parts, message_id=message_id)
    (mark,) = await sink.mark([made])
    assert mark is not None
    try:
        await sink.send(made, wait_all_tasks_blocked)
    except PopretrError:
        return mark
    finally:
        made.abort()
    raise AssertionError("it is not in doubt")
