"""What scenarios have in common: configurations of clients that wait, figures, and the table of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `goal` is an upper limit, in the unit of the figure."""

    what: str
    value: float
    unit: str
    goal: float | None = None


def at(values: Sequence[float], percent: float) -> float:
    """Return a percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def waiting(count: int) -> list[str]:
    """Return clients that wait for five minutes between two sessions; the server is not there."""
    return [
        f'<client id="client-{n:04}" recip="user{n}" freq="5m"><server address="127.0.0.1:1">'
        f"<username>user{n}</username><password>secret</password></server></client>"
        for n in range(count)
    ]


def configure(folder: str, clients: Sequence[str], more: str) -> str:
    """Write a configuration and return its path. `more` are settings of the program."""
    path = os.path.join(folder, "benchmark.xml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"<pop3download>{more}<clients>{''.join(clients)}</clients></pop3download>")
    os.chmod(path, 0o600)
    return path


def say(text: str = "") -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell(figures: Sequence[Figure]) -> None:
    """Print figures as a table."""
    for each in figures:
        verdict = "" if each.goal is None else f"goal < {each.goal:g}: {'met' if each.value < each.goal else 'MISSED'}"
        digits = 0 if each.unit in ("", "/s", "MB") else 2 if each.unit in ("s", "cores", "kB/s") else 1
        say(f"  {each.what:<44} {each.value:>10,.{digits}f} {each.unit:<12} {verdict}".rstrip())
