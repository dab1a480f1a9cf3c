"""The settings of audit, transcript and trace, with GreyLog's attributes."""

from __future__ import annotations

from tui_popretr.config.model import LogSettings
from tui_popretr.config.paths import PathResolver
from tui_popretr.config.section import Section

_TRACE = "trace"
LOGS = ("audit", "transcript", _TRACE)


def read_log(task: Section, name: str, resolver: PathResolver) -> LogSettings | None:
    """Return the settings of a log, None where it is absent or switched off."""
    section = task.active(name)
    if section is None:
        return None
    text = section.own_value()
    path = section.parsed(text, resolver.log_path, None)
    settings = section.read(LogSettings, path=path)
    if name != _TRACE and (level := section.attribute_value("level")):
        section.context.report.note(level.place, f"level has no effect on <{name}> and is ignored")
    if path is None and not text.text and not section.has_errors:
        section.warning(f"<{name}> names no file, so it is off")
    return settings if path else None
