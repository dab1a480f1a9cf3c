"""Dialogues with an IMAP server that plays its part line by line, over memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import trio

from tests.support.streams import MemoryStream, Peer, memory_connection
from tui_popretr.delivery.imap.connection import ImapConnection
from tui_popretr.delivery.imap.dialogue import Dialogue
from tui_popretr.facts import Direction, TlsDetails
from tui_popretr.net.tls import TlsSession

NAME = "the IMAP server imap.example.test:993"
TIMEOUT = 30.0

#: Plays the server.
Play = Callable[[Peer], Awaitable[None]]


@dataclass
class Conversation:
    """A client's dialogue, and its lines in the transcript."""

    dialogue: Dialogue
    stream: MemoryStream
    said: list[str] = field(default_factory=list)

    @property
    def connection(self) -> ImapConnection:
        return ImapConnection(self.dialogue)


@asynccontextmanager
async def conversation(play: Play, *, logged_in: bool = False, offered: str = "") -> AsyncIterator[Conversation]:
    """Let a server play its part. `logged_in`: the client begins after the login, where the server offers this.

    In the end the server must have played to its end, or to that of the connection.
    """
    details = TlsDetails("TLSv1.3", "TLS_AES", "imap.example.test", "Test CA", ("imap.example.test",), None)
    handshakes: list[TlsSession] = []

    async def handshake(session: TlsSession) -> TlsDetails:
        handshakes.append(session)
        return details

    stream, end = memory_connection(handshake=handshake)
    peer = Peer(end)
    said: list[str] = []

    def say(direction: Direction, texts: Iterable[str]) -> None:
        said.extend(f"{direction.value} {text}" for text in texts)

    async def serve() -> None:
        if logged_in:
            await peer.say(f"* PREAUTH [CAPABILITY IMAP4rev1 {offered}] hi")
        try:
            await play(peer)
        except EOFError:
            return
        while True:  # what is sent beyond is a failure of the test
            line = await peer.heard()
            assert line.endswith(" LOGOUT"), line

    async def serve_to_the_end() -> None:
        with suppress(EOFError, trio.ClosedResourceError, trio.BrokenResourceError):
            await serve()

    dialogue = Dialogue(stream, NAME, say, timeout=TIMEOUT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_to_the_end)
        if logged_in:
            await dialogue.greeting()
        yield Conversation(dialogue, stream, said)
        dialogue.close()
        nursery.cancel_scope.deadline = trio.current_time() + TIMEOUT


def answers(*dialogue: tuple[str, str], greeting: str = "") -> Play:
    """Return a server that says the greeting, and then the lines that belong to each line it receives."""

    async def play(peer: Peer) -> None:
        if greeting:
            await peer.say(greeting)
        await peer.answer(*dialogue)

    return play


def says(greeting: str, *dialogue: tuple[str, str]) -> Play:
    """Return the same server, which then closes the connection."""

    async def play(peer: Peer) -> None:
        await peer.say(greeting)
        await peer.answer(*dialogue)
        await peer.close()

    return play
