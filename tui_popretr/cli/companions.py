"""The tasks beside the sessions: the control socket, hooks, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_popretr.engine.service import Engine

if TYPE_CHECKING:
    from tui_popretr.control.daemon import EngineDaemon


def add_daemon(engine: Engine, config: str) -> None:
    """Add the companions of a daemon. `config` is the path of the configuration file."""
    from tui_popretr.control.daemon import ControlTask

    task = ControlTask(engine, config)
    engine.companions.append(task)
    _add_observers(engine, task.daemon)


def add_once(engine: Engine) -> None:
    """Add the companions of a single run; without hooks and metrics none, so that it starts quickly."""
    if engine.settings.hooks or engine.settings.metrics:
        from tui_popretr.control.daemon import EngineDaemon

        daemon = EngineDaemon(engine)
        engine.companions.append(daemon)
        _add_observers(engine, daemon)


def _add_observers(engine: Engine, daemon: EngineDaemon) -> None:
    from tui_popretr.engine.hooks.task import HooksTask
    from tui_popretr.engine.metrics import MetricsTask

    engine.companions.append(HooksTask(engine, daemon.client))
    engine.companions.append(MetricsTask(engine, daemon.clients))
