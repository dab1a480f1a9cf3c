"""A declared setting is accepted, read and described without further code."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tui_popretr.config import values
from tui_popretr.config.problems import Report
from tui_popretr.config.section import Context, Section
from tui_popretr.config.setting import part, required, setting, settings_of
from tui_popretr.config.units import written
from tui_popretr.config.xmltree import parse


@dataclass(frozen=True, slots=True)
class Inner:
    max_age: float | None = setting("maxage", values.positive_duration, show=written)


@dataclass(frozen=True, slots=True)
class Outer:
    delay: float = setting("<delay>", values.duration, "1m", shortest=5.0)
    inner: Inner = part(Inner)
    other: str = ""


def read(xml: str) -> tuple[Outer, list[str]]:
    report = Report("x")
    section = Section(parse(xml.encode(), "x"), Context(report, {}))
    return section.read(Outer, other="known"), [str(problem) for problem in report.problems()]


def test_names_and_defaults() -> None:
    assert [(each.name, each.is_element, each.value) for each in settings_of(Outer)] == [
        ("delay", True, 60.0),
        ("maxage", False, None),
    ]
    assert Outer() == Outer(60.0, Inner(None), "")
    assert required("id", str)["declared"].required


@pytest.mark.parametrize(
    ("xml", "delay", "age"),
    [
        ("<e/>", 60.0, None),
        ("<e maxage='1d'><delay>2m</delay></e>", 120.0, 86400.0),
        ("<e maxage='-'><delay/></e>", 60.0, None),
    ],
)
def test_values_are_read(xml: str, delay: float, age: float | None) -> None:
    assert read(xml) == (Outer(delay, Inner(age), "known"), [])


@pytest.mark.parametrize(
    ("xml", "problem"),
    [
        ("<e maxage='x'/>", "x:1:4: error: maxage: 'x' is not a time"),
        ("<e><delay>-</delay></e>", "x:1:4: error: <delay> needs a value"),
        ("<e><delay>4</delay></e>", "x:1:4: warning: delay is under 5 s"),
    ],
)
def test_wrong_values_are_reported(xml: str, problem: str) -> None:
    (found,) = read(xml)[1]
    assert found.startswith(problem)
