"""A server that breaks the protocol at any step: the error says so and is short, and no message counts as delivered."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.delivery.imap.scripted import TIMEOUT, conversation
from tests.support.passwords import PASSWORD
from tests.support.streams import Peer
from tui_popretr.config.model import ImapDestination
from tui_popretr.config.sources import Literal
from tui_popretr.delivery.imap.connection import ImapConnection
from tui_popretr.delivery.imap.opening import credentials_for, establish
from tui_popretr.delivery.imap.transfer import Progress, Transfer
from tui_popretr.errors import DeliveryFailed, ImapProtocolError, ImapServerUnreachable, ImapTemporaryFailure
from tui_popretr.imap import Message
from tui_popretr.net.tls import TlsContexts
from tui_popretr.secret import Secret

#: What the client sends, and the answer of a good server; first the greeting.
STEPS = [
    ("", b"* OK hi\r\n"),
    ("a1 CAPABILITY", b"* CAPABILITY IMAP4rev1\r\na1 OK\r\n"),
    (f'a2 LOGIN "me" "{PASSWORD}"', b"a2 OK in\r\n"),
    ("a3 CAPABILITY", b"* CAPABILITY IMAP4rev1\r\na3 OK\r\n"),
    ('a4 STATUS "INBOX" (MESSAGES UIDNEXT UIDVALIDITY)', b"* STATUS INBOX (UIDVALIDITY 7 UIDNEXT 1)\r\na4 OK\r\n"),
    ('a5 APPEND "INBOX" {4}', b"+ go\r\n"),
    ("text", b"a5 OK done\r\n"),
]
GARBAGE = {
    "no answer": b"hello\r\n",
    "an empty line": b"\r\n",
    "another protocol": b"+OK POP3\r\n",
    "another tag": b"a99 OK done\r\n",
    "no tag": b"OK done\r\n",
    "an endless line": b"x" * 70_000,
    "an endless answer": (b"* 1 RECENT " + b"x" * 1000 + b"\r\n") * 1_100,
    "a literal": b'* LIST () "/" {3}\r\nabc\r\n',
    "lists without end": b"* 1 FETCH " + b"(" * 5_000 + b"\r\n",
    "the password": f"* {PASSWORD}: is it you?\r\n".encode(),
    "octets": bytes(range(256)),
}


async def deliver(connection: ImapConnection, transfer: Transfer) -> None:
    async def recorded() -> None:
        pass

    await connection.status("INBOX")
    await connection.append("INBOX", [transfer], recorded)


async def meet(step: int, answer: bytes | None) -> tuple[DeliveryFailed, Progress, list[str]]:
    """Deliver a message to a server that gives this answer at a step, and closes the connection for None."""

    async def play(peer: Peer) -> None:
        for number, (line, good) in enumerate(STEPS):
            if line:
                assert await peer.heard() == line
            if number == step and answer is None:
                await peer.close()
                raise EOFError
            await peer.send(good if number != step or answer is None else answer)
        await trio.sleep_forever()

    async def pieces() -> AsyncGenerator[bytes]:
        yield b"text"

    async def ask() -> Secret:
        return Secret(PASSWORD)

    transfer = Transfer(Message(4), pieces())
    where = ImapDestination("127.0.0.1", username="me", password=Literal(Secret(PASSWORD)), tls=None)
    before = trio.current_time()
    async with conversation(play) as talk:
        with pytest.raises(DeliveryFailed) as caught:
            await establish(talk.dialogue, where, credentials_for(where, ask, None), TlsContexts())
            await deliver(talk.connection, transfer)
        assert not talk.dialogue.usable
        assert trio.current_time() - before <= TIMEOUT
        talk.dialogue.close()
        return caught.value, transfer.progress, talk.said


def is_clean(error: DeliveryFailed, said: list[str]) -> bool:
    text = f"{error} {error.advice} {' '.join(said)}"
    return PASSWORD not in text and text.isprintable() and len(str(error)) < 500


@pytest.mark.parametrize("oddity", GARBAGE)
@pytest.mark.parametrize("step", range(len(STEPS)))
@trio_test
async def test_garbage(step: int, oddity: str, autojump_clock: MockClock) -> None:
    error, progress, said = await meet(step, GARBAGE[oddity])
    assert type(error) is ImapProtocolError
    if oddity != "the password" or step > 1:  # before it is sent, it is a word like any other
        assert is_clean(error, said)
    assert progress is (Progress.IN_DOUBT if step == len(STEPS) - 1 else Progress.UNSENT)


@pytest.mark.parametrize("answer", [b"", b"* OK hi", None])
@pytest.mark.parametrize("step", range(len(STEPS)))
@trio_test
async def test_silence_and_the_end(step: int, answer: bytes | None, autojump_clock: MockClock) -> None:
    error, progress, said = await meet(step, answer)
    assert type(error) is ImapTemporaryFailure
    assert is_clean(error, said)
    assert progress is (Progress.IN_DOUBT if step == len(STEPS) - 1 else Progress.UNSENT)


@pytest.mark.parametrize("step", range(len(STEPS)))
@trio_test
async def test_bye(step: int, autojump_clock: MockClock) -> None:
    error, progress, said = await meet(step, b"* BYE go away\r\n")
    assert type(error) is (ImapTemporaryFailure if step else ImapServerUnreachable)
    assert "BYE go away" in str(error)
    assert is_clean(error, said)
    assert progress is (Progress.IN_DOUBT if step == len(STEPS) - 1 else Progress.UNSENT)
