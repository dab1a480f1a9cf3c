"""What the user can ask of the engine: the same vocabulary in-process and over the control socket."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PollClient:
    """Run this client now; ends a bad-password back-off."""

    client: str


@dataclass(frozen=True, slots=True)
class PollAll:
    """Run every client now."""


@dataclass(frozen=True, slots=True)
class PauseClient:
    """No further run of this client until it is resumed; a running session goes on."""

    client: str


@dataclass(frozen=True, slots=True)
class ResumeClient:
    """Take up the schedule of a paused client again."""

    client: str


@dataclass(frozen=True, slots=True)
class StopSession:
    """End this client's running session as a shutdown would: drain, commit, DELE, QUIT."""

    client: str


@dataclass(frozen=True, slots=True)
class Reload:
    """Read configuration and directory again and reopen the logs; a problem leaves the old ones in force."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """End everything; running sessions get a few seconds for what is in flight."""


Command = PollClient | PollAll | PauseClient | ResumeClient | StopSession | Reload | Shutdown
