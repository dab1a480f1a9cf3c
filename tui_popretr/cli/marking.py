"""Marks messages as seen in the journal, for mark-seen and import-seen: newonly skips them."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Collection

from tui_popretr.cli import configuration
from tui_popretr.cli.config_path import locate
from tui_popretr.config.model import ClientSettings, Settings
from tui_popretr.config.problems import Severity
from tui_popretr.delivery.sinks import sink_for
from tui_popretr.errors import UsageError
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Maildrop
from tui_popretr.text import visible


def read_settings(arguments: Namespace) -> Settings:
    """Return the settings with only the named clients. Warns of clients that ignore marks.

    Raises ConfigurationError; UsageError if no client is named, because marking all clients by mistake would lose mail.
    """
    everything = configuration.read(locate(arguments.config, arguments.naf), shown=frozenset({Severity.ERROR}))
    if not arguments.clients:
        known = ", ".join(visible(client.id) for client in everything.clients)
        raise UsageError(
            f"{arguments.command} needs at least one client: --client ID, which may be repeated",
            advice=f"the clients are {visible(known, 1000)}" if known else "but no client is enabled",
        )
    chosen = configuration.choose(everything, arguments.clients)
    for client in chosen.clients:
        if not client.retention.new_only:
            print(
                f"{visible(chosen.path)}: warning: client {visible(client.id)}: marks have no effect until the client"
                ' has newonly="Y"',
                file=sys.stderr,
            )
    return chosen


def mark(journal: Journal, client: ClientSettings, uids: Collection[str]) -> int:
    """Mark messages of a client's maildrop as seen and return the number of new marks. Raises JournalError."""
    server = client.server
    key = Maildrop.of(server.host, server.port, server.account, sink_for(client, journal.id).key)
    return journal.mark_seen(journal.maildrop(key), uids, now=int(time.time()))


def outcome(new: int, number: int) -> str:
    """Return the result of marking `number` messages: "12 marked as seen, 328 were known already"."""
    known = number - new
    return f"{new} marked as seen" + (f", {known} {'was' if known == 1 else 'were'} known already" if known else "")
