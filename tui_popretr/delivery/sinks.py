"""The sink for what a client is configured with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tui_popretr.config.model import (
    ClientSettings,
    CommandDestination,
    FolderDestination,
    MaildirDestination,
    SmtpDestination,
)
from tui_popretr.delivery.folder import FolderSink
from tui_popretr.delivery.maildir import MaildirSink
from tui_popretr.delivery.sink import Sink
from tui_popretr.facts import Direction
from tui_popretr.process.children import ChildProcesses
from tui_popretr.secret import Secret


def _no_password() -> Secret:
    return Secret("")


def _say_nothing(direction: Direction, text: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class SinkEnvironment:
    """What destinations that are no files need of the program. The functions are called in a sink's thread."""

    spool: str = ""  # folder for messages that are too large to be kept in memory
    announce_host: str = "localhost"  # the name of our host
    password: Callable[[], Secret] = _no_password  # the destination's; may raise any PopretrError
    said: Callable[[Direction, str], None] = _say_nothing  # told each line of dialogue, safe to show
    withheld: frozenset[str] = frozenset()  # environment variables that hold passwords: not for commands
    children: ChildProcesses | None = None  # where commands are registered


def sink_for(client: ClientSettings, journal_id: str, means: SinkEnvironment = SinkEnvironment()) -> Sink:
    """Return the client's sink, for one session; no I/O. `journal_id` marks our files.

    Without `means` it is good for its key, and to deliver into files.
    """
    match client.destination:
        case MaildirDestination() as maildir:
            return MaildirSink(maildir, journal_id)
        case FolderDestination() as folder:
            return FolderSink(folder, client.id, journal_id)
        case SmtpDestination() as server:
            from tui_popretr.delivery.smtp.sink import SmtpSink  # with smtplib, which few need

            return SmtpSink(
                server,
                recip=client.recip,
                spool=means.spool,
                client=means.announce_host,
                password=means.password,
                said=means.said,
            )
        case CommandDestination() as command:
            from tui_popretr.delivery.command.sink import CommandSink

            return CommandSink(
                command, spool=means.spool, withheld=means.withheld, children=means.children, said=means.said
            )


def rejected_sink(client: ClientSettings, journal_id: str) -> Sink | None:
    """Return the sink for messages that the client's destination refuses for good; None where they are not saved."""
    match client.destination:
        case SmtpDestination(rejected=str(path)):
            return FolderSink(FolderDestination(path), client.id, journal_id)
    return None
