"""The settings of audit, transcript and trace, with GreyLog's attributes."""

from __future__ import annotations

from tui_popretr.config import values
from tui_popretr.config.model import LogSettings, Rotation
from tui_popretr.config.paths import PathResolver
from tui_popretr.config.section import Section

_ROTATIONS = {rotation.value: rotation for rotation in Rotation}
# GreyLog's own words beside ours
_LEVELS = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "trace": "debug",
    "warn": "warning",
    "err": "error",
    **dict.fromkeys(("trc", "trc2", "trc3", "trc4", "trc5", "all"), "debug"),
    "off": "off",
}
_TRACE = "trace"


def read_log(task: Section, name: str, resolver: PathResolver) -> LogSettings | None:
    """Return the settings of a log, None where it is absent or switched off."""
    section = task.active(name)
    if section is None:
        return None
    rotation = section.attribute("rot", values.choice(_ROTATIONS), Rotation.NEVER.value)
    max_size = section.attribute("maxfile", values.size, None)
    buffer = section.attribute("buffer", values.size, 8192)
    flush = section.attribute("flush", values.duration, 1.0)
    level = section.attribute("level", values.choice(_LEVELS), "info")
    if name != _TRACE and (value := section.attribute_value("level")):
        section.context.report.note(value.place, f"level has no effect on <{name}> and is ignored")
    value = section.own_value()
    path = section.parsed(value, resolver.log_path, None)
    if path is None:
        if not value.text and not section.spoiled:
            section.warning(f"<{name}> names no file, so it is off")
        return None
    return LogSettings(path, _ROTATIONS[rotation], max_size or None, buffer, flush, _LEVELS[level])
