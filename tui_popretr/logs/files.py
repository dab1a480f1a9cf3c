"""The files of a log, oldest first: those that match its configured path, or those with names like a given file.

A file may have been compressed with gzip.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from tui_popretr.config.model import LogSettings
from tui_popretr.logs.compressed import SUFFIX
from tui_popretr.logs.naming import TOKEN

_DIGITS = {"DT": "[0-9]{4,8}(?:_[0-9]{4,6})?", "Y": "[0-9]{4}", "PID": "[0-9]+"}
#: The date tokens of a path, the most significant first.
_RANKS = ("Y", "M", "D", "h", "m", "s", "DT")
_DATE = re.compile(r"(?<![0-9])((?:19|20)[0-9]{2}(?:[0-9]{2}(?:[0-9]{2})?)?(?:_[0-9]{4}(?:[0-9]{2})?)?)(?![0-9])")
_YEAR = re.compile("Y?(?:19|20)[0-9]{2}")
_NUMBER = rf"(?:\.(?P<number>[1-9][0-9]{{0,8}}))?(?:{re.escape(SUFFIX)})?"


@dataclass(frozen=True, slots=True)
class _Part:
    """A component of a path: its pattern, and the rank of each group of the pattern in the date."""

    pattern: re.Pattern[str]
    ranks: tuple[int, ...]


def files_of(settings: LogSettings) -> list[str]:
    """Return the files that a log with these settings has been written to, oldest first; [] for a standard stream."""
    if settings.path in ("%stdout%", "%stderr%"):
        return []
    components = settings.path.split("/")
    fixed = len(list(takewhile(lambda component: TOKEN.search(component) is None, components[:-1])))
    parts = [
        _settings_part(component, last=number == len(components) - 1)
        for number, component in enumerate(components[fixed:], fixed)
    ]
    return _ordered("/".join(components[:fixed]) + "/" if fixed else "", parts)


def files_like(path: str) -> list[str]:
    """Return `path` and the files of its folder whose names differ only in the date or in a number at the end.

    If the name of the folder is a year (2026, Y2026), the year may differ too. Oldest first.
    """
    path = os.path.abspath(path)
    folder, name = os.path.split(path)
    name = re.sub(r"(?<=.)\.[1-9][0-9]{0,8}$", "", name.removesuffix(SUFFIX))
    parts = [_similar_part(name, last=True)]
    parent, last = os.path.split(folder)
    if _YEAR.fullmatch(last):
        parts.insert(0, _similar_part(last, last=False))
        folder = parent
    found = _ordered(folder.rstrip("/") + "/", parts)
    return found if path in found else [*found, path]


def _settings_part(component: str, *, last: bool) -> _Part:
    pieces: list[str] = []
    ranks: list[int] = []
    for number, piece in enumerate(TOKEN.split(component)):
        if number % 2 == 0:
            pieces.append(re.escape(piece))
        elif piece == "PID":
            pieces.append(_DIGITS[piece])
        else:
            pieces.append(f"({_DIGITS.get(piece, '[0-9]{2}')})")
            ranks.append(_RANKS.index(piece))
    return _Part(re.compile("".join(pieces) + (_NUMBER if last else "")), tuple(ranks))


def _similar_part(component: str, *, last: bool) -> _Part:
    pieces = _DATE.split(component)
    shapes = [
        "(" + re.sub("[0-9]", "[0-9]", piece) + ")" if number % 2 else re.escape(piece)
        for number, piece in enumerate(pieces)
    ]
    return _Part(re.compile("".join(shapes) + (_NUMBER if last else "")), (0,) * (len(pieces) // 2))


def _ordered(folder: str, parts: Sequence[_Part]) -> list[str]:
    # Our own file.1 is newer than the file without a number, but logrotate's is older: so the times decide.
    found = sorted((stamp, _modified(path), number, path) for path, stamp, number in _walk(folder, parts, ()))
    paths = {path for *_, path in found}
    # While gzip compresses a file, both are there.
    return [path for *_, path in found if not path.endswith(SUFFIX) or path.removesuffix(SUFFIX) not in paths]


def _walk(
    folder: str, parts: Sequence[_Part], stamp: tuple[tuple[int, str], ...]
) -> Iterator[tuple[str, tuple[tuple[int, str], ...], int]]:
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return
    part = parts[0]
    for name in names:
        match = part.pattern.fullmatch(name)
        if match is None:
            continue
        shown = (*stamp, *zip(part.ranks, match.groups()[: len(part.ranks)], strict=True))
        path = folder + name
        if len(parts) > 1:
            yield from _walk(path + "/", parts[1:], shown)
        elif os.path.isfile(path):
            yield path, tuple(sorted(shown)), int(match["number"] or 0)


def _modified(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
