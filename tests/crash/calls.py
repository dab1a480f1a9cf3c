"""The program's system calls and their order, recorded by strace(1)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Calls that change the disk, by the beginnings of their names: some systems have renameat for rename.
CHANGING: Final = "/^(mkdir|rename|link|unlink|fsync|fdatasync|pwrite64)"
_SEEN: Final = "/^(openat|mkdir|rename|link|unlink|fsync|fdatasync|write|pwrite64|send|recv)"

# `PID call(arguments) = result`, in two parts where others came in between:
# `PID call(beginning <unfinished ...>` and `PID <... call resumed>rest) = result`
_LINE = re.compile(r"(?P<pid>\d+) +(?:<\.\.\. )?(?P<name>\w+)(?: resumed>|\()(?P<text>.*)", re.DOTALL)
_UNFINISHED: Final = "<unfinished ...>"
_DESCRIPTOR = re.compile(r"\d+<(.*?)>(?:\(deleted\))?(?:,|\)| |$)")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def recording(file: Path) -> list[str]:
    """Return a wrapper that records the calls of a command."""
    return ["strace", "-f", "-y", "-qq", "-s", "100000", "-e", f"trace={_SEEN}", "-o", str(file)]


def killing(nth: int) -> list[str]:
    """Return a wrapper that kills a command in place of a thread's nth call that would change the disk."""
    return [
        *("strace", "-f", "-qq", "-o", os.devnull),
        *("-e", f"trace={CHANGING}", "-e", f"inject={CHANGING}:signal=KILL:when={nth}"),
    ]


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded; `began` and `ended` are places in the record. One happened before another if it
    ended before the other began."""

    name: str
    arguments: str
    began: int
    ended: int

    @property
    def on(self) -> str:
        """The path of the descriptor in its first argument, or ""."""
        match = _DESCRIPTOR.match(self.arguments)
        return match[1] if match else ""

    @property
    def strings(self) -> list[str]:
        """Its arguments that are strings. Unprintable octets are escaped."""
        return _STRING.findall(self.arguments)


class Record:
    """All calls of a process, in the order in which they began."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = calls

    @classmethod
    def read(cls, file: Path) -> Record:
        """Read a file written by strace."""
        begun: dict[str, tuple[int, str]] = {}
        calls = []
        for place, line in enumerate(file.read_text().splitlines()):
            match = _LINE.match(line)
            if match is None:  # signals, ends of processes
                continue
            text = match["text"]
            if text.endswith(_UNFINISHED):
                begun[match["pid"]] = place, text.removesuffix(_UNFINISHED)
                continue
            start, beginning = begun.pop(match["pid"]) if " resumed>" in match[0] else (place, "")
            arguments, _, result = (beginning + text).rpartition(" = ")
            if not result.startswith("-1 "):
                calls.append(Call(match["name"], arguments, start, place))
        return cls(sorted(calls, key=lambda call: call.began))

    def all(self, what: Callable[[Call], bool]) -> Iterator[Call]:
        """Return the calls for which `what` is true."""
        return filter(what, self._calls)

    def next(self, after: Call, what: Callable[[Call], bool], name: str) -> Call:
        """Return the first call for which `what` is true and that began after `after` had ended; there must be one."""
        found = next((call for call in self._calls if call.began > after.ended and what(call)), None)
        assert found is not None, f"no {name} after {after.name}({after.arguments[:300]}"
        return found


def sync_of(path: str) -> Callable[[Call], bool]:
    """Match a call that makes a file or folder durable."""
    return lambda call: call.name in ("fsync", "fdatasync") and call.on == path


def said(text: str) -> Callable[[Call], bool]:
    """Match a send of octets that contain `text`, as strace shows them."""
    return lambda call: call.name.startswith("send") and text in call.arguments


def heard(text: str) -> Callable[[Call], bool]:
    """Match a receipt of octets that contain `text`, as strace shows them."""
    return lambda call: call.name.startswith("recv") and text in call.arguments


def write_to(path: str, text: str = "") -> Callable[[Call], bool]:
    """Match a write of octets that contain `text` to a file."""
    return lambda call: call.name in ("write", "pwrite64") and call.on == path and text in call.arguments
