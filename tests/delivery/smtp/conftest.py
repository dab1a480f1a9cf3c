"""What tests of delivery to mail servers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tui_popretr.delivery.smtp import pipelining


@pytest.fixture(autouse=True)
def no_memory_of_servers() -> Iterator[None]:
    """Let no test know servers of another one: ports come again."""
    pipelining.forget()
    yield
    pipelining.forget()
