"""One Courier for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.courier import Courier, require


@pytest.fixture(scope="session")
def courier() -> Iterator[Courier]:
    """A running Courier without accounts; skipped where there is none, a failure under CI=true."""
    require()
    with Courier() as server:
        yield server
