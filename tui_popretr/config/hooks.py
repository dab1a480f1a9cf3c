"""The settings of hooks and metrics."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tui_popretr.config import values
from tui_popretr.config.choices import COUNTED_EVENTS, LASTING_EVENTS, HookEvent
from tui_popretr.config.command import command_warnings
from tui_popretr.config.model import HookSettings, MetricsSettings
from tui_popretr.config.section import Section
from tui_popretr.config.values import did_you_mean, quote

#: The default of `after` for stale.
_STALE = 7 * 86400.0


def read_hooks(task: Section, clients: Collection[str], *, complete: bool) -> tuple[HookSettings, ...]:
    """Return the hooks. `clients`: the known ids; `complete`: all of them, so that another id is an error."""
    group = task.child("hooks")
    sections = group.children("hook") if group else []
    found = [_read_hook(section, clients if complete else None) for section in sections]
    return tuple(hook for hook in found if hook is not None)


def _read_hook(section: Section, known: Collection[str] | None) -> HookSettings | None:
    on: HookEvent | None = section.field(HookSettings, "on")
    argv = section.text(values.command_line, None)
    if argv is None and not section.own_value().text and not section.has_errors:
        section.error("<hook> contains no command")
    for warning in command_warnings(argv or ()):
        section.warning(warning)
    ids = section.field(HookSettings, "clients") or ()
    for id_ in ids:
        if known is not None and id_ not in known:
            section.error(f"there is no client {quote(id_)}{did_you_mean(id_, known)}", section.place_of("client"))
    if on is None or argv is None:
        return None
    hook = section.read(HookSettings, on=on, argv=argv, after=_after(section, on), clients=ids)
    if "every" in section.node.attributes and on not in LASTING_EVENTS:
        _refuse(section, "every", on)
    return hook


def _after(section: Section, on: HookEvent) -> float:
    if on is HookEvent.STALE:
        age: Any = section.field(HookSettings, "after", parse=values.positive_duration, shortest=1.0)
        return _STALE if age is None else float(age)
    if on in COUNTED_EVENTS:
        count: Any = section.field(HookSettings, "after", parse=values.count(1))
        return 1.0 if count is None else float(count)
    if "after" in section.node.attributes:
        _refuse(section, "after", on)
    return 1.0


def _refuse(section: Section, name: str, on: HookEvent) -> None:
    section.error(f'{name} has no meaning with on="{on.value}"; remove it', section.place_of(name))


def read_metrics(task: Section) -> MetricsSettings | None:
    """Return the settings of the metrics file, None if there is none."""
    section = task.child("metrics")
    if section is None:
        return None
    path = section.text(section.context.resolve, None)
    if path is None and not section.own_value().text and not section.has_errors:
        section.warning("<metrics> names no file, so it is off")
    return section.read(MetricsSettings, path=path) if path else None
