"""The benchmark of the control socket can be run, and its readers say what they have read."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.attached import SCENARIOS, Plan

TINY = Plan(starts=1, window=0.5, clients=20)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_can_be_run(name: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    figures = {figure.what: figure.value for figure in SCENARIOS[name](TINY, str(tmp_path))}
    assert len(figures) >= 6
    assert figures.get("read by them", 1.0) > 0
    assert all(value >= 0 for what, value in figures.items() if what != "growth by 20 readers")
