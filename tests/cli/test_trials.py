"""What `check` finds out about file systems by trying."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from tests.program.process import client, run_program, write_configuration
from tests.support import shim
from tui_popretr.cli import trials
from tui_popretr.cli.preflight import warnings
from tui_popretr.config.reader import load

MAILDIR = "<maildir>{}/mail</maildir>"
FOLDER = "<downloads_directory>{}/mail</downloads_directory>"
POWER = "the file system cannot fsync folders; nothing is lost if the program is killed, but a power cut may lose mail"
LOCKS = "its file system has no file locks that work; name a file on a local disk in <journal>"
LINKS = "has no hard links: the file of a message exists, empty, for a moment before the message replaces it"


def check(tmp_path: Path, inside: str, environ: dict[str, str]) -> list[str]:
    """The warnings of `check`."""
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1", more=inside.format(tmp_path)))
    before = everything(tmp_path)
    done = run_program("check", path, environ=environ)
    assert done.code == 0, done.err
    assert everything(tmp_path) == before, "something was left behind"
    return [line.partition(" warning: ")[2] for line in done.err.splitlines() if " warning: " in line]


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
@pytest.mark.parametrize("inside", [MAILDIR, FOLDER])
def test_folders_that_cannot_be_synced(tmp_path: Path, inside: str, error: int, there: bool) -> None:
    mail = tmp_path / "mail" / "tmp"
    if there:
        mail.mkdir(parents=True)
    told = check(tmp_path, inside, shim.file_system(tmp_path, fsyncdir=error))
    folder = tmp_path if not there else mail if inside is MAILDIR else tmp_path / "mail"
    assert told == [f"client isp: {folder}: {POWER}", f"{tmp_path}: {POWER}"]


@pytest.mark.parametrize("error", [errno.EACCES, errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def test_links(tmp_path: Path, error: int) -> None:
    environ = shim.file_system(tmp_path, link=error)
    assert check(tmp_path, FOLDER, environ) == [f"client isp: the file system of {tmp_path} {LINKS}"]
    assert check(tmp_path, MAILDIR, environ) == []


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"flock": errno.ENOLCK}, []),
        ({"flock": errno.ENOLCK, "ofd": errno.EINVAL}, [LOCKS]),
        ({"setlk": errno.ENOTSUP}, [LOCKS]),
        ({"flock": errno.EACCES}, [LOCKS]),
    ],
)
def test_locks(tmp_path: Path, rules: dict[str, int], told: list[str]) -> None:
    found = check(tmp_path, MAILDIR, shim.file_system(tmp_path, **rules))
    assert found == [f"the journal cannot be kept in {tmp_path}: {each}" for each in told]


def test_locks_that_two_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_popretr.cli.trials.lock", lambda descriptor: None)
    assert trials.of_journal(f"{tmp_path}/journal") == [f"the journal cannot be kept in {tmp_path}: {LOCKS}"]


def test_shared_memory(tmp_path: Path) -> None:
    (told,) = check(tmp_path, MAILDIR, shim.file_system(tmp_path, mmap=errno.ENODEV))
    assert told.startswith(f"the file system of {tmp_path} has no shared memory: the journal works without it")


def test_a_maildir_on_two_file_systems(tmp_path: Path) -> None:
    for name in ("tmp", "new", "cur"):
        (tmp_path / "mail" / name).mkdir(parents=True)
    (told,) = check(tmp_path, MAILDIR, shim.file_system(tmp_path, cross=errno.EXDEV))
    folders = f"{tmp_path}/mail/tmp and {tmp_path}/mail/new"
    assert told == f"client isp: {folders} are on two file systems: no message can be moved from one to the other"


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**options: object) -> None:
        raise OSError(errno.ENOSPC, "x")

    monkeypatch.setattr("tempfile.mkstemp", full)
    assert trials.of_journal(f"{tmp_path}/var/journal") == [f"{tmp_path} cannot be tested: the disk is full"]


def test_a_file_system_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [client(name, "127.0.0.1", more=MAILDIR.format(tmp_path / name)) for name in ("a", "b")]
    settings = load(write_configuration(tmp_path / "c.xml", *clients)).settings
    assert settings is not None
    answer = threading.Event()
    monkeypatch.setattr("tui_popretr.cli.trials.of_journal", lambda path: answer.wait() and [])
    try:
        *_, told = warnings(settings, timeout=0.1)
    finally:
        answer.set()
    assert told == "the journal and the logs: a file system does not answer; check its disk or server"
