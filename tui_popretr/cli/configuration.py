"""Reads a configuration for a command, reports its problems and selects the clients."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tui_popretr.cli.config_path import ConfigurationFile
from tui_popretr.cli.folding import folded
from tui_popretr.config.model import Settings
from tui_popretr.config.problems import Problem, Severity
from tui_popretr.config.reader import load
from tui_popretr.config.values import did_you_mean
from tui_popretr.errors import ConfigurationError, UsageError
from tui_popretr.process.systemd import mark
from tui_popretr.text import visible
from tui_popretr.wording import plural

#: Of syslog, for the journal of systemd.
_PRIORITIES: Final = {Severity.ERROR: 3, Severity.WARNING: 4, Severity.NOTE: 5}


def read(file: ConfigurationFile, *, shown: frozenset[Severity], must_report: bool = True) -> Settings:
    """Return the settings. Reports the problems of the severities `shown` on standard error, with their counts.

    Raises ConfigurationError with the counts if there are errors; OSError if standard error cannot be written, unless
    `must_report` is False.
    """
    loaded = load(file.path, var=file.var, naf=file.naf)
    problems = [problem for problem in loaded.problems if problem.severity in shown]
    with contextlib.suppress(*(() if must_report else (OSError,))):
        for problem in problems:
            text = mark(str(problem), _PRIORITIES[problem.severity])
            print(folded(text, sys.stderr), file=sys.stderr)
        if problems and loaded.settings is not None:
            worst = min(_PRIORITIES[problem.severity] for problem in problems)
            print(mark(f"{visible(file.path)}: {counts(problems)}", worst), file=sys.stderr)
    if loaded.settings is None:
        raise ConfigurationError(f"{visible(file.path)} cannot be used: {counts(problems)}", advice="")
    return loaded.settings


def read_again(file: ConfigurationFile, ids: Sequence[str]) -> Settings:
    """Return the settings for a reload, with the same clients selected.

    Raises ConfigurationError with one problem per line.
    """
    loaded = load(file.path, var=file.var, naf=file.naf)
    if loaded.settings is None:
        raise ConfigurationError("\n".join(str(each) for each in loaded.problems if each.severity is Severity.ERROR))
    try:
        return choose(loaded.settings, ids)
    except UsageError as problem:
        raise ConfigurationError(f"{visible(file.path)}: {problem}") from problem


def choose(settings: Settings, ids: Sequence[str]) -> Settings:
    """Return the settings with only the clients of these ids, or with all if there are no ids. Raises UsageError."""
    if not ids:
        return settings
    known = [client.id for client in settings.clients]
    for wanted in ids:
        if wanted not in known:
            _refuse(settings, known, wanted)
    return replace(settings, clients=tuple(client for client in settings.clients if client.id in ids))


def counts(problems: Sequence[Problem]) -> str:
    """Return the number of problems of each severity: "2 errors, 1 warning"."""
    found = Counter(problem.severity for problem in problems)
    return ", ".join(plural(found[severity], severity.value) for severity in Severity if found[severity])


def _refuse(settings: Settings, known: list[str], wanted: str) -> None:
    name = visible(wanted, 60)
    if wanted in settings.disabled:
        raise UsageError(f"the client '{name}' is disabled", advice='remove its enabled="N"')
    clients = f"the clients are {', '.join(visible(each) for each in known)}" if known else "there are no clients"
    raise UsageError(f"there is no client '{name}'{did_you_mean(wanted, known)}", advice=clients)
