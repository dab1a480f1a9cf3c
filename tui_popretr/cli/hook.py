"""`hook`: runs the hooks of an event once, with sample data."""

from __future__ import annotations

import signal
from argparse import Namespace
from typing import Final

import trio

from tui_popretr.cli import configuration
from tui_popretr.cli.config_path import locate
from tui_popretr.clock import SystemClock
from tui_popretr.config.choices import HookEvent
from tui_popretr.config.describe import client_info
from tui_popretr.config.model import ClientSettings, HookSettings, Settings
from tui_popretr.config.problems import Severity
from tui_popretr.control.snapshots import client_to_json
from tui_popretr.engine.hooks.rules import Occurrence
from tui_popretr.engine.hooks.running import HookEnd, name_of, run_hook
from tui_popretr.errors import ConfigurationError, ExitCode
from tui_popretr.process.children import ChildProcesses
from tui_popretr.process.signals import ending_signals
from tui_popretr.status import ClientView
from tui_popretr.text import visible

#: What the hooks of an event get: the text, and the exit code of the session.
_SAMPLES: Final = {
    HookEvent.FAILED: ("{} failed 3 times in a row: this is a test of the hook", ExitCode.UNAVAILABLE),
    HookEvent.RECOVERED: ("{} works again after 3 failed sessions: this is a test of the hook", ExitCode.OK),
    HookEvent.DELIVERED: ("{}: 2 messages (4 kB) delivered: this is a test of the hook", ExitCode.OK),
    HookEvent.LOGIN: ("{}: the login was rejected: this is a test of the hook", ExitCode.LOGIN),
    HookEvent.CERTIFICATE: ("{}: the certificate expires in 10 days: this is a test of the hook", ExitCode.OK),
    HookEvent.STALE: ("{}: no mail for 7 days: this is a test of the hook", ExitCode.OK),
    HookEvent.KEPT: ("{}: 1 message arrived cut short: this is a test of the hook", ExitCode.OK),
}
_FAILURES: Final = {HookEvent.FAILED: 3, HookEvent.RECOVERED: 3, HookEvent.LOGIN: 1}


def sample(event: HookEvent, client: str) -> Occurrence:
    """Return an event as it could happen."""
    text, code = _SAMPLES[event]
    messages = 2 if event is HookEvent.DELIVERED else 0
    return Occurrence(event, client, text.format(client), messages, _FAILURES.get(event, 0), code)


def run(arguments: Namespace) -> int:
    """Run the hooks of an event and return the exit code; 128 + signal if one ended it. Raises PopretrError."""
    file = locate(arguments.config, arguments.naf)
    settings = configuration.read(file, shown=frozenset({Severity.ERROR}))
    (client,) = configuration.choose(settings, [arguments.client]).clients
    event = HookEvent(arguments.on)
    hooks = [hook for hook in settings.hooks if hook.on is event]
    if not hooks:
        raise ConfigurationError(
            f"{visible(settings.path, 4096)} has no hook on {event.value}",
            advice=f'add one: <hooks><hook on="{event.value}">COMMAND</hook></hooks>',
        )
    received, ends = trio.run(_run_until_signal, hooks, sample(event, client.id), settings, client)
    if received == signal.SIGINT:
        raise KeyboardInterrupt
    if received is not None:
        return 128 + received
    return ExitCode.OK if all(end.ok for end in ends) else ExitCode.UNAVAILABLE


async def _run_until_signal(
    hooks: list[HookSettings], occurrence: Occurrence, settings: Settings, client: ClientSettings
) -> tuple[int | None, list[HookEnd]]:
    """Run hooks; return the signal that ended this, or how they ended. A signal kills the hook with its children."""
    received: list[int] = []

    async def watch() -> None:
        async for number in signals:
            received.append(number)
            nursery.cancel_scope.cancel()

    ends: list[HookEnd] = []
    with trio.open_signal_receiver(*ending_signals()) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            ends = await _run_all(hooks, occurrence, settings, client)
            nursery.cancel_scope.cancel()
    return (received[0] if received else None), ends


async def _run_all(
    hooks: list[HookSettings], occurrence: Occurrence, settings: Settings, client: ClientSettings
) -> list[HookEnd]:
    clock, children = SystemClock(), ChildProcesses()
    view = ClientView(client_info(client, settings.timeout))
    status = client_to_json(view, clock.boottime(), clock.now())
    ends: list[HookEnd] = []
    for hook in hooks:
        end = await run_hook(hook, occurrence, status, children, settings.password_variables)
        for line in end.lines:
            print(f"{name_of(hook)}: {line}")
        print(f"{name_of(hook)} {end.text}", flush=True)
        ends.append(end)
    return ends
