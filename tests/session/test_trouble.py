"""A failure of one message does not affect the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.popserver import Message
from tests.support.worlds import DAY, World, mail
from tui_popretr.engine.service import Engine
from tui_popretr.errors import RESTS, RETRIED, ConnectionCut, ExitCode
from tui_popretr.facts import Fact, Level, MaildropListed, MessageDelivered, MessageSkipped, Noted, SessionClosed

EACH_WAY = pytest.mark.parametrize("pipelining", [True, False])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@EACH_WAY
@trio_test
async def test_a_refused_message_does_not_affect_the_others(
    world: World, autojump_clock: MockClock, pipelining: bool
) -> None:
    world.become(pipelining=pipelining)
    world.add(*map(mail, range(1, 6)))
    world.faults.refuse.add("uid-2")
    result = await world.poll()
    assert world.arrived() == [mail(number) for number in (1, 3, 4, 5)]
    assert world.remaining() == ["uid-2"]
    assert world.said()[-1] == "QUIT"
    assert (result.code, result.messages, result.deleted, result.failed) == (ExitCode.TEMPORARY, 4, 4, 1)
    assert "refused to send it" in result.error
    (skipped,) = world.of(MessageSkipped)
    assert (skipped.number, skipped.uid, skipped.failure) == (2, "uid-2", True)
    assert world.troubles()["uid-2"].failures == 1


def endless(uid: str) -> Message:
    """Announced with 1 kB, and it has no end."""

    def source() -> Iterator[bytes]:
        yield b"Subject: endless\r\n\r\n"
        while True:
            yield b"x" * 65534 + b"\r\n"

    return Message(1024, source, uid)


@EACH_WAY
@pytest.mark.parametrize("fault", ["cut", "cut at once", "stalled", "stalled at once", "endless"])
@trio_test
async def test_a_message_that_breaks_the_connection(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, fault: str, pipelining: bool
) -> None:
    """It is counted, the client reconnects in the same run and goes on after it; what came before is deleted, too."""
    monkeypatch.setattr("tui_popretr.session.reception.EXCESS", 1024**2)
    world.become(pipelining=pipelining)
    world.add(mail(1), mail(2), endless("bad") if fault == "endless" else Message.of(mail(3), "bad"), mail(4), mail(5))
    if fault.startswith("cut"):
        world.faults.cut["bad"] = 40 if fault == "cut" else 0
    elif fault.startswith("stalled"):
        world.faults.stall_within["bad"] = 40 if fault == "stalled" else 0
    result = await world.poll()
    assert world.server.connections == 2
    assert world.arrived() == [mail(number) for number in (1, 2, 4, 5)]
    assert world.remaining() == ["bad"]
    assert world.troubles()["bad"].failures == 1
    assert (result.code, result.messages, result.deleted, result.failed) == (ExitCode.TEMPORARY, 4, 4, 1)
    assert "RETR 3" not in world.said(2)
    assert world.said(2)[-1] == "QUIT"
    assert [each.uid for each in world.of(MessageSkipped) if each.failure] == ["bad"]
    assert any("connecting once more" in note.text for note in world.of(Noted))
    seconds = (result.ended - result.started).total_seconds()
    assert seconds == pytest.approx(world.timeout if fault.startswith("stalled") else 0, abs=0.5)


@trio_test
async def test_it_reconnects_only_once(world: World, autojump_clock: MockClock) -> None:
    world.add(*map(mail, range(1, 6)))
    world.faults.cut.update({"uid-2": 10, "uid-4": 10})
    result = await world.poll()
    assert world.server.connections == 2
    assert result.code is ExitCode.TEMPORARY
    assert result.failed == 2
    assert world.arrived() == [mail(1), mail(3)]
    assert {uid: trouble.failures for uid, trouble in world.troubles().items()} == {"uid-2": 1, "uid-4": 1}
    world.faults.cut.clear()
    assert (await world.poll()).ok
    assert world.arrived() == [mail(number) for number in (1, 3, 5, 2, 4)]
    assert world.remaining() == []


@trio_test
async def test_slow_is_not_stalled(world: World, autojump_clock: MockClock) -> None:
    """4 KiB within the timeout are progress, whatever the whole takes."""
    whole = mail(1, b"x" * 20000 + b"\r\n")
    world.add(whole)
    world.faults.rate = 200.0
    result = await world.poll()
    assert result.ok
    assert (result.ended - result.started).total_seconds() > 2 * world.timeout
    assert world.arrived() == [whole]


@trio_test
async def test_single_octets_buy_no_time(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1, b"x" * 20000 + b"\r\n"))
    world.faults.rate = 100.0  # 3000 octets in the timeout
    result = await world.poll()
    assert result.code is ExitCode.TEMPORARY
    assert "no progress" in result.error
    assert world.remaining() == ["uid-1"]


@EACH_WAY
@trio_test
async def test_a_dele_that_breaks_the_connection_is_counted(
    world: World, autojump_clock: MockClock, pipelining: bool
) -> None:
    """With PIPELINING, QUIT was on its way behind DELE, and that may be the reason: at first it is not counted."""
    world.become(pipelining=pipelining)
    world.add(mail(1))
    world.faults.answers["DELE"] = b"what?\r\n"
    result = await world.poll()
    assert not result.ok
    assert world.server.connections == 2
    assert {key: trouble.failures for key, trouble in world.troubles().items()} == {"dele uid:uid-1": 1}
    world.faults.answers.clear()
    assert (await world.poll()).ok
    assert world.troubles() == {}
    assert world.arrived() == [mail(1)]
    assert world.remaining() == []


@trio_test
async def test_what_has_arrived_is_read_before_anybody_is_blamed(world: World, autojump_clock: MockClock) -> None:
    """Nothing can be sent any more, while the answers to what was sent before are still to be read."""
    world.add(*map(mail, range(1, 6)))
    broken: list[bytes] = []

    def fail(data: bytes) -> None:
        if data.startswith(b"DELE") and not broken:
            broken.append(data)
            raise ConnectionCut("the connection broke: broken pipe")

    world.on_send = fail
    world.faults.delay = 1.0
    result = await world.poll()
    assert (result.messages, result.failed) == (5, 0)
    assert world.said(1).count("RETR 5") == 1
    assert not any(line.startswith("RETR") for line in world.said(2))
    assert list(world.troubles()) == ["dele uid:uid-1"]


# --- poison -----------------------------------------------------------------------------------------------------------


@trio_test
async def test_after_three_failures_a_message_backs_off(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1), mail(2))
    world.faults.cut["uid-1"] = 10
    for failures in (1, 2, 3):
        result = await world.poll()
        assert not result.ok
        assert world.troubles()["uid-1"].failures == failures
        assert result.advice == (RESTS if failures == 3 else RETRIED)
        world.add(mail(f"new {failures}"))
    tried = world.said().count("RETR 1")
    assert tried >= 3

    rested = await world.poll()
    assert rested.messages == 1
    assert (world.of(MaildropListed)[0].to_retrieve, world.of(MaildropListed)[0].to_skip) == (1, 1)
    (named,) = world.of(MessageSkipped)
    assert (named.uid, named.failure) == ("uid-1", True)
    assert "3 times" in named.reason
    assert rested.advice == RESTS
    assert world.server.connections == 7

    world.clock.skip(DAY + 1)
    world.add(mail("late"))
    connections = world.server.connections
    again = await world.poll()
    assert not again.ok
    first = [line for line in world.said(connections + 1) if line.startswith("RETR")]
    assert first == ["RETR 2", "RETR 1"]
    assert world.troubles()["uid-1"].failures == 4
    # the late one had arrived in front of it; the reconnection found nothing else to do
    assert mail("late") in world.arrived()

    await world.poll()
    assert world.of(MaildropListed)[0].to_retrieve == 0

    world.clock.skip(DAY + 1)
    world.faults.cut.clear()
    assert (await world.poll()).ok
    assert world.remaining() == []
    assert world.troubles() == {}
    assert sorted(world.arrived()) == sorted(
        [mail(1), mail(2), mail("new 1"), mail("new 2"), mail("new 3"), mail("late")]
    )


@trio_test
async def test_a_success_ends_the_trouble(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1))
    world.faults.refuse.add("uid-1")
    await world.poll()
    await world.poll()
    world.faults.refuse.clear()
    assert (await world.poll()).ok
    assert world.troubles() == {}


# --- limits of the user -----------------------------------------------------------------------------------------------


@trio_test
async def test_maxsize_leaves_larger_ones_and_says_so(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1), mail(2, b"x" * 5000), mail(3))
    result = await world.poll(max_size=1000)
    assert (result.ok, result.messages, result.skipped, result.failed) == (True, 2, 1, 0)
    assert world.arrived() == [mail(1), mail(3)]
    assert world.remaining() == ["uid-2"]
    (skipped,) = world.of(MessageSkipped)
    assert (skipped.uid, skipped.failure) == ("uid-2", False)
    assert "maxsize" in skipped.reason


@trio_test
async def test_maxsize_warns_of_each_message_once(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1), mail(2, b"x" * 5000))

    def watch(_: Engine, fact: Fact) -> None:
        if isinstance(fact, SessionClosed) and fact.session.run == 2:
            world.add(mail(3, b"x" * 6000))

    await world.run(world.client(runs=4, max_size=1000), watch=watch)
    texts = [each.text for each in world.of(Noted) if each.level is Level.WARNING]
    assert texts == [
        "message 2 (UID uid-2, 5.1 kB) stays on the server: larger than maxsize (5085 octets)",
        "message 2 (UID uid-3, 6.1 kB) stays on the server: larger than maxsize (6085 octets)",
    ]


@trio_test
async def test_maxmessages_a_session(world: World, autojump_clock: MockClock) -> None:
    world.add(*map(mail, range(1, 8)))
    for expected in (3, 3, 1):
        result = await world.poll(max_messages=3)
        assert (result.ok, result.messages, result.deleted) == (True, expected, expected)
    assert world.arrived() == [mail(number) for number in range(1, 8)]
    assert world.remaining() == []


@trio_test
async def test_maxmessages_does_not_count_deletions(world: World, autojump_clock: MockClock) -> None:
    world.add(*map(mail, range(1, 5)))
    world.faults.answers["QUIT"] = b"-ERR no\r\n"
    await world.poll(max_messages=2)
    world.faults.answers.clear()
    result = await world.poll(max_messages=2)
    assert (result.messages, result.deleted) == (2, 4)
    assert len(world.of(MessageDelivered)) == 2
    assert world.remaining() == []


@EACH_WAY
@trio_test
async def test_an_outage_of_the_server_is_not_counted_against_messages(
    world: World, autojump_clock: MockClock, pipelining: bool
) -> None:
    world.become(pipelining=pipelining)
    world.add(*map(mail, range(1, 4)))
    world.faults.refuse |= {"uid-1", "uid-2", "uid-3"}
    for _ in range(4):
        assert (await world.poll()).failed == 3
    assert world.troubles() == {}
    world.faults.refuse.clear()
    assert (await world.poll()).messages == 3


@trio_test
async def test_of_very_many_refusals_not_each_is_told(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_popretr.session.report.MAX_REPORTS", 5)
    world.add(*map(mail, range(1, 21)))
    world.faults.refuse |= {f"uid-{number}" for number in range(2, 21)}
    result = await world.poll()
    assert (result.messages, result.failed) == (1, 19)
    assert len(world.of(MessageSkipped)) == 5
    assert len(world.troubles()) == 19
