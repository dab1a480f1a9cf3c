"""Audit, transcript and trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.helpers import client, error_of, load_text, messages, settings_of, task, warnings
from tui_popretr.config.choices import Rotation
from tui_popretr.config.model import LogSettings
from tui_popretr.config.problems import Severity
from tui_popretr.logs.trace import parse_level


def log(folder: Path, element: str) -> LogSettings | None:
    return settings_of(load_text(folder, task(client(), before=element))).transcript


def test_defaults(tmp_path: Path) -> None:
    assert log(tmp_path, "<transcript>t.log</transcript>") == LogSettings(
        str(tmp_path / "t.log"), Rotation.NEVER, None, 8192, 1.0, "info"
    )


def test_all_attributes(tmp_path: Path) -> None:
    before = """<trace rot="Weekly" maxfile="10M" buffer="16K" flush="5s" level="WARN">%DIRLOG%/t-%DT%.log</trace>"""
    assert settings_of(load_text(tmp_path, task(client(), before=before))).trace == LogSettings(
        str(tmp_path / "var/logs/t-%DT%.log"), Rotation.WEEKLY, 10 * 1024**2, 16384, 5.0, "warning"
    )


def test_time_tokens_stay_and_folder_tokens_go(tmp_path: Path) -> None:
    found = log(tmp_path, "<transcript>%DIRVAR%/%SYSNAME%/Y%Y%/%M%%D%-%h%%m%%s%-%PID%-%DT%</transcript>")
    assert found is not None
    assert found.path == str(tmp_path / "var/myhost/Y%Y%/%M%%D%-%h%%m%%s%-%PID%-%DT%")


@pytest.mark.parametrize("name", ["%stdout%", "%stderr%"])
def test_standard_streams(tmp_path: Path, name: str) -> None:
    found = log(tmp_path, f"<transcript>{name}</transcript>")
    assert found is not None
    assert found.path == name


@pytest.mark.parametrize("rotation", list(Rotation))
def test_rotations(tmp_path: Path, rotation: Rotation) -> None:
    found = log(tmp_path, f'<transcript rot="{rotation.value}" flush="0">t</transcript>')
    assert found is not None
    assert (found.rotation, found.flush) == (rotation, 0.0)


@pytest.mark.parametrize("element", ["", '<transcript enabled="N">t</transcript>', "<transcript>-</transcript>"])
def test_off(tmp_path: Path, element: str) -> None:
    assert log(tmp_path, element) is None


def test_a_log_without_a_file_is_off_with_a_warning(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, task(client(), before='<audit rot="daily"/>'))
    assert settings_of(loaded).audit is None
    assert warnings(loaded) == ["<audit> names no file, so it is off"]


@pytest.mark.parametrize(
    ("written", "level"),
    [
        *((word, word) for word in ("debug", "info", "warning", "error", "off")),
        *((word, "debug") for word in ("trace", "TRC", "trc2", "TRC3", "Trc4", "trc5", "ALL")),
        ("WARN", "warning"),
        ("Err", "error"),
    ],
)
def test_greylog_levels_are_accepted(tmp_path: Path, written: str, level: str) -> None:
    loaded = load_text(tmp_path, task(client(), before=f'<trace level="{written}">a.log</trace>'))
    trace = settings_of(loaded).trace
    assert trace is not None
    assert trace.level == level
    parse_level(trace.level)


def test_level_is_for_the_trace_only(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, task(client(), before='<audit level="info">a.log</audit>'))
    assert messages(loaded, Severity.NOTE) == ["level has no effect on <audit> and is ignored"]


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ('<audit rot="dayly">a</audit>', "did you mean 'daily'?"),
        ('<audit maxfile="10 MB">a</audit>', "maxfile: '10 MB' is not a size"),
        ('<audit buffer="x">a</audit>', "buffer: 'x' is not a size"),
        ('<audit flush="often">a</audit>', "flush: 'often' is not a time"),
        ('<trace level="loud">a</trace>', "level: 'loud' is not one of"),
        ('<audit enabled="perhaps">a</audit>', "enabled: 'perhaps' is neither"),
        ("<audit>%DIRLOG%/</audit>", "is a folder; name a file"),
        ("<audit>%U%.log</audit>", "%U% is unknown here"),
        ("<audit>%stdout%.log</audit>", "%stdout% is unknown here"),
    ],
)
def test_wrong_settings(tmp_path: Path, element: str, message: str) -> None:
    assert message in error_of(tmp_path, task(client(), before=element))
