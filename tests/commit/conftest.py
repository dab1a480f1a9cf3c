"""Journals are closed behind each test: from Python 3.13 on, a connection that is left open is a warning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tui_popretr.journal.journal import Journal


@pytest.fixture(autouse=True)
def journals_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    opened: list[Journal] = []
    whole = Journal.open

    def recorded(*arguments: Any, **options: Any) -> Journal:
        opened.append(whole(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(Journal, "open", recorded)
    yield
    for journal in opened:
        journal.close()
