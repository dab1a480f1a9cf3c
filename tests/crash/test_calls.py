"""Killed instead of a system call that would change the disk: also where no step is labelled.

So in the making of the journal, in SQLite's transactions, and in the midst of a recovery.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.crash.cases import USUAL, Case
from tests.crash.scene import staged
from tests.program import needs
from tests.support.size import NIGHTLY

COUNT = 8
#: A thread makes about 20 such calls for the journal and its folders, and then at least 30 for these messages.
_LAST: Final = 40
_KILLED_AT: Final = (
    [(nth, case) for nth in range(1, _LAST + 1) for case in USUAL]
    if NIGHTLY
    else [(1 + number * _LAST // len(USUAL), case) for number, case in enumerate(USUAL)]
)


@pytest.mark.parametrize(("nth", "case"), _KILLED_AT, ids=[f"{nth}-{case}" for nth, case in _KILLED_AT])
def test_killed_at_a_call(nth: int, case: Case, tmp_path: Path) -> None:
    needs.need(needs.tracing)
    with staged(tmp_path, case, COUNT) as (scene, _):
        scene.killed_at_call(nth)
        # The second time it has not so much to do.
        if scene.interrupted():
            scene.killed_at_call(1 + nth % 12)
        assert scene.kills, f"there was no such call: {scene.history}"
        scene.finish()
