"""`import-seen`: marks as seen what fetchmail, getmail or mpop have retrieved and left on a server."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from tui_popretr.cli import marking
from tui_popretr.config.model import ClientSettings
from tui_popretr.config.values import did_you_mean
from tui_popretr.errors import ConfigurationError, ExitCode, UsageError, describe_os_error
from tui_popretr.journal.journal import Journal
from tui_popretr.migration.seen_file import SeenAccountName, SeenFile
from tui_popretr.migration.tools import TOOLS, Tool
from tui_popretr.text import visible
from tui_popretr.wording import plural

#: Accounts named, at most, if the account of a client is not among them.
_NAMED = 20


@dataclass(frozen=True, slots=True)
class _Match:
    """The messages that were found for a client."""

    client: ClientSettings
    account: SeenAccountName
    uids: tuple[str, ...]
    paths: tuple[str, ...]

    def __str__(self) -> str:
        where = ", ".join(visible(path, 4096) for path in self.paths)
        return f"{visible(self.client.id)}: {plural(len(self.uids), 'message')} of {self.account} in {where}"


def run(arguments: Namespace) -> int:
    """Mark what the other program has seen, print the numbers and return the exit code.

    Marks nothing if a client has no account in the files. Raises UsageError, ConfigurationError and JournalError.
    """
    tool, files = _source(arguments.source)
    try:
        settings = marking.read_settings(arguments)
    except ConfigurationError as problem:
        if arguments.config is None and files:
            problem.advice = f"write the configuration before --from: a file after --from is one of {tool.name}"
        raise
    if arguments.account is not None and len(settings.clients) > 1:
        raise UsageError("--account is for one client", advice="run the command once for each --client")
    seen_files = _read_files(tool, files)
    matches = [_match(tool, client, arguments.account, seen_files) for client in settings.clients]
    if arguments.dry_run:
        for match in matches:
            print(f"{match}; nothing is marked (--dry-run)")
        return ExitCode.OK
    with closing(Journal.open(settings.journal)) as journal:
        for match in matches:
            new = marking.mark(journal, match.client, match.uids)
            print(f"{match}: {marking.outcome(new, len(match.uids))}")
    return ExitCode.OK


def _source(words: Sequence[str]) -> tuple[Tool, Sequence[str]]:
    """Return the program and the files that --from names."""
    name, *files = words
    tool = TOOLS.get(name)
    if tool is None:
        raise UsageError(
            f"import-seen does not know the program '{visible(name, 60)}'{did_you_mean(name, TOOLS)}",
            advice=f"--from can be {', '.join(TOOLS)}; write the configuration before it",
        )
    return tool, files


# --- reading ----------------------------------------------------------------------------------------------------------


def _read_files(tool: Tool, files: Sequence[str]) -> list[SeenFile]:
    """Read the files, the usual ones if none is named. Reports unreadable lines and files on standard error."""
    seen_files = _read_named(tool, files) if files else _read_usual(tool)
    for seen in seen_files:
        for line in seen.bad:
            _warn(f"{visible(seen.path, 4096)}:{line.number}: warning: line skipped, it makes no sense: '{line.text}'")
        if more := seen.skipped - len(seen.bad):
            _warn(f"{visible(seen.path, 4096)}: warning: {plural(more, 'further line')} skipped")
    return seen_files


def _read_named(tool: Tool, files: Sequence[str]) -> list[SeenFile]:
    try:
        return [tool.read(path) for path in files]
    except OSError as problem:
        raise UsageError(
            f"{visible(str(problem.filename), 4096)} cannot be read: {describe_os_error(problem)}"
        ) from problem


def _read_usual(tool: Tool) -> list[SeenFile]:
    seen_files: list[SeenFile] = []
    try:
        for path in tool.places(os.environ):
            try:
                seen_files.append(tool.read(path))
            except FileNotFoundError:
                continue
            except OSError as problem:
                _warn(f"{visible(path, 4096)}: warning: skipped: {describe_os_error(problem)}")
    except OSError as problem:
        _warn(f"{visible(str(problem.filename), 4096)}: warning: skipped: {describe_os_error(problem)}")
    if not seen_files:
        raise UsageError(
            f"no file of {tool.name} in its usual place ({tool.usual})",
            advice=f"name it: --from {tool.name} FILE",
        )
    return seen_files


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


# --- accounts ------------------------------------------------------------------------------------------------------


def _match(tool: Tool, client: ClientSettings, named: str | None, seen_files: Sequence[SeenFile]) -> _Match:
    """Return the messages of a client's account in the files. Raises UsageError if there are none."""
    account = _account_of(client) if named is None else _account(named)
    spelled = tool.spelled(account)
    found = {seen.path: seen.of(spelled) for seen in seen_files if any(seen.of(spelled))}
    if found:
        uids = dict.fromkeys(uid for uids in found.values() for uid in uids)
        return _Match(client, account, tuple(uids), tuple(found))
    accounts = Counter[str]()
    for seen in seen_files:
        for each in seen.accounts:
            if each.names:
                accounts[str(each.names[0])] += len(each.uids)
    names = [f"{name} ({plural(number, 'message')})" for name, number in accounts.most_common(_NAMED)]
    if more := len(accounts) - len(names):
        names.append(f"{more} more")
    where = ", ".join(visible(seen.path, 200) for seen in seen_files[:3]) + (", ..." if len(seen_files) > 3 else "")
    if not names:
        raise UsageError(f"no account in {where}", advice=f"is it a file of {tool.name}?")
    raise UsageError(
        f"client {visible(client.id)}: no messages of {account} in {where}",
        advice=f"the accounts there are {', '.join(names)}; if one of them is the client's, add --account USER@HOST",
    )


def _account_of(client: ClientSettings) -> SeenAccountName:
    server = client.server
    if server.username is None:
        raise UsageError(
            f"client {visible(client.id)} logs in without a username",
            advice="name the account: --account USER@HOST",
        )
    return SeenAccountName(server.username, server.host)


def _account(text: str) -> SeenAccountName:
    user, _, host = text.rpartition("@")
    if not user or not host:
        raise UsageError(f"--account must be USER@HOST, not '{visible(text, 60)}'")
    return SeenAccountName(user, host)
