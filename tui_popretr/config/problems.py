"""The problems of a configuration, with their places. They are collected and reported together."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from tui_popretr.text import visible


class Severity(Enum):
    """How much a problem matters: only an ERROR makes a configuration unusable."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Position(NamedTuple):
    """A position in a file; line and column count from 1, columns in characters."""

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem for the user; str() is `FILE:LINE:COL: error: message`. The message contains no secret."""

    path: str
    line: int
    column: int
    severity: Severity
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.severity.value}: {self.message}"


class Report:
    """Collects the problems of a configuration and of the files that it names."""

    def __init__(self, main: str) -> None:
        self._main = main
        self._found: dict[Problem, None] = {}
        self._errors: dict[str, list[tuple[int, int]]] = {}  # sorted places of the errors in each file

    def error(self, place: Position, message: str) -> None:
        insort(self._errors.setdefault(place.path, []), (place.line, place.column))
        self._add(place, Severity.ERROR, message)

    def warning(self, place: Position, message: str) -> None:
        self._add(place, Severity.WARNING, message)

    def note(self, place: Position, message: str) -> None:
        self._add(place, Severity.NOTE, message)

    def _add(self, place: Position, severity: Severity, message: str) -> None:
        self._found[Problem(place.path, place.line, place.column, severity, visible(message, 2000))] = None

    @property
    def has_errors(self) -> bool:
        return bool(self._errors)

    def has_error_between(self, first: Position, last: Position) -> bool:
        """Whether there is an error in that part of a file. Consequences of an error are not reported."""
        errors = self._errors.get(first.path, [])
        return bisect_left(errors, (first.line, first.column)) < bisect_right(errors, (last.line, last.column))

    def problems(self) -> tuple[Problem, ...]:
        """Return all problems by place: those of the configuration first, then those of each further file."""
        return tuple(sorted(self._found, key=self._order))

    def _order(self, problem: Problem) -> tuple[bool, str, int, int]:
        return problem.path != self._main, problem.path, problem.line, problem.column
