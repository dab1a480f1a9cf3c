"""Values as text: as the configuration writes them, and in words."""

from __future__ import annotations

import pytest

from tui_popretr.config.choices import CapaUse
from tui_popretr.config.units import duration, octets, span, written


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 ms"), (0.25, "250 ms"), (1, "1 second"), (61.5, "1 minute 1 second 500 ms"), (90000, "1 day 1 hour")],
)
def test_spans(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_octets() -> None:
    assert [octets(number) for number in (0, 1000, 1024, 25 * 1024**2, 1024**3)] == [
        "0 octets",
        "1000 octets",
        "1K",
        "25M",
        "1G",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.0004, "0s"), (0.25, "250ms"), (59.9999, "1m"), (3661.5, "1h1m1s500ms"), (90061.0, "1d1h1m1s")],
)
def test_durations_are_written_as_in_the_configuration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "Y"), (False, "N"), (90.0, "1m30s"), (7, "7"), (CapaUse.LOGIN, "N"), (("a", "b"), "a | b")],
)
def test_values_as_written(value: object, text: str) -> None:
    assert written(value) == text
