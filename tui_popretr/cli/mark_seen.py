"""`mark-seen`: what is in a maildrop now counts as seen, so that newonly retrieves only what comes later."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import closing
from dataclasses import replace

from tui_popretr.cli import marking
from tui_popretr.cli.probing import visit
from tui_popretr.config.model import ClientSettings
from tui_popretr.engine.probe import Findings
from tui_popretr.errors import ExitCode, PopretrError, UidlUnavailable, worst
from tui_popretr.journal.journal import Journal
from tui_popretr.text import visible
from tui_popretr.wording import error_with_advice, plural


def run(arguments: Namespace) -> int:
    """Visit the clients' maildrops, mark what is there, tell how much it was, return the worst exit code.

    Raises UsageError, ConfigurationError and JournalError. Nothing is retrieved, and nothing deleted.
    """
    settings = marking.read_settings(arguments)
    with closing(Journal.open(settings.journal)) as journal:  # before anybody is called on: a daemon may have it
        found: list[tuple[ClientSettings, Findings]] = []
        # A missing UIDL is told in this command's own words.
        plain = tuple(
            replace(client, retention=replace(client.retention, new_only=False, delete_after=None))
            for client in settings.clients
        )
        visit(replace(settings, clients=plain), lambda client, findings: found.append((client, findings)))
        return worst([_mark(journal, client, findings) for client, findings in found])


def _mark(journal: Journal, client: ClientSettings, found: Findings) -> ExitCode:
    """Mark what was found, and say so on standard output; on standard error what is in the way."""
    problem = found.problem or _without_uids(found)
    if problem is not None:
        text = error_with_advice(str(problem), problem.advice)
        print(f"{visible(client.id)}: failed: {text}", file=sys.stderr)
        return problem.exit_code
    number = len(found.uids)
    if not found.messages:
        print(f"{visible(client.id)}: the maildrop is empty, so there is nothing to mark")
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
        "the server gives no usable UIDs (UIDL), and messages are known again by nothing else",
        advice="newonly cannot work with this server either; retrieve without it",
    )
