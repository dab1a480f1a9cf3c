"""`login`: gets tokens for a client with <oauth>, and tests a session; --logout revokes and forgets them."""

from __future__ import annotations

from argparse import Namespace

import trio

from tui_popretr.cli import configuration
from tui_popretr.cli.config_path import locate
from tui_popretr.cli.login.accounts import logins_of
from tui_popretr.cli.login.logout import log_out
from tui_popretr.cli.login.obtain import LoginRequest, log_in
from tui_popretr.cli.login.session import try_sessions
from tui_popretr.cli.login.terminal import Terminal
from tui_popretr.clock import SystemClock
from tui_popretr.config.oauth import OAuth, Use
from tui_popretr.config.problems import Severity
from tui_popretr.engine.service import connect_tcp
from tui_popretr.errors import ExitCode, PopretrError, TokenFileDamaged, worst
from tui_popretr.net.http import request
from tui_popretr.net.resolver import Resolver
from tui_popretr.oauth.choice import Flow
from tui_popretr.oauth.files import TokenFiles
from tui_popretr.oauth.provider import Web
from tui_popretr.session.setup import Connector
from tui_popretr.wording import sentence


def run(arguments: Namespace, *, connector: Connector = connect_tcp, web: Web = request) -> int:
    """Log in, or out, for one client; return the exit code. Raises PopretrError."""
    everything = configuration.read(locate(arguments.config, arguments.naf), shown=frozenset({Severity.ERROR}))
    settings = configuration.choose(everything, [arguments.client])
    use = Use(arguments.use) if arguments.use else None
    logins = logins_of(settings.clients[0], use)
    terminal = Terminal(quiet=bool(arguments.quiet))

    async def log_out_of_each() -> ExitCode:
        trio.socket.set_custom_hostname_resolver(Resolver())
        return worst([await log_out(each, terminal, web) for each in logins])

    async def log_in_to_each() -> ExitCode:
        trio.socket.set_custom_hostname_resolver(Resolver())
        wanted = LoginRequest(Flow(arguments.flow) if arguments.flow else None, arguments.port or 0)
        missing = [each for each in logins if use is not None or not await _has_token(each, terminal)]
        for each in missing:
            await log_in(each, wanted, terminal, web)
        if not missing:
            terminal.report("There is a token already.")
        problems = await try_sessions(settings, use, terminal, connector)
        refused = [each for each in logins if each not in missing and _is_refused(problems.get(each.use))]
        for each in refused:
            reason = str(problems[each.use]).removeprefix(f"{each.again}: ")
            terminal.say(f"It fails: {reason}. So a new login is needed.\n")
            await log_in(each, wanted, terminal, web)
        if refused:
            problems = await try_sessions(settings, use, terminal, connector)
        for problem in list(problems.values())[1:]:
            terminal.say(sentence(str(problem)))
        if problems:
            raise next(iter(problems.values()))
        if not missing and not refused:
            uses = " or ".join(f"--for {each.use.value}" for each in logins)
            terminal.report(f"To log in again all the same, add {uses}.")
        return ExitCode.OK

    return trio.run(log_out_of_each if arguments.logout else log_in_to_each)


def _is_refused(problem: PopretrError | None) -> bool:
    """Whether a server does not accept a token, or it cannot be renewed."""
    return problem is not None and problem.exit_code is ExitCode.LOGIN


async def _has_token(oauth: OAuth, terminal: Terminal) -> bool:
    """Whether there is a token that is valid, or can be renewed."""
    try:
        tokens = await TokenFiles().load(oauth)
    except TokenFileDamaged as problem:
        terminal.say(sentence(str(problem)))
        return False
    return tokens is not None and (tokens.refresh is not None or tokens.valid(SystemClock().now().timestamp()))
