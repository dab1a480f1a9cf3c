"""Which browser is opened, and that none takes the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.waiting import wait_for
from tui_popretr.cli.login.webbrowser import browser_command, open_address

ADDRESS = "https://provider.test/authorize?state=a&b=c"


@pytest.mark.parametrize(
    ("environ", "platform", "command"),
    [
        ({}, "linux", []),
        ({"DISPLAY": ":0"}, "linux", ["xdg-open", ADDRESS]),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", ["xdg-open", ADDRESS]),
        ({}, "darwin", ["open", ADDRESS]),
        ({"BROWSER": "firefox"}, "linux", ["firefox", ADDRESS]),
        ({"BROWSER": "firefox:lynx"}, "linux", ["firefox", ADDRESS]),
        ({"BROWSER": "'my browser' --tab=%s"}, "linux", ["my browser", f"--tab={ADDRESS}"]),
        ({"BROWSER": "'"}, "linux", []),
        ({"BROWSER": " ", "DISPLAY": ":0"}, "linux", []),
    ],
)
def test_the_command(environ: dict[str, str], platform: str, command: list[str]) -> None:
    assert browser_command(ADDRESS, environ, platform) == command


def test_it_is_started_apart_from_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    lines = ("#!/bin/sh", f'echo "$1" "$(readlink /proc/$$/fd/0)" >{opened}.part', f"mv {opened}.part {opened}", "")
    browser.write_text("\n".join(lines))
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    assert open_address(ADDRESS)
    wait_for(opened.exists, "the browser")
    assert opened.read_text() == f"{ADDRESS} /dev/null\n"


def test_a_browser_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "/nowhere/browser")
    assert not open_address(ADDRESS)
    monkeypatch.setenv("BROWSER", "/dev/null")
    assert not open_address(ADDRESS)
