"""A short soak in every run of the tests; `make nightly` has the long one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.soak import Soak, Verdict
from tests.support.dovecot import Dovecot

SECONDS = float(os.environ.get("SOAK_SECONDS", "12"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
#: Octets that the memory may grow between the second quarter of the time and the last.
GROWTH = 8 * 1024 * 1024


@pytest.mark.timeout(SECONDS + 180)
def test_everything_counts_after_a_soak(dovecot: Dovecot, tmp_path: Path) -> None:
    verdict = Soak(tmp_path / "site", dovecot, seconds=SECONDS, seed=SEED).run()
    print(report(verdict))
    assert verdict.sent > 100
    assert (verdict.missing, verdict.twice, verdict.unfinished) == (0, 0, 0), verdict
    assert (verdict.unaudited, verdict.audited_twice) == (0, 0), verdict
    assert verdict.exit_code == 0
    memory, files = verdict.growth()
    if SECONDS >= 120:  # before that, caches are still being filled
        assert memory < GROWTH, report(verdict)
        assert abs(files) <= 40, report(verdict)  # sessions come and go


def report(verdict: Verdict) -> str:
    """Return the verdict in lines for people."""
    memory, files = verdict.growth()
    quarters = [verdict.samples[len(verdict.samples) * part // 4] for part in range(4)] + [verdict.samples[-1]]
    counts = {
        "sent": verdict.sent,
        "missing": verdict.missing,
        "twice": verdict.twice,
        "half written": verdict.unfinished,
        "not audited": verdict.unaudited,
        "audited twice": verdict.audited_twice,
    }
    return "\n".join(
        [
            ", ".join(f"{name} {count}" for name, count in counts.items()) + f"; exit code {verdict.exit_code}",
            f"memory {', '.join(f'{each.memory / 1e6:.1f}' for each in quarters)} MB, growth {memory / 1e6:.1f} MB",
            f"open files {', '.join(str(each.files) for each in quarters)}, growth {files}",
            *verdict.details,
            *(f"{count:6} x {event}" for event, count in sorted(verdict.events.items())),
        ]
    )
