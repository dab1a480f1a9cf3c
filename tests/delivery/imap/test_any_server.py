"""Whatever the server does: the outcome of a message agrees with what the server has."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.delivery.imap.scripted import conversation
from tests.support.streams import Peer
from tui_popretr.delivery.imap.transfer import Progress, Transfer
from tui_popretr.errors import DeliveryFailed
from tui_popretr.imap import Message

_HEAD = re.compile(r'(?:(a\d+) APPEND "INBOX")? \{(\d+)(\+?)\}')
#: What the server says at a step instead of going on. `{tag}` is that of the command.
WORDS = [
    "{tag} NO no", "{tag} BAD what", "{tag} OK early", "a99 OK of another", "* BYE bye", "* 1 EXISTS", "* OK [X] hi",
    "+ go", "garbage", "",
]  # fmt: skip
GO_ON, CLOSE, HANG = len(WORDS), len(WORDS) + 1, len(WORDS) + 2


class Server:
    """Takes APPENDs, and at each step does what the next decision says."""

    def __init__(self, peer: Peer, decisions: list[int]) -> None:
        self._peer = peer
        self._decisions = decisions
        #: The contents that arrived whole, and the tags that were answered.
        self.complete: list[list[bytes]] = []
        self.accepted: set[bytes] = set()
        self.refused = 0
        #: It said OK before it had read all that was sent, which looks like an OK after it.
        self.lied = False
        self.complete_before_the_journal = False
        self.recorded = False

    async def run(self) -> None:
        while True:
            await self._append(await self._head())

    async def _append(self, match: re.Match[str]) -> None:
        tag, contents = match[1] or "a0", []
        while True:
            await self._step(tag)
            if not match[3]:
                await self._peer.say("+ go")
            half = int(match[2]) // 2
            content = await self._peer.octets(half)
            await self._step(tag)
            contents.append(content + await self._peer.octets(int(match[2]) - half))
            line = await self._peer.heard()
            if not line:
                break
            match = self._parsed(line)
        self.complete.append(contents)
        self.complete_before_the_journal |= not self.recorded
        await self._step(tag)
        self.accepted.update(contents)
        await self._peer.say(f"{tag} OK done")

    async def _head(self) -> re.Match[str]:
        return self._parsed(await self._peer.heard())

    def _parsed(self, line: str) -> re.Match[str]:
        """Return the beginning of a message. After NO and a continuation it may be something else."""
        match = _HEAD.fullmatch(line)
        if match is None:
            raise EOFError
        return match

    async def _step(self, tag: str) -> None:
        decision = self._decisions.pop() if self._decisions else GO_ON
        if decision == CLOSE:
            await self._peer.close()
            raise EOFError
        if decision == HANG:
            await trio.sleep_forever()
        if decision < GO_ON:
            said = WORDS[decision].format(tag=tag)
            self.refused += " NO " in said or " BAD " in said
            self.lied |= "early" in said
            await self._peer.say(*([said] if said else []))


def transfer(number: int, pieces: int) -> Transfer:
    async def content() -> AsyncGenerator[bytes]:
        for _ in range(pieces):
            yield b"%05d" % number

    return Transfer(Message(5 * pieces), content())


async def hold(decisions: list[int], sizes: list[int], *, at_once: bool, together: bool) -> None:
    servers: list[Server] = []

    async def play(peer: Peer) -> None:
        servers.append(Server(peer, decisions))
        await servers[0].run()

    async def before_end() -> None:
        await trio.sleep(1)
        servers[0].recorded = True

    transfers = [transfer(number, pieces) for number, pieces in enumerate(sizes)]
    offered = f"MULTIAPPEND {'LITERAL+' if at_once else ''}"
    async with conversation(play, logged_in=True, offered=offered) as talk:
        try:
            await talk.connection.append("INBOX", transfers, before_end, together=together)
        except DeliveryFailed:
            assert not talk.connection.usable
        else:
            done = all(each.progress in (Progress.APPENDED, Progress.REFUSED) for each in transfers)
            assert done or not talk.connection.usable
    (server,) = servers
    assert not server.complete_before_the_journal
    whole = {content for contents in server.complete for content in contents}
    for number, (each, pieces) in enumerate(zip(transfers, sizes, strict=True)):
        content = b"%05d" % number * pieces
        assert (each.error is not None) == (each.progress is Progress.REFUSED)
        match each.progress:
            case Progress.APPENDED:
                assert content in server.accepted or server.lied
            case Progress.UNSENT:
                assert content not in whole
            case Progress.REFUSED:
                assert server.refused


@settings(max_examples=150)
@given(
    st.lists(st.integers(0, HANG) | st.just(GO_ON), max_size=8),
    st.lists(st.integers(1, 3), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_the_outcomes_are_what_the_server_has(
    decisions: list[int], sizes: list[int], at_once: bool, together: bool
) -> None:
    async def main() -> None:
        await hold(decisions, sizes, at_once=at_once, together=together)

    trio.run(main, clock=MockClock(autojump_threshold=0))
