"""Parsers of the values of the configuration: from trimmed text to a typed value, or InvalidValueError."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from tui_popretr.text import visible

T = TypeVar("T")

_TRUE = frozenset({"Y", "YES", "T", "TRUE", "ON", "1"})
_FALSE = frozenset({"N", "NO", "F", "FALSE", "OFF", "0"})
_DURATION = re.compile(
    r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?", re.ASCII | re.IGNORECASE
)
_SIZE = re.compile(r"([0-9]+)([BKMG]?)", re.ASCII | re.IGNORECASE)
_UNIT = {"": 1, "B": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_MODE = re.compile(r"0?[0-7]{3,4}", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")

LONGEST_DURATION = 3650 * 86400.0
LARGEST_SIZE = 2**62


class InvalidValueError(ValueError):
    """The text is not a value of that type; str() is the reason, for the user."""


def quote(text: str) -> str:
    """Return text in quotes, safe for a terminal, and shortened."""
    return f"'{visible(text, 60)}'"


def suggestion(name: str, known: Collection[str]) -> str | None:
    """Return the known name that is most similar to a misspelt one; None if there is none."""
    from difflib import get_close_matches  # only when something is wrong

    by_case = {candidate.casefold(): candidate for candidate in known}
    near = get_close_matches(name.casefold(), by_case, n=1, cutoff=0.6)
    return by_case[near[0]] if near else None


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return `; did you mean 'x'?`, or an empty string if no known name is similar."""
    near = suggestion(name, known)
    return f"; did you mean '{near}'?" if near else ""


def is_unicode(text: str) -> bool:
    """Whether text has no lone surrogates, which Python uses in names and variables that are not UTF-8."""
    return _SURROGATE.search(text) is None


def boolean(text: str) -> bool:
    """Y YES T TRUE ON 1 or N NO F FALSE OFF 0, in any case."""
    upper = text.upper()
    if upper in _TRUE:
        return True
    if upper in _FALSE:
        return False
    raise InvalidValueError(f"{quote(text)} is neither yes nor no; write Y or N")


def duration(text: str) -> float:
    """[Nd][Nh][Nm][Ns][Nms] in that order, or a bare number of milliseconds; returns seconds."""
    if text.isascii() and text.isdigit():
        parts: tuple[str | None, ...] = (None, None, None, None, text)
    else:
        match = _DURATION.fullmatch(text)
        if match is None or not text:
            raise InvalidValueError(
                f"{quote(text)} is not a time; write it like 4m, 1h30m or 500ms"
                " (units d h m s ms in that order; a bare number is milliseconds)"
            )
        parts = match.groups()
    if any(len(part) > 15 for part in parts if part):
        raise InvalidValueError("that time is too long")
    days, hours, minutes, seconds, milliseconds = (int(part or 0) for part in parts)
    total = days * 86400 + hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    if total > LONGEST_DURATION:
        raise InvalidValueError("that time is too long")
    return float(total)


def positive_duration(text: str) -> float:
    """A duration that is not zero."""
    seconds = duration(text)
    if seconds <= 0:
        raise InvalidValueError("the time must be more than 0")
    return seconds


def size(text: str) -> int:
    """Digits and an optional B, K, M or G (1024-based, either case); returns octets."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InvalidValueError(f"{quote(text)} is not a size; write it like 500, 64K, 25M or 2G")
    octets = LARGEST_SIZE + 1 if len(match[1]) > 20 else int(match[1]) * _UNIT[match[2].upper()]
    if octets > LARGEST_SIZE:
        raise InvalidValueError("that size is too large")
    return octets


def positive_size(text: str) -> int:
    """A size that is not zero."""
    octets = size(text)
    if not octets:
        raise InvalidValueError("the size must be more than 0")
    return octets


def size_limit(text: str) -> int | None:
    """A size; 0 means no limit."""
    return size(text) or None


def count(minimum: int = 0) -> Callable[[str], int]:
    """Return a parser of whole numbers from `minimum` to a thousand million."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise InvalidValueError(f"{quote(text)} is not a whole number")
        number = int(text) if len(text) <= 10 else 10**10
        if number < minimum:
            raise InvalidValueError(f"the number must be at least {minimum}")
        if number > 10**9:
            raise InvalidValueError("that number is too large")
        return number

    return parse


def file_mode(text: str) -> int:
    """Permissions of a message's file, in octal: read and write for the owner, and no execute bit."""
    mode = _mode(text, "0660")
    if mode & ~0o666:
        raise InvalidValueError(f"{quote(text)} sets bits other than read and write; use a mode such as 0660")
    if mode & 0o600 != 0o600:
        raise InvalidValueError(f"{quote(text)} does not let the owner read and write; use a mode such as 0660")
    return mode


