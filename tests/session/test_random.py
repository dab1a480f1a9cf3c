"""No message is lost or delivered twice by sessions with a server that fails at random."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.popserver import Faults, Message, QuitFault
from tests.support.worlds import DAY, World, mail
from tui_popretr.errors import ExitCode

MESSAGES = 40
TROUBLED_SESSIONS = 8
#: What a session may end with when only the server misbehaves.
EXPECTED = {ExitCode.OK, ExitCode.TEMPORARY, ExitCode.PROTOCOL, ExitCode.UNAVAILABLE, ExitCode.LOGIN}


def message(number: int, dice: random.Random) -> bytes:
    """A message whose octets are awkward, and like no other's; some have the same size, some the same header."""
    body = bytes(dice.choices(b"abc.\r\n\0\xff", k=dice.choice((0, 20, 20, 400, 9000))))
    unique = b"%d\r\n" % number
    header = mail(number if dice.random() < 0.9 else "same", b"-")[:-1]
    return header + body + b"\r\n" + unique


def misbehaviour(dice: random.Random, uids: list[str], spared: set[QuitFault]) -> Faults:
    """What goes wrong in one session."""
    faults = Faults()
    for uid in dice.sample(uids, min(len(uids), dice.randint(0, 3))):
        match dice.randrange(3):
            case 0:
                faults.refuse.add(uid)
            case 1:
                faults.cut[uid] = dice.randrange(300)
            case 2:
                faults.stall_within[uid] = dice.randrange(300)
    faults.quit = dice.choice([each for each in [*QuitFault, QuitFault.NONE] if each not in spared])
    if dice.random() < 0.15:
        verb = dice.choice(["GREETING", "PASS", "CAPA", "STAT", "LIST", "TOP", "DELE", "QUIT"])
        faults.answers[verb] = dice.choice([b"-ERR not now\r\n", b"gibberish\r\n", b"-ERR [SYS/TEMP] later\r\n"])
    if dice.random() < 0.1:
        faults.stall.add(dice.choice(["UIDL", "LIST", "TOP", "DELE", "QUIT"]))
    if dice.random() < 0.2:
        faults.delay = 0.1
    return faults


@pytest.mark.parametrize("uidl", ["always", "never", "learnt"])
@pytest.mark.parametrize("seed", range(4))
@trio_test
async def test_each_message_arrives_exactly_once(
    tmp_path: Path, autojump_clock: MockClock, seed: int, uidl: str
) -> None:
    """A server may learn UIDL meanwhile. Not unlearn it: a header known by its UID says too little without."""
    dice = random.Random(f"{uidl} {seed}")
    world = World(tmp_path)
    # Without UIDs nothing tells a message that should be gone from a new one like it.
    spared = set[QuitFault]() if uidl == "always" else {QuitFault.KEEP}
    sent: list[bytes] = []

    def arrive(count: int) -> None:
        for _ in range(count):
            sent.append(message(len(sent), dice))
            world.add(Message.of(sent[-1]))

    arrive(MESSAGES)
    for session in range(TROUBLED_SESSIONS):
        arrive(dice.randint(0, 3))
        world.become(
            pipelining=dice.random() < 0.5,
            top=dice.random() < 0.6,
            capa=dice.random() < 0.9,
            uidl=uidl == "always" or (uidl == "learnt" and session > 3),
        )
        world.server.faults = misbehaviour(dice, world.remaining(), spared)
        result = await world.poll()
        assert result.code in EXPECTED, result.error
        assert "internal" not in result.error
        # whatever has left the server has arrived, and nothing has arrived twice
        here = Counter(world.arrived())
        there = Counter(b"".join(each.chunks()) for each in world.drop.messages)
        assert here <= Counter(sent)
        assert here + there >= Counter(sent)

    world.server.faults = Faults()
    world.become(uidl=uidl != "never")
    for _ in range(3):  # those that failed three times rest for a day
        world.clock.skip(DAY + 1)
        assert (await world.poll()).ok
    assert world.remaining() == []
    assert Counter(world.arrived()) == Counter(sent)
