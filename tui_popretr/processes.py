"""The user's commands that run now: each with its children in a process group, so that all of them can be killed."""

from __future__ import annotations

import contextlib
import os
import signal

_groups: set[int] = set()


def enlist(group: int) -> None:
    """A command was started as the leader of a process group (start_new_session)."""
    _groups.add(group)


def dismiss(group: int) -> None:
    """It has ended, or what is left of it may run on."""
    _groups.discard(group)


def signal_group(group: int, number: int) -> None:
    """Send a signal to a command and its children; what has ended, or may not be signalled, is passed over.

    The leader must not have been reaped: until then its number is surely its own.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter for a command that is set-user-id
        os.killpg(group, number)


def kill_commands() -> None:
    """Kill all of them, for an end that waits for nothing. Any thread."""
    for group in tuple(_groups):
        signal_group(group, signal.SIGKILL)
