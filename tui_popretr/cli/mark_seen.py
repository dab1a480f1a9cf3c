"""`mark-seen`: marks the mail in a maildrop as seen, so that newonly retrieves only later mail."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import closing
from dataclasses import replace

from tui_popretr.cli import marking
from tui_popretr.cli.probing import probe_clients
from tui_popretr.config.model import ClientSettings
from tui_popretr.errors import ExitCode, PopretrError, UidlUnavailable, worst
from tui_popretr.journal.journal import Journal
from tui_popretr.session.exploration import Findings
from tui_popretr.text import visible
from tui_popretr.wording import error_with_advice, plural


def run(arguments: Namespace) -> int:
    """Probe the clients' servers, mark the mail there, print the numbers and return the worst exit code.

    Raises UsageError, ConfigurationError and JournalError. Nothing is retrieved, and nothing deleted.
    """
    settings = marking.read_settings(arguments)
    with closing(Journal.open(settings.journal)) as journal:  # before connecting: a daemon may have locked it
        found: list[tuple[ClientSettings, Findings]] = []
        # This command has its own error for a missing UIDL.
        plain = tuple(
            replace(client, retention=replace(client.retention, new_only=False, delete_after=None))
            for client in settings.clients
        )
        probe_clients(replace(settings, clients=plain), lambda client, findings: found.append((client, findings)))
        return worst([_mark(journal, client, findings) for client, findings in found])


def _mark(journal: Journal, client: ClientSettings, found: Findings) -> ExitCode:
    """Mark the mail found. Prints the result on standard output, errors on standard error."""
    problem = found.problem or _without_uids(found)
    if problem is not None:
        text = error_with_advice(str(problem), problem.advice)
        print(f"{visible(client.id)}: failed: {text}", file=sys.stderr)
        return problem.exit_code
    number = len(found.uids)
    if not found.messages:
        print(f"{visible(client.id)}: the maildrop is empty, nothing to mark")
        return ExitCode.OK
    new = marking.mark(journal, client, found.uids)
    print(f"{visible(client.id)}: {plural(number, 'message')} in the maildrop: {marking.outcome(new, number)}")
    if unmarked := found.messages - number:
        print(
            f"{visible(client.id)}: {plural(unmarked, 'further message')} cannot be marked: the server gives no"
            " usable UID",
            file=sys.stderr,
        )
    return ExitCode.OK


def _without_uids(found: Findings) -> PopretrError | None:
    if found.uids or not found.messages:
        return None
    return UidlUnavailable(
        "the server gives no usable UIDs (UIDL), without which messages cannot be marked",
        advice="newonly does not work with this server; remove it",
    )