def folder_mode(text: str) -> int:
    """Permissions of a folder, in octal: all rights for the owner; setgid (2000) is allowed."""
    mode = _mode(text, "0770 or 02770")
    if mode & ~0o2777:
        raise InvalidValueError(f"{quote(text)} has the setuid or the sticky bit; only setgid is allowed, as in 02770")
    if mode & 0o700 != 0o700:
        raise InvalidValueError(f"{quote(text)} does not give the owner all rights (7); use a mode such as 0770")
    return mode


def _mode(text: str, example: str) -> int:
    if not _MODE.fullmatch(text):
        raise InvalidValueError(f"{quote(text)} is not a mode; write it in octal, like {example}")
    return int(text, 8)


def items(text: str) -> tuple[str, ...]:
    """A list whose items are separated by |."""
    found = tuple(item.strip() for item in text.split("|"))
    if not all(found):
        raise InvalidValueError("an item of the list is empty")
    return found


def choice(words: Mapping[str, T]) -> Callable[[str], T]:
    """Return a parser that accepts one of these words in any case and returns its value."""
    by_case = {word.casefold(): value for word, value in words.items()}

    def parse(text: str) -> T:
        try:
            return by_case[text.casefold()]
        except KeyError:
            raise InvalidValueError(
                f"{quote(text)} is not one of {', '.join(words)}{did_you_mean(text, words)}"
            ) from None

    return parse


def text_of(text: str) -> str:
    """Any text."""
    return text


def path(text: str) -> str:
    """A path as written. The readers make it absolute (Section.value)."""
    return text


def relative_path(text: str) -> str:
    """A path that does not leave the folder that it is relative to."""
    path = os.path.normpath(text)
    if os.path.isabs(path) or path == ".." or path.startswith("../"):
        raise InvalidValueError(f"{quote(text)} must lie in the user's folder")
    return path


def one_line(text: str) -> str:
    """Text without CR, LF and NUL. The message does not show it: it may be a secret."""
    if re.search("[\r\n\x00]", text):
        raise InvalidValueError("a line break or NUL is not allowed in it")
    return text


def printable(text: str) -> str:
    """Text without control characters."""
    if _CONTROL.search(text):
        raise InvalidValueError("a line break or another control character is not allowed in it")
    return text


def file_name(longest: int) -> Callable[[str], str]:
    """Return a parser of names that may become part of a path: no `/`, no control characters, not `.` or `..`."""

    def parse(text: str) -> str:
        if "/" in text:
            raise InvalidValueError(f"{quote(text)} contains a /, which is not allowed")
        if _CONTROL.search(text):
            raise InvalidValueError("a line break or another control character is not allowed in it")
        if text in {".", ".."}:
            raise InvalidValueError(f"it cannot be {quote(text)}")
        if len(text.encode()) > longest:
            raise InvalidValueError(f"it is longer than {longest} octets")
        return text

    return parse


def header_word(text: str) -> str:
    """Printable ASCII without spaces: it becomes part of the Received header."""
    if not re.fullmatch("[!-~]+", text):
        raise InvalidValueError(
            "only printable ASCII without spaces is allowed, since it stands in the Received header"
        )
    return text


def header_comment(text: str) -> str:
    """Printable ASCII that can stand in a comment of the Received header (RFC 5322 §3.2.2)."""
    if not re.fullmatch("[ -~]+", text) or re.search(r"[()\\]", text):
        raise InvalidValueError(
            "only printable ASCII without ( ) \\ is allowed, since it stands in the Received header"
        )
    return text


def fingerprint(text: str) -> str:
    """A SHA-256 fingerprint, with or without colons and the prefix that openssl writes.

    Returns 64 lower-case hex digits.
    """
    digits = re.sub(r"^sha-?256( fingerprint)?[:=]", "", text.lower()).replace(":", "").replace(" ", "")
    if not re.fullmatch("[0-9a-f]{64}", digits):
        other = {32: " but perhaps one of MD5", 40: " but perhaps one of SHA-1"}.get(len(digits), "")
        raise InvalidValueError(f"{quote(text)} is not a SHA-256 fingerprint (64 hex digits){other}")
    return digits


def fingerprints(text: str) -> tuple[str, ...]:
    """A list of SHA-256 fingerprints."""
    return tuple(map(fingerprint, items(text))) if text else ()


def command_line(text: str) -> tuple[str, ...]:
    """Split a command into words as a shell does. The message does not show it."""
    try:
        argv = shlex.split(text)
    except ValueError as error:
        raise InvalidValueError(f"the quoting of the command is wrong: {str(error).lower()}") from None
    if not argv or not argv[0]:
        raise InvalidValueError("the command is empty")
    return tuple(argv)
