"""The system starts no further thread at some moment: a temporary failure that names the limit, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.worlds import World, mail
from tui_popretr.errors import ExitCode, JournalWithoutThread
from tui_popretr.facts import Noted

WORDS = "the limit of processes and threads is too low"
#: Uses of threads in a session with two messages, the engine's start and end included.
USES = range(1, 25)


@pytest.mark.parametrize("use", USES)
@trio_test
async def test_a_thread_that_cannot_be_started(tmp_path: Path, autojump_clock: MockClock, use: int) -> None:
    world = World(tmp_path)
    world.add(mail(1), mail(2))
    uses = 0

    def disk(_: World) -> float:
        nonlocal uses
        uses += 1
        if uses == use:
            raise RuntimeError("can't start new thread")
        return 0.0

    began = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "disk", disk)
        try:
            result = await world.poll()
        except* JournalWithoutThread:  # the journal could not be opened
            began = False
        else:
            assert result.code in (ExitCode.OK, ExitCode.TEMPORARY), result
            assert (result.code is ExitCode.OK) != (WORDS in result.error), result
    assert began == (use > 1)
    assert not [note.text for note in world.of(Noted) if "Traceback" in note.text]
    await world.poll()
    assert sorted(world.arrived()) == [mail(1), mail(2)]
    assert world.remaining() == []
