"""kill -9 while a command delivers: nothing is lost, at most the message in flight comes twice, and none in part.

At all other moments it is killed by tests/crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.cases import Case, Keeping, Kind, Server
from tests.crash.scene import Scene
from tests.delivery.command.place import CommandPlace
from tests.program.account import embedded_account
from tests.support.waiting import wait_for

CASE = Case(Kind.COMMAND, Server.PIPELINING, Keeping.NOTHING)


@contextmanager
def staged(top: Path, count: int) -> Iterator[tuple[Scene, CommandPlace]]:
    place = CommandPlace(top)
    with embedded_account(CASE.server) as account:
        yield Scene(top, CASE, account, place, count), place


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_while_the_command_runs(moment: str, tmp_path: Path) -> None:
    with staged(tmp_path, 12) as (scene, place):
        place.ask(f"kill-{moment}")
        assert scene.killed_by(lambda kill: None, "its command")
        (record,) = scene.interrupted()
        wait_for(lambda: sum(place.look().values()), "the message: its command runs on")
        scene.finish()
        ((message, times),) = scene.again().items()
        assert times == 1
        assert f"<{record.identity.message_id}>".encode() in message


def test_a_large_message_never_comes_in_part(tmp_path: Path) -> None:
    """Its command has read nothing when its sender is killed."""
    with staged(tmp_path, 0) as (scene, place):
        scene.add(2)
        scene.finish()
        scene.add(1)
        place.ask("kill-before")
        assert scene.killed_by(lambda kill: None, "its command")
        scene.finish()
        ((message, times),) = scene.again().items()
        assert times == 1
        assert len(message) > 200_000
