"""The dashboard with probes tells what it has measured, and ends when it is asked to."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.dashboard import SCENARIOS, Plan

TINY = Plan(warm=0.2, window=0.5, keys=2, starts=1)


@pytest.mark.parametrize("scenario", ["busy", "exchanges"])
def test_a_scenario_can_be_run(tmp_path: Path, scenario: str) -> None:
    figures = {figure.what: figure.value for figure in SCENARIOS[scenario](TINY, str(tmp_path))}
    assert figures["sessions running"] == 200
    assert figures["lines shown"] > 0


def test_a_scenario_says_what_it_is() -> None:
    assert all(scenario.__doc__ for scenario in SCENARIOS.values())
