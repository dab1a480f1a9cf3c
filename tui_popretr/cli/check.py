"""`check`: reports what is wrong with a configuration, or what it will do; with --connect also tests the servers."""

from __future__ import annotations

import sys
from argparse import Namespace

from tui_popretr.cli import configuration, preflight
from tui_popretr.cli.config_path import locate
from tui_popretr.config.describe import describe
from tui_popretr.config.model import Settings
from tui_popretr.config.problems import Severity
from tui_popretr.errors import ConfigurationError, ExitCode
from tui_popretr.net.tls import TlsContexts
from tui_popretr.text import visible
from tui_popretr.wording import plural


def run(arguments: Namespace) -> int:
    """Check a configuration and return the exit code. Raises PopretrError."""
    everything = configuration.read(locate(arguments.config, arguments.naf), shown=frozenset(Severity))
    settings = configuration.choose(everything, arguments.clients)
    for warning in preflight.warnings(settings):
        print(f"{visible(settings.path)}: warning: {warning}", file=sys.stderr)
    _load_tls_files(settings)
    if arguments.connect:
        from tui_popretr.cli import check_connect

        return check_connect.check(settings)
    for client in settings.clients:
        print(f"{visible(client.id)}: {describe(client)}")
    if settings.disabled and not arguments.clients:
        print(f"Disabled: {visible(', '.join(settings.disabled), 4096)}")
    return ExitCode.OK


def _load_tls_files(settings: Settings) -> None:
    """Load the TLS files of every client. Reports every error, then raises ConfigurationError."""
    contexts = TlsContexts()  # clients with the same files share one, because loading a trust store takes long
    failed: list[ConfigurationError] = []
    for client in settings.clients:
        if client.server.tls is None:
            continue
        try:
            contexts.trust_for(client.server.tls)
        except ConfigurationError as problem:
            failed.append(problem)
            print(f"{visible(settings.path)}: error: client {visible(client.id)}: {problem}", file=sys.stderr)
    if failed:
        advice = next((problem.advice for problem in failed if problem.advice), "")
        errors = plural(len(failed), "error")
        raise ConfigurationError(f"{visible(settings.path)} cannot be used: {errors}", advice=advice)
