"""`import-seen`: what fetchmail, getmail or mpop have retrieved and left on a server counts as seen here, too."""

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

#: So many accounts are named when the one that was looked for is not among them.
_NAMED = 20


@dataclass(frozen=True, slots=True)
class _Match:
    """What was found for a client."""

    client: ClientSettings
    account: SeenAccountName
    uids: tuple[str, ...]
    paths: tuple[str, ...]

    def __str__(self) -> str:
        where = ", ".join(visible(path, 4096) for path in self.paths)
        return f"{visible(self.client.id)}: {plural(len(self.uids), 'message')} of {self.account} in {where}"


def run(arguments: Namespace) -> int:
    """Mark what the other program has seen, tell how much it was and return the exit code.

    Nothing is marked where one of the clients has no account in the files. Raises UsageError, ConfigurationError and
    JournalError.
    """
    tool, files = _source(arguments.source)
    try:
        settings = marking.read_settings(arguments)
    except ConfigurationError as problem:
        if arguments.config is None and files:
            problem.advice = f"the configuration stands before --from: what stands behind it is a file of {tool.name}'s"
        raise
    if arguments.account is not None and len(settings.clients) > 1:
        raise UsageError("--account is the account of one client", advice="name one --client at a time with it")
    memories = _remember(tool, files)
    matches = [_match(tool, client, arguments.account, memories) for client in settings.clients]
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
            f"there is nothing to read the memory of '{visible(name, 60)}'{did_you_mean(name, TOOLS)}",
            advice=f"--from can be {', '.join(TOOLS)}; the configuration stands before it",
        )
    return tool, files


# --- reading ----------------------------------------------------------------------------------------------------------


def _remember(tool: Tool, files: Sequence[str]) -> list[SeenFile]:
    """Read the files, the usual ones where none is named, and tell on standard error of what could not be read."""
    memories = _read_named(tool, files) if files else _read_usual(tool)
    for memory in memories:
        for line in memory.bad:
            _warn(f"{visible(memory.path, 4096)}:{line.number}: warning: passed over, it makes no sense: '{line.text}'")
        if more := memory.skipped - len(memory.bad):
            _warn(f"{visible(memory.path, 4096)}: warning: {plural(more, 'further line')} passed over")
    return memories


def _read_named(tool: Tool, files: Sequence[str]) -> list[SeenFile]:
    try:
        return [tool.read(path) for path in files]
    except OSError as problem:
        raise UsageError(
            f"{visible(str(problem.filename), 4096)} cannot be read: {describe_os_error(problem)}"
        ) from problem


def _read_usual(tool: Tool) -> list[SeenFile]:
    memories: list[SeenFile] = []
    try:
        for path in tool.places(os.environ):
            try:
                memories.append(tool.read(path))
            except FileNotFoundError:
                continue
            except OSError as problem:
                _warn(f"{visible(path, 4096)}: warning: passed over: {describe_os_error(problem)}")
    except OSError as problem:
        _warn(f"{visible(str(problem.filename), 4096)}: warning: passed over: {describe_os_error(problem)}")
    if not memories:
        raise UsageError(
            f"{tool.name} has no memory in its usual place here ({tool.usual})",
            advice=f"name it: --from {tool.name} FILE",
        )
    return memories


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


# --- whose it is ------------------------------------------------------------------------------------------------------


def _match(tool: Tool, client: ClientSettings, named: str | None, memories: Sequence[SeenFile]) -> _Match:
    """Return what the files have of a client's account. Raises UsageError where that is nothing."""
    account = _account_of(client) if named is None else _account(named)
    spelled = tool.spelled(account)
    found = {memory.path: memory.of(spelled) for memory in memories if any(memory.of(spelled))}
    if found:
        uids = dict.fromkeys(uid for uids in found.values() for uid in uids)
        return _Match(client, account, tuple(uids), tuple(found))
    accounts = Counter[str]()
    for memory in memories:
        for each in memory.accounts:
            if each.names:
                accounts[str(each.names[0])] += len(each.uids)
    names = [f"{name} ({plural(number, 'message')})" for name, number in accounts.most_common(_NAMED)]
    if more := len(accounts) - len(names):
        names.append(f"{more} more")
    where = ", ".join(visible(memory.path, 200) for memory in memories[:3]) + (", ..." if len(memories) > 3 else "")
    if not names:
        raise UsageError(f"there is no account in {where}", advice=f"is it of {tool.name}?")
    raise UsageError(
        f"client {visible(client.id)}: nothing is remembered of {account} in {where}",
        advice=f"what there is: {', '.join(names)}; if one of these is the client's, say --account USER@HOST",
    )


def _account_of(client: ClientSettings) -> SeenAccountName:
    server = client.server
    if server.username is None:
        raise UsageError(
            f"client {visible(client.id)} logs in without a username",
            advice="say whose mail is meant: --account USER@HOST",
        )
    return SeenAccountName(server.username, server.host)


def _account(text: str) -> SeenAccountName:
    user, _, host = text.rpartition("@")
    if not user or not host:
        raise UsageError(f"--account is USER@HOST, which '{visible(text, 60)}' is not")
    return SeenAccountName(user, host)
