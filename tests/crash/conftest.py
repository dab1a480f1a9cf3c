"""What the tests of crashes share."""

from __future__ import annotations

import pytest

from tests.crash.calls import require


@pytest.fixture(scope="session")
def needs_strace() -> None:
    """For tests that watch what the program asks of the system."""
    require()
