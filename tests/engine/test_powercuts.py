"""Which places are named whose folders cannot be fsynced."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.program.process import client, write_configuration
from tui_popretr.config.model import Settings
from tui_popretr.config.reader import load
from tui_popretr.engine.powercuts import unsafe_folders

INSIDE = (
    "<maildir>{}/a/Maildir</maildir>",
    "<downloads_directory>{}/b/mail</downloads_directory>",
    '<mda command="true"/>',
    '<smtp enabled="Y"><sender>me@example.test</sender><rejected>{}/c/refused</rejected></smtp>',
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    clients = [client(f"c{n}", f"{n}.test", more=inside.format(tmp_path)) for n, inside in enumerate(INSIDE)]
    clients[3] = clients[3].replace('recip="c3"', 'recip="c3@example.test"')
    found = load(write_configuration(tmp_path / "c.xml", *clients, before=f"<journal>{tmp_path}/d/journal</journal>"))
    assert found.settings is not None, found.problems
    return found.settings


def test_one_place_of_each_file_system(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unsafe_folders(settings) == []
    devices = {"a": 1, "b": 2, "c": 3, "d": 1}
    for name in devices:
        (tmp_path / name).mkdir()
    stat = os.stat

    def device_of(path: str) -> os.stat_result:
        return os.stat_result((0, 0, devices[os.path.basename(path)], *stat(path)[3:]))

    monkeypatch.setattr("tui_popretr.engine.powercuts.os.stat", device_of)
    monkeypatch.setattr("tui_popretr.engine.powercuts.fsync_folder", lambda folder: folder.endswith("/b"))
    assert unsafe_folders(settings) == [f"{tmp_path}/d", f"{tmp_path}/c/refused"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "c.xml", "d"]


def test_places_that_cannot_be_looked_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether they can be used shows later."""

    def fail(folder: str) -> bool:
        raise OSError(errno.EIO, folder)

    monkeypatch.setattr("tui_popretr.engine.powercuts.fsync_folder", fail)
    assert unsafe_folders(settings) == []
