"""The fleet that the tests of the engine share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.running import Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Servers, and an engine that polls them, in the test's folder."""
    return Fleet(tmp_path)
