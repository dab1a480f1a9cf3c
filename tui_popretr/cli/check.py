"""`check`: reports what is wrong with a configuration, or what it will do; with --connect also tests the servers."""

from __future__ import annotations

import sys
from argparse import Namespace

from tui_popretr.cli import configuration, preflight
from tui_popretr.cli.config_path import locate
from tui_popretr.cli.folding import folded
from tui_popretr.config.describe import describe
from tui_popretr.config.describe_program import describe_program
from tui_popretr.config.model import Settings
from tui_popretr.config.problems import Problem, Severity
from tui_popretr.config.reader import load
from tui_popretr.errors import ConfigurationError, ExitCode, worst
from tui_popretr.net.tls import TlsContexts
from tui_popretr.text import visible
from tui_popretr.wording import plural


def run(arguments: Namespace) -> int:
    """Check a configuration and return the exit code. Raises PopretrError."""
    if arguments.json:
        return _run_json(arguments)
    everything = configuration.read(locate(arguments.config, arguments.naf), shown=frozenset(Severity))
    settings = configuration.choose(everything, arguments.clients)
    for warning in preflight.warnings(settings):
        print(folded(f"{visible(settings.path)}: warning: {warning}", sys.stderr), file=sys.stderr)
    _load_tls_files(settings)
    if arguments.connect:
        from tui_popretr.cli import check_connect

        return check_connect.check(settings)
    for client in settings.clients:
        print(folded(f"{visible(client.id)}: {describe(client)}"))
    if not arguments.clients:
        print(folded("\n".join(describe_program(settings))))
    if settings.disabled and not arguments.clients:
        print(folded(f"Disabled: {visible(', '.join(settings.disabled), 4096)}"))
    return ExitCode.OK


def _run_json(arguments: Namespace) -> int:
    """Print the report as JSON and return the exit code."""
    from tui_popretr.cli.reports import Json, check_report, print_report

    file = locate(arguments.config, arguments.naf)
    loaded = load(file.path, var=file.var, naf=file.naf)
    problems = list(loaded.problems)
    if loaded.settings is None:
        print_report(check_report(file, ExitCode.CONFIGURATION, problems, (), ()))
        return ExitCode.CONFIGURATION
    settings = configuration.choose(loaded.settings, arguments.clients)
    problems += [Problem(settings.path, 1, 1, Severity.WARNING, text) for text in preflight.warnings(settings)]
    errors = [
        Problem(settings.path, 1, 1, Severity.ERROR, f"client {client}: {problem}")
        for client, problem in _tls_errors(settings)
    ]
    code, clients = ExitCode.CONFIGURATION if errors else ExitCode.OK, list[Json]()
    if not errors and arguments.connect:
        from tui_popretr.cli import check_connect

        clients = check_connect.reports(settings)
        code = worst([ExitCode(each["exit_code"]) for each in clients])
    elif not errors:
        clients = [{"id": client.id, "description": describe(client)} for client in settings.clients]
    program = () if errors or arguments.connect else describe_program(settings)
    print_report(check_report(file, code, [*problems, *errors], clients, settings.disabled, program))
    return code


def _tls_errors(settings: Settings) -> list[tuple[str, ConfigurationError]]:
    """Load the TLS files of every client. Return the errors, each with the id of its client."""
    contexts = TlsContexts()  # clients with the same files share one, because loading a trust store takes long
    failed = []
    for client in settings.clients:
        if client.server.tls is not None:
            try:
                contexts.of(client.server.tls)
            except ConfigurationError as problem:
                failed.append((visible(client.id), problem))
    return failed


def _load_tls_files(settings: Settings) -> None:
    """Load the TLS files of every client. Prints every error, then raises ConfigurationError."""
    failed = _tls_errors(settings)
    for client, problem in failed:
        text = f"{visible(settings.path)}: error: client {client}: {problem}"
        print(folded(text, sys.stderr), file=sys.stderr)
    if failed:
        advice = next((problem.advice for _, problem in failed if problem.advice), "")
        errors = plural(len(failed), "error")
        raise ConfigurationError(f"{visible(settings.path)} cannot be used: {errors}", advice=advice)
