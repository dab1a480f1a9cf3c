"""The profile of each thread is written, however the program ends."""

from __future__ import annotations

import pstats
import subprocess
import sys
from pathlib import Path


def test_a_profile_is_there_when_the_program_has_ended(tmp_path: Path) -> None:
    target = tmp_path / "calls"
    command = [sys.executable, "-m", "benchmarks.threads", str(target), "check", str(tmp_path / "missing.xml")]
    ended = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert ended.returncode == 78, ended.stderr
    assert pstats.Stats(str(target)).total_calls > 0  # type: ignore[attr-defined]
    assert " s  MainThread" in Path(f"{target}.threads").read_text()
