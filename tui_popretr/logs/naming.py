"""Names of log files: the tokens of a path, the periods of a rotation, and numbered continuations."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from tui_popretr.config.choices import Rotation

TOKEN: Final = re.compile(r"%(DT|Y|M|D|h|m|s|PID)%")
_DATE_TOKEN = {
    Rotation.NEVER: "{Y}{M}{D}_{h}{m}{s}",
    Rotation.MINUTE: "{Y}{M}{D}_{h}{m}",
    Rotation.HOURLY: "{Y}{M}{D}_{h}00",
    Rotation.DAILY: "{Y}{M}{D}",
    Rotation.WEEKLY: "{Y}{M}{D}",
    Rotation.MONTHLY: "{Y}{M}",
    Rotation.YEARLY: "{Y}",
}


def period_start(rotation: Rotation, when: datetime) -> datetime | None:
    """Return the start of the rotation period of `when`; None without a rotation. Weeks begin on Monday.

    The result is naive local time: a change to or from daylight saving time within a period must not divide it.
    """
    wall = when.replace(tzinfo=None, fold=0)
    hour = wall.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    match rotation:
        case Rotation.NEVER:
            return None
        case Rotation.MINUTE:
            return wall.replace(second=0, microsecond=0)
        case Rotation.HOURLY:
            return hour
        case Rotation.DAILY:
            return day
        case Rotation.WEEKLY:
            return day - timedelta(days=day.weekday())
        case Rotation.MONTHLY:
            return day.replace(day=1)
        case Rotation.YEARLY:
            return day.replace(month=1, day=1)


def expand(path: str, rotation: Rotation, when: datetime, pid: int) -> str:
    """Return `path` with %DT% %Y% %M% %D% %h% %m% %s% and %PID% replaced (docs/configuration.md).

    With a rotation, the date tokens show the start of the period, so that a period has one file, even after a restart.
    Without a rotation they show `when`.
    """
    shown = (period_start(rotation, when) or when).replace(tzinfo=None).isoformat(timespec="seconds")
    values = {
        "Y": shown[0:4],
        "M": shown[5:7],
        "D": shown[8:10],
        "h": shown[11:13],
        "m": shown[14:16],
        "s": shown[17:19],
        "PID": str(pid),
    }
    values["DT"] = _DATE_TOKEN[rotation].format_map(values)
    return TOKEN.sub(lambda token: values[token[1]], path)


def numbered(path: str, number: int) -> str:
    """Return the name of continuation `number` of a file: `path.1` for 1; for 0 it is `path`."""
    return f"{path}.{number}" if number else path


def number_of(name: str, first: str) -> int | None:
    """Return the number of a continuation of `first`, 0 for `first` itself, None for other names."""
    if name == first:
        return 0
    match = re.fullmatch(r"\.([1-9][0-9]{0,8})", name[len(first) :]) if name.startswith(first) else None
    return int(match[1]) if match else None
