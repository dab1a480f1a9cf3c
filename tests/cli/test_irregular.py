"""What is no regular file is refused in words wherever a file is read, and never waited for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.program.process import Done, client, run_program, write_configuration
from tests.support.passwords import PASSWORD
from tests.ui.terminal import on_terminal

#: The path and what is said of it.
Kind = tuple[str, str]


@pytest.fixture(params=["pipe", "endless device", "socket", "folder"])
def kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kind]:
    path = str(tmp_path / "it")
    match request.param:
        case "pipe":
            os.mkfifo(path)
            yield path, "a pipe, not a regular file"
        case "endless device":
            yield "/dev/zero", "a device, not a regular file"
        case "folder":
            os.mkdir(path)
            yield path, "is a directory"
        case _:
            monkeypatch.chdir(tmp_path)  # the path of a socket must be short
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind("it")
                yield path, "no such device or address"


def plain(folder: Path, before: str = "", **how: str) -> str:
    return write_configuration(folder / "c.xml", client("isp", "127.0.0.1:1", **how), before=before)


def as_configuration(folder: Path, path: str) -> Done:
    return run_program("check", path)


def as_naf(folder: Path, path: str) -> Done:
    return run_program("check", plain(folder), "--naf", path)


def as_users_file(folder: Path, path: str) -> Done:
    return run_program("check", plain(folder, f"<directory><users>{path}</users></directory>", more=" "))


def as_memory(folder: Path, path: str) -> Done:
    return run_program("import-seen", plain(folder), "--client", "isp", "--from", "fetchmail", path)


def as_trust_file(folder: Path, path: str) -> Done:
    configuration = Path(plain(folder))
    configuration.write_text(configuration.read_text().replace("</server>", f'</server><ssl tspath="{path}"/>'))
    return run_program("check", str(configuration))


def as_password_file(folder: Path, path: str) -> Done:
    configuration = Path(plain(folder))
    password = f"<password>{PASSWORD}</password>"
    configuration.write_text(configuration.read_text().replace(password, f'<password file="{path}"/>'))
    return run_program("check", str(configuration))


def as_journal(folder: Path, path: str) -> Done:
    return run_program("--headless", "--once", plain(folder, f"<journal>{path}</journal>"))


@pytest.mark.parametrize(
    ("read", "code"),
    [
        (as_configuration, 78),
        (as_naf, 78),
        (as_users_file, 78),
        (as_memory, 64),
        (as_trust_file, 78),
        (as_journal, 73),
        (as_password_file, 0),  # a warning: it may be another when the program runs
    ],
)
def test_it_is_refused_in_words(tmp_path: Path, kind: Kind, read: Callable[[Path, str], Done], code: int) -> None:
    path, words = kind
    done = read(tmp_path, path)
    assert done.code == code, done
    assert path in done.err
    assert words in done.err or "regular file" in done.err or "a folder" in done.err
    assert not os.path.exists(f"{path}.lock") or os.path.isdir(path)
    assert "Traceback" not in done.err


def test_as_a_transcript(kind: Kind) -> None:
    path, words = kind
    with on_terminal("transcript", path) as terminal:
        assert terminal.ended() == 64
        assert words in " ".join(terminal.text.split())
