"""Values of the configuration as text: as a user writes them, and in words."""

from __future__ import annotations

from enum import Enum

from tui_popretr.wording import plural

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def written(value: object) -> str:
    """Return a value as the configuration writes it; a float is a time in seconds. Empty for None."""
    match value:
        case None:
            return ""
        case bool():
            return "Y" if value else "N"
        case float():
            return duration(value)
        case Enum():
            return str(value.value)
        case tuple():
            return " | ".join(map(written, value))
        case _:
            return str(value)


def duration(seconds: float) -> str:
    """Return a time as the configuration writes it: 1h30m, 500ms, 0s."""
    milliseconds = round(seconds * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def span(seconds: float) -> str:
    """Return a time in words: 1 hour 30 minutes, 250 ms."""
    parts: list[str] = []
    rest = round(seconds * 1000)
    for size, name in _UNITS:
        number, rest = divmod(rest, size * 1000)
        if number:
            parts.append(plural(number, name))
    if rest or not parts:
        parts.append(f"{rest} ms")
    return " ".join(parts)


def every(seconds: float) -> str:
    """Return an interval in words: every hour, every 5 minutes."""
    text = span(seconds)
    return (
        f"every {text.removeprefix('1 ')}" if text in {"1 day", "1 hour", "1 minute", "1 second"} else f"every {text}"
    )


def octets(number: int) -> str:
    """Return a size in the configuration's units: 25M; in octets where no unit divides it."""
    for unit, name in ((1024**3, "G"), (1024**2, "M"), (1024, "K")):
        if number and number % unit == 0:
            return f"{number // unit}{name}"
    return f"{number} octets"


def octal(mode: int) -> str:
    """Return permissions in octal: 0600."""
    return f"0{mode:o}"
