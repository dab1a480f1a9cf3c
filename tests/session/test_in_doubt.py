"""Sessions whose destination can be asked for a message in doubt, before anything is retrieved."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.searchable import DEAF, PlayedSink, Receiver
from tests.support.worlds import World, mail
from tui_popretr.commands import Command, Shutdown, StopSession
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode
from tui_popretr.facts import MessageSkipped, Noted
from tui_popretr.journal.records import MessageState
from tui_popretr.session import storage


class AskedWorld(World):
    """A world whose client delivers to a fake receiver."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.receiver = Receiver()

    def notes(self) -> list[str]:
        return [each.text for each in self.of(Noted)]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AskedWorld:
    world = AskedWorld(tmp_path)
    monkeypatch.setattr(storage, "sink_for", lambda *_: PlayedSink(world.receiver, f"lane {world.server.connections}"))
    return world


@pytest.mark.parametrize("uidl", [True, False])
@trio_test
async def test_what_has_arrived_is_only_deleted(world: AskedWorld, autojump_clock: MockClock, uidl: bool) -> None:
    world.become(uidl=uidl)
    world.add(mail(1), mail(2))
    world.receiver.unanswered.add("1@example.test")
    result = await world.poll()
    assert (result.code, result.messages, result.failed) == (ExitCode.TEMPORARY, 1, 1)
    assert len(world.remaining()) == 1
    result = await world.poll()
    assert (result.code, result.messages, result.deleted) == (ExitCode.OK, 0, 1), result.error
    assert world.receiver.messages == [mail(1), mail(2)]
    lines = [line for line in world.audit_log.read_text().splitlines() if "Downloaded" in line]
    assert lines[1].endswith("MsgID=1@example.test; Size=98; Sender=null; Place=0 (recovered)")


@pytest.mark.parametrize("uidl", [True, False])
@trio_test
async def test_what_has_not_arrived_is_retrieved_again(
    world: AskedWorld, autojump_clock: MockClock, uidl: bool
) -> None:
    world.become(uidl=uidl)
    world.add(mail(1))
    world.receiver.lost.add("1@example.test")
    assert (await world.poll()).failed == 1
    world.receiver.lost.clear()
    result = await world.poll()
    assert (result.messages, result.deleted) == (1, 1)
    assert world.receiver.messages == [mail(1)]
    assert any("has not arrived at its server, and will be retrieved again" in each for each in world.notes())


@pytest.mark.parametrize("uidl", [True, False])
@trio_test
async def test_without_an_answer_only_that_message_stays(
    world: AskedWorld, autojump_clock: MockClock, uidl: bool
) -> None:
    world.become(uidl=uidl)
    world.add(mail(1))
    world.receiver.unanswered.add("1@example.test")
    await world.poll()
    world.add(mail(2))
    world.receiver.deaf = DEAF
    for messages in (1, 0):
        result = await world.poll()
        assert (result.code, result.messages, len(world.remaining())) == (ExitCode.TEMPORARY, messages, 1)
        assert world.receiver.messages == [mail(1), mail(2)]
        skipped = [each.reason for each in world.of(MessageSkipped)]
        assert skipped == ["it may have arrived at its destination, which cannot be asked now"]
    assert MessageState.DELIVERING in {record.state for record in world.records()}
    world.receiver.deaf = None
    result = await world.poll()
    assert (result.code, result.deleted, world.remaining()) == (ExitCode.OK, 1, [])
    assert world.receiver.messages == [mail(1), mail(2)]


@trio_test
async def test_an_equal_message_waits_for_the_answer(world: AskedWorld, autojump_clock: MockClock) -> None:
    """It would be found in place of the one in doubt, which has not arrived."""
    world.add(mail(1))
    world.receiver.lost.add("1@example.test")
    await world.poll()
    world.add(mail(1))
    world.receiver.lost.clear()
    world.receiver.deaf = DEAF
    assert (await world.poll()).failed == 2
    assert world.receiver.messages == []
    world.receiver.deaf = None
    assert (await world.poll()).messages == 2
    assert world.receiver.messages == [mail(1), mail(1)]


@trio_test
async def test_an_error_of_the_search_is_the_sessions_error(world: AskedWorld, autojump_clock: MockClock) -> None:
    """If there is nothing else to retrieve, no other call shows what is wrong."""
    world.add(mail(1))
    world.receiver.unanswered.add("1@example.test")
    await world.poll()
    world.receiver.deaf = DEAF
    assert (await world.poll()).error == str(DEAF)


@trio_test
async def test_after_a_cut_connection_the_server_is_asked(world: AskedWorld, autojump_clock: MockClock) -> None:
    """Within one session: the message is not retrieved a second time."""
    world.add(mail(1), mail(2), mail(3, b"x" * 1000))
    world.receiver.unanswered.add("1@example.test")
    world.faults.cut[3] = 100
    await world.poll()
    assert world.server.connections == 2
    assert world.receiver.messages[0] == mail(1)
    assert world.receiver.ids.count("1@example.test") == 1
    assert world.receiver.asked == 1


@pytest.mark.parametrize("command", [Shutdown(), StopSession("a")], ids=["shutdown", "stop"])
@trio_test
async def test_a_search_ends_with_its_session(world: AskedWorld, autojump_clock: MockClock, command: Command) -> None:
    world.add(mail(1))
    world.receiver.unanswered.add("1@example.test")
    await world.poll()
    world.receiver.silent = True
    engines: list[Engine] = []

    async def stop() -> None:
        await trio.sleep(50.0)
        engines[0].perform(command)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop)
        start = trio.current_time()
        result = await world.poll(watch=lambda engine, _: engines.append(engine))
        assert trio.current_time() - start < 60.0
    assert "stopped" in result.error
    assert len(world.remaining()) == 1
    world.receiver.silent = False
    assert (await world.poll()).deleted == 1
    assert world.receiver.messages == [mail(1)]


@trio_test
async def test_preserve_keeps_what_has_arrived(world: AskedWorld, autojump_clock: MockClock) -> None:
    world.add(mail(1))
    world.receiver.unanswered.add("1@example.test")
    await world.poll(preserve=True, new_only=True)
    result = await world.poll(preserve=True, new_only=True)
    assert (result.code, result.messages, len(world.remaining())) == (ExitCode.OK, 0, 1)
    assert world.receiver.messages == [mail(1)]
