"""The commands of the user to the engine, as the dashboard sends them. The control socket has the same ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PollClient:
    """Run this client now. This ends the back-off after rejected logins."""

    client: str


@dataclass(frozen=True, slots=True)
class PollAll:
    """Run every client now."""


@dataclass(frozen=True, slots=True)
class PauseClient:
    """Start no further run of this client until it is resumed; a running session continues."""

    client: str


@dataclass(frozen=True, slots=True)
class ResumeClient:
    """Continue the schedule of a paused client."""

    client: str


@dataclass(frozen=True, slots=True)
class StopSession:
    """Stop this client's running session as a shutdown does: drain, commit, DELE, QUIT."""

    client: str


@dataclass(frozen=True, slots=True)
class PauseAll:
    """Pause every client."""


@dataclass(frozen=True, slots=True)
class ResumeAll:
    """Resume every client."""


@dataclass(frozen=True, slots=True)
class StopAll:
    """Stop every running session."""


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the configuration and the directory again and reopen the logs; after an error the old ones stay in use."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Stop everything; running sessions get a few seconds for what is in flight."""


Command = (
    PollClient | PollAll | PauseClient | PauseAll | ResumeClient | ResumeAll | StopSession | StopAll | Reload | Shutdown
)
