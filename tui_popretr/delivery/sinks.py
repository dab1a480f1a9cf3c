"""The sink for a client's configured destination."""

from __future__ import annotations

from dataclasses import dataclass

from tui_popretr.config.model import (
    ClientSettings,
    CommandDestination,
    FolderDestination,
    GmailDestination,
    ImapDestination,
    MaildirDestination,
    SmtpDestination,
    rejected_folder,
)
from tui_popretr.delivery.filesink import FileSink
from tui_popretr.delivery.folder import FolderSink
from tui_popretr.delivery.maildir import MaildirSink
from tui_popretr.delivery.remote import (
    AskOther,
    AskOtherTokens,
    AskPassword,
    AskTokens,
    RemoteSink,
    Say,
    no_other_tokens,
    no_password,
    no_tokens,
)
from tui_popretr.net.tls import TlsContexts
from tui_popretr.process.children import ChildProcesses


@dataclass(frozen=True, slots=True)
class SinkEnvironment:
    """What mail servers and commands need."""

    spool: str = ""  # folder for messages that are too large to be kept in memory
    announce_host: str = "localhost"  # the name of our host
    password: AskPassword = no_password
    said: Say = lambda *_: None
    withheld: frozenset[str] = frozenset()  # environment variables that hold passwords: not for commands
    children: ChildProcesses | None = None  # where commands are registered
    contexts: TlsContexts | None = None  # those of the process
    other_password: AskOther | None = None
    tokens: AskTokens = no_tokens
    other_tokens: AskOtherTokens = no_other_tokens


def sink_for(
    client: ClientSettings, journal_id: str, environment: SinkEnvironment = SinkEnvironment()
) -> FileSink | RemoteSink:
    """Return the client's sink, for one session; no I/O. `journal_id` is for file names.

    Without `environment` the sink can give its key, and deliver into files.
    """
    match client.destination:
        case MaildirDestination() as maildir:
            return MaildirSink(maildir, journal_id)
        case FolderDestination() as folder:
            return FolderSink(folder, client.id, journal_id)
        case SmtpDestination() as server:
            from tui_popretr.delivery.smtp.sink import SmtpSink  # imported here because most users do not need it

            return SmtpSink(
                server,
                recip=client.recip,
                spool=environment.spool,
                client=environment.announce_host,
                password=environment.password,
                said=environment.said,
                contexts=environment.contexts,
                other_password=environment.other_password,
            )
        case ImapDestination() as server:
            from tui_popretr.delivery.imap.sink import ImapSink

            return ImapSink(
                server,
                spool=environment.spool,
                password=environment.password,
                said=environment.said,
                contexts=environment.contexts,
                other_password=environment.other_password,
                own_received=not client.omit_received,
            )
        case GmailDestination() as account:
            from tui_popretr.delivery.gmail.sink import GmailSink

            return GmailSink(
                account,
                spool=environment.spool,
                tokens=environment.tokens,
                other_tokens=environment.other_tokens,
                said=environment.said,
                contexts=environment.contexts,
            )
        case CommandDestination() as command:
            from tui_popretr.delivery.command.sink import CommandSink

            return CommandSink(
                command,
                spool=environment.spool,
                withheld=environment.withheld,
                children=environment.children,
                said=environment.said,
            )


def rejected_sink(client: ClientSettings, journal_id: str) -> FileSink | None:
    """Return the sink for permanently refused messages; None if they are not saved."""
    path = rejected_folder(client.destination)
    return None if path is None else FolderSink(FolderDestination(path), client.id, journal_id)
