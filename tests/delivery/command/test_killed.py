"""kill -9 while a command delivers: nothing is lost, at most the message in flight comes twice, and none in part."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.account import embedded_account
from tests.crash.cases import Case, Keeping, Kind, Server
from tests.crash.child import Orders
from tests.crash.killer import Killer
from tests.crash.scene import Scene
from tests.delivery.command.place import CommandPlace
from tests.delivery.smtp.receiver import wait_for
from tests.dovecot.relay import Relay, RelayThread
from tests.support.size import NIGHTLY
from tui_popretr.faultpoints import Step

COUNT = 12
#: Nobody can ask a command, as nobody can ask a mail server, what it has had before.
CASE = Case(Kind.SMTP, Server.PIPELINING, Keeping.NOTHING)


@contextmanager
def staged(top: Path, case: Case = CASE, count: int = COUNT) -> Iterator[tuple[Scene, CommandPlace, RelayThread]]:
    place = CommandPlace(top)
    with (
        embedded_account(case.server) as account,
        RelayThread(Relay(account.host, account.port)) as relay,
    ):
        yield Scene(top, case, account, place, count, relay), place, relay


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_while_the_command_runs(moment: str, tmp_path: Path) -> None:
    with staged(tmp_path) as (scene, place, _):
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
    with staged(tmp_path, count=0) as (scene, place, _):
        scene.add(2)
        scene.finish()
        scene.add(1)
        place.ask("kill-before")
        assert scene.killed_by(lambda kill: None, "its command")
        scene.finish()
        ((message, times),) = scene.again().items()
        assert times == 1
        assert len(message) > 200_000


@pytest.mark.parametrize(
    "step", [Step.SPILLED, Step.DELIVERING, Step.AUDITED, Step.DELIVERED, Step.DELE_SENT, Step.QUIT_SENT]
)
def test_killed_at_a_step(step: Step, tmp_path: Path) -> None:
    with staged(tmp_path) as (scene, _, __):
        assert scene.killed(Orders(step.name))
        assert scene.last_step == step.name
        scene.finish()


def test_killed_in_recovery(tmp_path: Path) -> None:
    with staged(tmp_path) as (scene, _, __):
        for step in (Step.DELIVERING, Step.RECOVERY_LOOKED, Step.RECOVERED):
            assert scene.killed(Orders(step.name))
        scene.finish()


def test_killed_when_a_message_was_put_off(tmp_path: Path) -> None:
    with staged(tmp_path) as (scene, place, _):
        place.obstruct()
        assert scene.killed(Orders(Step.WITHDRAWN.name))
        assert place.done("refused")
        scene.finish()


@pytest.mark.parametrize("server", [Server.PIPELINING, Server.ONE_BY_ONE])
def test_killed_at_chance_moments(
    server: Server, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    case = Case(Kind.SMTP, server, Keeping.NOTHING)
    with staged(tmp_path, case, 100) as (scene, _, relay):
        try:
            Killer(scene, relay, random.Random(str(server))).kill(40 if NIGHTLY else 3)
            scene.finish()
        finally:
            print(case, *scene.history, sep="\n  ")
            scene.report(record_property)
