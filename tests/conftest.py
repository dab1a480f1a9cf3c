"""What all tests share."""

from __future__ import annotations

import pytest
import trio.testing


@pytest.fixture
def autojump_clock() -> trio.testing.AutojumpClock:
    """A trio clock that jumps over every wait: for tests decorated with trio_test."""
    return trio.testing.AutojumpClock(rate=0, autojump_threshold=0)
