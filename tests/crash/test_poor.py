"""Killed on a file system without hard links, fsync of folders, flock, shared memory and a count of its free space."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.crash.cases import Case, Keeping, Kind, Server
from tests.crash.killer import Killer
from tests.crash.scene import relayed, staged
from tests.crash.steps import OF_RECOVERY, OF_TROUBLE, is_in
from tests.program.account import embedded_account
from tests.program.steps import Orders
from tests.support import shim
from tests.support.size import NIGHTLY
from tui_popretr.faultpoints import Step

COUNT = 12
_FILES: Final = (Kind.MAILDIR, Kind.FOLDER)
#: The steps that differ there, which are tested for every change.
_USUAL: Final = (
    (Step.NAME_TAKEN, 1, Kind.FOLDER),
    (Step.NAME_TAKEN, 5, Kind.FOLDER),
    (Step.PUBLISHED, 2, Kind.FOLDER),
    (Step.RECOVERY_LOOKED, 1, Kind.FOLDER),
    (Step.IN_TRANSACTION, 4, Kind.FOLDER),
    (Step.DELIVERING, 1, Kind.MAILDIR),
    (Step.RECOVERED, 1, Kind.MAILDIR),
)


def case_of(kind: Kind) -> Case:
    return Case(kind, Server.PIPELINING, Keeping.NOTHING)


def killed_at() -> Iterator[tuple[Step, int, Kind]]:
    """Yield what is tested: the step, at which arrival, and the kind."""
    yield from _USUAL
    if not NIGHTLY:
        return
    for kind in _FILES:
        for step in Step:
            reached = is_in(step, case_of(kind)) and step is not Step.LINKED and step not in OF_TROUBLE
            if reached and (step, 1, kind) not in _USUAL:
                yield step, 1, kind


KILLED_AT: Final = tuple(killed_at())


@pytest.mark.parametrize(
    ("step", "nth", "kind"), KILLED_AT, ids=[f"{step.name}-{nth}-{kind.value}" for step, nth, kind in KILLED_AT]
)
def test_killed_at_a_step(step: Step, nth: int, kind: Kind, tmp_path: Path) -> None:
    with staged(tmp_path, case_of(kind), COUNT, shim.poorest(tmp_path)) as (scene, _):
        if step in OF_RECOVERY:
            assert scene.killed(Orders(Step.DELIVERING.name))
            assert scene.interrupted()
        assert scene.killed(Orders(step.name, nth)), f"never reached: {scene.history}"
        assert scene.last_step == step.name
        scene.finish()


def test_killed_in_recovery_over_a_placeholder(tmp_path: Path) -> None:
    with staged(tmp_path, case_of(Kind.FOLDER), COUNT, shim.poorest(tmp_path)) as (scene, _):
        assert scene.killed(Orders(Step.DELIVERING.name))
        for _ in range(3):
            assert scene.killed(Orders(Step.NAME_TAKEN.name))
            assert len([file for file in scene.place.unfinished() if not file.name.startswith(".")]) == 1
        scene.finish()


@pytest.mark.parametrize("kind", _FILES)
def test_killed_at_chance_moments(kind: Kind, tmp_path: Path) -> None:
    count, kills = (500, 12) if NIGHTLY else (60, 3)
    case = case_of(kind)
    with (
        embedded_account(case.server) as account,
        relayed(tmp_path, case, account, count, shim.poorest(tmp_path)) as (scene, relay),
    ):
        try:
            Killer(scene, relay, random.Random(f"poor {kind}")).kill(kills)
            scene.finish()
        finally:
            print(f"{kind}:", *scene.history, sep="\n  ")
