"""Lateness is what a client is polled later than a period after its last session's end."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.idle import lateness, measure, read_sessions

NOTED = """\
100.0 100.5 one
101.0 101.1 two
110.6 111.0 one
115.1 115.2 two
121.0 121.1 one
"""


def test_lateness() -> None:
    sessions = read_sessions(NOTED.splitlines())
    assert sessions["one"] == [(100.0, 100.5), (110.6, 111.0), (121.0, 121.1)]
    assert lateness(sessions, 10.0) == pytest.approx([0.0, 0.1, 4.0])


def test_a_first_session_is_not_late() -> None:
    assert lateness(read_sessions(["5.0 6.0 one"]), 1.0) == []


def test_a_small_daemon(tmp_path: Path) -> None:
    told = measure(3, 1.0, tmp_path)
    assert (told["clients"], told["polled"]) == (3, 3)
    assert told["memory"] > 0
    assert -0.1 < told["late p50"] <= told["late p99"] <= told["late most"]
    # the daemon has said nothing, and every session was one with nothing in it
    assert (tmp_path / "said").read_text() == ""
    assert "+OK 0 0" in (tmp_path / "transcript.log").read_text()
