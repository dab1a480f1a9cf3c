"""The headers of messages on the server, by TOP, and the messages that a user named among those that are listed."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from tui_popretr.commands import MessageKey
from tui_popretr.errors import ProtocolViolation
from tui_popretr.mail.identity import HEADER_LIMIT, IdentityHasher
from tui_popretr.pop3 import BodyChunk, BodyEnd, Reply, Top
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.plan import Listed

#: Why an action leaves a message as it is.
GONE = "it is no longer on the server"
CHANGED = "another message is there now: its header is not the one that was listed"
#: Commands in flight with PIPELINING.
AT_ONCE = 64
#: Octets of an answer to TOP, beyond which it is abandoned as endless; more for a message that is listed as large,
#: whose header may be all of it.
MOST_OCTETS = 4 * 1024 * 1024
LARGEST = 64 * 1024 * 1024
#: After this number of refusals, and no header, the server has no TOP: one message may be locked or damaged.
REFUSALS = 3


@dataclass(frozen=True, slots=True)
class Header:
    """What TOP shows of a message: its beginning, if lines were asked for. `octets` are all that came."""

    hasher: IdentityHasher
    beginning: bytes
    octets: int

    @property
    def digest(self) -> str:
        """The hash of the header, in hex."""
        return self.hasher.header().digest.hex()


def find(listing: Iterable[Listed], keys: Collection[MessageKey]) -> dict[MessageKey, Listed]:
    """Return the listed messages of keys. Those that are not listed any more are missing."""
    wanted = {key.wanted for key in keys}
    known: dict[str | tuple[int, int], Listed] = {}
    for listed in listing:  # there may be 100,000 of them, and 1,000 keys
        name = listed.uid if listed.uid is not None else (listed.number, listed.size)
        if name in wanted:
            known[name] = listed
    return {key: known[key.wanted] for key in keys if key.wanted in known}


async def read_headers(
    connection: Pop3Connection, messages: Sequence[Listed], lines: int = 0, *, pipelining: bool
) -> dict[int, Header]:
    """Return the headers of these messages, with the first `lines` lines after them.

    Those that the server refuses are missing. Raises PopretrError.
    """
    found: dict[int, Header] = {}
    waiting = deque(messages)
    in_flight: deque[Listed] = deque()
    most, hasher, beginning, octets, refused = 1, IdentityHasher(), b"", 0, 0
    while waiting or in_flight:
        some = [waiting.popleft() for _ in range(min(len(waiting), most - len(in_flight)))]
        in_flight.extend(some)
        if some:
            await connection.send([Top(each.number, lines) for each in some])
        for event in await connection.events():
            if isinstance(event, BodyChunk):
                hasher.update(event.data)
                octets += len(event.data)
                if octets > MOST_OCTETS + min(2 * in_flight[0].size, LARGEST):
                    number = in_flight[0].number
                    raise ProtocolViolation(f"the answer to TOP {number} does not end: {octets} octets so far")
                if lines:
                    beginning += event.data[: max(0, HEADER_LIMIT - len(beginning))]
            elif isinstance(event, BodyEnd):
                found[in_flight.popleft().number] = Header(hasher, beginning, octets)
                hasher, beginning, octets = IdentityHasher(), b"", 0
            elif isinstance(event, Reply) and not event.more:
                in_flight.popleft()
                refused += 1
        if not found and refused == REFUSALS:
            break
        most = AT_ONCE if pipelining and found else 1
    return found
