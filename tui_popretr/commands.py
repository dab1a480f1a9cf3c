"""The commands of the user to the engine, as the dashboard sends them. The control socket has the same ones.

Command is answered at once, with a text. Query takes time and is answered with an object of answers.py: those about
mail on the server need a session, and wait until the client's own session has ended.
"""

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

# --- queries ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MessageKey:
    """A message on the server as it was listed. It is looked for by its UID, without one by number and size.

    `digest` is the hash of its header in hex: the message must still have it; "" if it was not known.
    """

    number: int
    uid: str | None
    size: int
    digest: str = ""

    @property
    def wanted(self) -> str | tuple[int, int]:
        """What is looked for: the UID, or number and size."""
        return self.uid if self.uid is not None else (self.number, self.size)


@dataclass(frozen=True, slots=True)
class ReadStatistics:
    """Return Statistics of a client, of all with None."""

    client: str | None = None


@dataclass(frozen=True, slots=True)
class ListWaiting:
    """Return the WaitingMail of a client."""

    client: str


@dataclass(frozen=True, slots=True)
class PreviewMessage:
    """Return a Preview of a message (TOP)."""

    client: str
    message: MessageKey


@dataclass(frozen=True, slots=True)
class FetchMessages:
    """Retrieve these messages now, whatever the rules say, in a session of the client. Return Done when it is begun."""

    client: str
    messages: tuple[MessageKey, ...]


@dataclass(frozen=True, slots=True)
class DeleteMessages:
    """Delete these messages on the server, if they are still what was listed, and nothing else. Return Done."""

    client: str
    messages: tuple[MessageKey, ...]


@dataclass(frozen=True, slots=True)
class SkipMessages:
    """Neither retrieve nor delete these messages, until FetchMessages or DeleteMessages. Return Done."""

    client: str
    messages: tuple[MessageKey, ...]


Query = ReadStatistics | ListWaiting | PreviewMessage | FetchMessages | DeleteMessages | SkipMessages
