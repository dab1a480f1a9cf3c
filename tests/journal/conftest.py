"""A journal of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tui_popretr.journal.journal import Journal


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "var" / "popretr.sqlite")


@pytest.fixture
def journal(path: str) -> Iterator[Journal]:
    opened = Journal.open(path)
    yield opened
    opened.close()
