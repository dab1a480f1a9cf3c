"""Killed at chance moments, again and again, over large mailboxes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.crash.cases import CASES, USUAL, Case, Kind
from tests.crash.killer import Killer
from tests.crash.scene import relayed
from tests.program.account import embedded_account
from tests.support.size import NIGHTLY

#: Of a mailbox; a command is a process for each message, and takes its time.
COUNT = {kind: 500 if NIGHTLY else 60 if kind is Kind.COMMAND else 300 for kind in Kind}
#: The number of kills in all, and the largest number for one maildrop.
KILLS, OF_ONE = (1000, 6) if NIGHTLY else (40, 8)
_CASES: Final = CASES if NIGHTLY else USUAL
_PER_CASE: Final = -(-KILLS // len(_CASES))
_ROUNDS: Final = [
    (case, seed, min(OF_ONE, _PER_CASE - seed * OF_ONE)) for seed in range(-(-_PER_CASE // OF_ONE)) for case in _CASES
]


def test_there_are_enough() -> None:
    assert sum(kills for _, _, kills in _ROUNDS) >= KILLS


@pytest.mark.parametrize(("case", "seed", "kills"), _ROUNDS, ids=[f"{case}-{seed}" for case, seed, _ in _ROUNDS])
def test_killed_at_chance_moments(
    case: Case, seed: int, kills: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(f"{case} {seed}")
    mailboxes = 0
    while kills:  # where preserve without newonly comes to its end, all begins anew
        mailboxes += 1
        with (
            embedded_account(case.server) as account,
            relayed(tmp_path / str(mailboxes), case, account, COUNT[case.kind]) as (scene, relay),
        ):
            try:
                Killer(scene, relay, chance).kill(kills)
                scene.finish()
            finally:
                print(f"{case}, seed {seed}:", *scene.history, sep="\n  ")
            scene.report(record_property)
            kills -= scene.kills
