"""The editor: its command, the line of a client, and the offer to read the configuration again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.dashboard import Played, clients, play
from tui_popretr.commands import Reload
from tui_popretr.ui.screens.confirm import ConfirmScreen
from tui_popretr.ui.shell import editor
from tui_popretr.ui.shell.app import Dashboard

CONFIG = b"""<pop3download>
  <clients>
    <client id="isp" recip="me"/>
    <client recip="me"
            id="work"/>
  </clients>
</pop3download>
"""


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"VISUAL": "nano -w", "EDITOR": "ed"}, ["nano", "-w", "+7", "/c.xml"]),
        ({"VISUAL": " ", "EDITOR": "/usr/bin/vim"}, ["/usr/bin/vim", "+7", "/c.xml"]),
        ({}, ["vi", "+7", "/c.xml"]),
        ({"EDITOR": "'my editor' -x"}, ["my editor", "-x", "+7", "/c.xml"]),
        ({"EDITOR": "code"}, ["code", "--wait", "--goto", "/c.xml:7"]),
    ],
)
def test_the_command_opens_the_file_at_the_line(environ: dict[str, str], words: list[str]) -> None:
    assert editor.command(environ, "/c.xml", 7) == words


@pytest.mark.parametrize(
    ("data", "client", "line"),
    [
        (CONFIG, "isp", 3),
        (CONFIG, "work", 4),
        (CONFIG, "gone", 1),
        (CONFIG, None, 1),
        (None, "isp", 1),
        (CONFIG.replace(b"</clients>", b"<clients>"), "isp", 7),
    ],
)
def test_the_line_of_a_client(data: bytes | None, client: str | None, line: int) -> None:
    assert editor.line_of("c.xml", data, client) == line


def edited(config: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> list[str]:
    """Let the editor be a shell script; return what it is started with."""
    started: list[str] = []

    @contextmanager
    def suspend(_: Dashboard) -> Iterator[None]:
        started.append("suspended")
        yield

    monkeypatch.setattr(Dashboard, "suspend", suspend)
    program = config.parent / "editor"
    program.write_text(f'#!/bin/sh\necho "$@" > "{config.parent}/arguments"\n{script}\n')
    program.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(program))
    return started


def test_e_edits_at_the_client_and_offers_the_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "c.xml"
    config.write_bytes(CONFIG)
    started = edited(config, monkeypatch, f'echo "<!-- -->" >> "{config}"')

    async def scene(shown: Played) -> None:
        await shown.press("j", "E")
        assert started == ["suspended"]
        assert (tmp_path / "arguments").read_text() == f"+4 {config}\n"
        assert isinstance(shown.app.screen, ConfirmScreen)
        assert shown.source.performed == []
        await shown.press("y")
        assert shown.source.performed == [Reload()]

    play(scene, clients("isp", "work"), config=str(config))


def test_an_unchanged_configuration_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "c.xml"
    config.write_bytes(CONFIG)
    edited(config, monkeypatch, "exit 3")

    async def scene(shown: Played) -> None:
        await shown.press("E")
        assert not isinstance(shown.app.screen, ConfirmScreen)
        assert shown.notices == ["the editor ended with code 3"]

    play(scene, clients("isp"), config=str(config))


@pytest.mark.parametrize("visual", ["/nowhere/editor", "'"])
def test_an_editor_that_cannot_be_started_is_a_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visual: str
) -> None:
    config = tmp_path / "c.xml"
    config.write_bytes(CONFIG)
    edited(config, monkeypatch, "")
    monkeypatch.setenv("VISUAL", visual)

    async def scene(shown: Played) -> None:
        await shown.press("E")
        assert "cannot be started" in shown.notices[0] or "no editor can be started" in shown.notices[0]

    play(scene, clients("isp"), config=str(config))
