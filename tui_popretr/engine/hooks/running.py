"""Runs one hook: its environment, its standard input, and how it ended in words."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import trio

from tui_popretr.config.model import HookSettings
from tui_popretr.delivery.command.run import environment
from tui_popretr.engine.hooks.rules import Occurrence
from tui_popretr.errors import PopretrError, describe_os_error, out_of_threads
from tui_popretr.process.children import ChildProcesses
from tui_popretr.process.run import ProcessEnd, run_process
from tui_popretr.text import visible

#: Seconds that a hook may take.
TIMEOUT: Final = 30.0
#: Octets of POPRETR_TEXT.
LONGEST_TEXT: Final = 1024
#: Lines of a hook's output that are logged: the last ones.
_LINES: Final = 20
#: Systemd's variables for this process alone.
_WITHHELD: Final = frozenset({"CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET"})
_WITHHELD_PREFIX: Final = "WATCHDOG_"


@dataclass(frozen=True, slots=True)
class HookEnd:
    """How a hook ended. `lines`: the last lines of its output, safe to show."""

    text: str  # in words: "ended with exit code 1"
    ok: bool
    lines: tuple[str, ...] = ()


async def run_hook(
    hook: HookSettings,
    occurrence: Occurrence,
    status: Mapping[str, Any] | None,
    children: ChildProcesses,
    withheld: Collection[str],
) -> HookEnd:
    """Run a hook to its end. Its errors are in the result; none is raised.

    `status`: the client's status for standard input. `withheld`: variables that passwords come from.
    """
    limiter = trio.CapacityLimiter(1)
    try:
        # It looks up the user, which may take long.
        base = await trio.to_thread.run_sync(environment, (), limiter=limiter)
        end = await run_process(
            children,
            hook.argv,
            stdin=standard_input(occurrence, status),
            environ={**without(base, withheld), **variables(occurrence)},
            timeout=TIMEOUT,
        )
    except OSError as problem:
        return HookEnd(f"cannot run: {describe_os_error(problem)}", ok=False)
    except (RuntimeError, ValueError) as problem:  # no thread can be started; a NUL in a word
        known: PopretrError | None = out_of_threads(problem)
        return HookEnd(f"cannot run: {visible(str(known or problem))}", ok=False)
    return HookEnd(_ended(end), not end.timed_out and end.code == 0, tuple(_lines(end.output)))


def without(environ: Mapping[str, str], withheld: Collection[str]) -> dict[str, str]:
    """Return an environment without what hooks must not get."""
    return {
        name: value
        for name, value in environ.items()
        if name not in withheld and name not in _WITHHELD and not name.startswith(_WITHHELD_PREFIX)
    }


def variables(occurrence: Occurrence) -> dict[str, str]:
    """Return the variables that describe an event."""
    return {
        "POPRETR_EVENT": occurrence.event.value,
        "POPRETR_CLIENT": occurrence.client,
        "POPRETR_TEXT": line(occurrence.text),
        "POPRETR_MESSAGES": str(occurrence.messages),
        "POPRETR_FAILURES": str(occurrence.failures),
        "POPRETR_CODE": str(occurrence.code.value),
    }


def line(text: str) -> str:
    """Return a text as one line that is safe to show, at most LONGEST_TEXT octets."""
    shown = visible(text, LONGEST_TEXT)
    data = shown.encode()
    if len(data) <= LONGEST_TEXT:
        return shown
    ellipsis = "…"
    return data[: LONGEST_TEXT - len(ellipsis.encode())].decode(errors="ignore") + ellipsis


def standard_input(occurrence: Occurrence, status: Mapping[str, Any] | None) -> bytes:
    """Return the event and the client's status as JSON."""
    message = {
        "event": occurrence.event.value,
        "client": occurrence.client,
        "text": line(occurrence.text),
        "messages": occurrence.messages,
        "failures": occurrence.failures,
        "code": occurrence.code.value,
        "status": status,
    }
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def name_of(hook: HookSettings) -> str:
    """Return the name of a hook's program. Its arguments may be private."""
    return visible(os.path.basename(hook.argv[0]) or hook.argv[0], 64)


def _ended(end: ProcessEnd) -> str:
    if end.timed_out:
        return f"took longer than {TIMEOUT:g} s and was stopped"
    if end.code is None:
        return "ended, but the system did not report its exit code"
    return f"ended with exit code {end.code}" if end.code >= 0 else f"was killed by signal {-end.code}"


def _lines(output: bytes) -> Iterator[str]:
    for each in output.splitlines()[-_LINES:]:
        if each.strip():
            yield visible(each, 500)
