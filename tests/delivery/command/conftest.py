"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.delivery.command.handing import Lifeline


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    """See Lifeline."""
    with closing(Lifeline(tmp_path)) as line:
        yield line
