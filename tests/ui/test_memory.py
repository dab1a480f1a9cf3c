"""What the dashboard remembers: theme, order, form of the transcript, columns. A bad file is as good as none."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, clients, play
from tui_popretr.facts import ClientScheduled
from tui_popretr.ui.model.memory import Remembered, recall, remember, state_folder

CHOICES = Remembered("nord", "due", True, False, False, {"Log": ["Client"]})
START = FakeClock().boottime()


def test_choices_are_written_and_read(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "program"
    remember(str(folder), CHOICES)
    assert recall(str(folder)) == CHOICES
    assert os.listdir(folder) == ["dashboard.json"]
    assert (folder / "dashboard.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "[" * 60_000, "\xff", '{"theme": 1, "wrap": "no", "hidden": 3}']
)
def test_a_bad_file_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "dashboard.json").write_text(text, encoding="latin-1")
    assert recall(str(tmp_path)) == Remembered()


@pytest.mark.parametrize("kind", ["pipe", "device", "directory", "loop", "huge"])
def test_what_is_no_file_of_ours_blocks_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "dashboard.json"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "directory":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "huge":
            path.write_text("[" + " " * 1_000_000 + "]")
    assert recall(str(tmp_path)) == Remembered()
    remember(str(tmp_path), CHOICES)
    assert recall(str(tmp_path)) == (Remembered() if kind == "directory" else CHOICES)
    assert os.listdir(tmp_path) == ["dashboard.json"]


@pytest.mark.parametrize("hidden", [{"Clients": ["Client", "State", "x"], "x": []}, {"Messages": ["\ud800", ""]}])
def test_what_is_remembered_of_another_version(hidden: dict[str, list[str]]) -> None:
    async def scene(shown: Played) -> None:
        await shown.press("t", "s", "2", "4")
        assert "a" in shown.text

    play(scene, clients("a"), remembered=Remembered("\x1b[2J", "no order", hidden=hidden))


def test_what_is_right_in_a_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "dashboard.json").write_text(json.dumps({**asdict(CHOICES), "order": 3, "future": 1}))
    assert recall(str(tmp_path)) == Remembered("nord", "", True, False, False, {"Log": ["Client"]})


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remember(str(tmp_path / "file"), CHOICES)
    remember(os.devnull, CHOICES)
    remember(None, CHOICES)
    assert recall(None) == Remembered()


def test_without_a_home_nothing_is_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "gone"))
    assert state_folder() is None
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert state_folder() == str(tmp_path / ".local" / "state" / "tui-popretr")


def test_an_unchanged_file_is_not_written(tmp_path: Path) -> None:
    remember(str(tmp_path), CHOICES)
    before = (tmp_path / "dashboard.json").stat()
    remember(str(tmp_path), CHOICES)
    assert (tmp_path / "dashboard.json").stat().st_ino == before.st_ino


def test_the_dashboard_begins_as_it_is_remembered() -> None:
    async def scene(shown: Played) -> None:
        assert shown.app.theme == "nord"
        assert "exchanges" in shown.text
        assert shown.app._list.rows == ("b", "a")
        assert "Level" in (await tab(shown, "3"))
        assert "Client" not in shown.styled("Level").text
        assert shown.app.remembered == CHOICES

    play(
        scene, clients("a", "b"), ClientScheduled("a", START + 90), ClientScheduled("b", START + 60), remembered=CHOICES
    )


async def tab(shown: Played, key: str) -> str:
    await shown.press(key)
    return shown.text


def test_choices_of_the_user_are_remembered() -> None:
    async def scene(shown: Played) -> None:
        assert shown.app.remembered == Remembered(order="configuration")
        await shown.press("t", "s", "C", "4", "escape", "tab", "w", "T", "e")
        assert shown.app.remembered == Remembered("light", "state", True, False, False, {"Clients": ["Last result"]})

    play(scene, clients("a"))


def test_columns_are_hidden_and_shown_by_number() -> None:
    async def scene(shown: Played) -> None:
        assert "Last result" in shown.text
        await shown.press("C", "4", "2", "escape")
        assert "Last result" not in shown.text
        assert "Client" in shown.styled("State").text  # always shown
        await shown.press("C", "4", "escape")
        assert "Last result" in shown.text

    play(scene, clients("a"))
