"""The real program on file systems with missing operations: the deliveries that still work, and the errors."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.crash.cases import Case, Keeping, Kind, Server
from tests.crash.scene import staged
from tests.program.steps import Orders
from tests.support import shim
from tui_popretr.errors import ExitCode
from tui_popretr.faultpoints import Step

COUNT = 6
POWER = "the file system cannot fsync folders; nothing is lost if the program is killed, but a power cut may lose mail"


def case_of(kind: Kind) -> Case:
    return Case(kind, Server.PIPELINING, Keeping.NOTHING)


@pytest.mark.parametrize("kind", [Kind.MAILDIR, Kind.FOLDER])
@pytest.mark.parametrize(
    "rules",
    [
        {"link": errno.EACCES},
        {"link": errno.EXDEV},
        {"statvfs": errno.ENOSYS},
        {"free": 0},
        {"flock": errno.ENOTSUP},
        {"mmap": errno.ENODEV},
    ],
    ids=str,
)
def test_what_is_missing_and_not_needed(tmp_path: Path, kind: Kind, rules: dict[str, int]) -> None:
    with staged(tmp_path, case_of(kind), COUNT, shim.file_system(tmp_path, **rules)) as (scene, _):
        scene.finish()
        assert "WARN" not in scene.site.said
        assert POWER not in scene.site.trace()


@pytest.mark.parametrize("kind", [Kind.MAILDIR, Kind.FOLDER])
@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
def test_each_start_says_where_folders_cannot_be_synced(tmp_path: Path, kind: Kind, error: int) -> None:
    with staged(tmp_path, case_of(kind), COUNT, shim.file_system(tmp_path, fsyncdir=error)) as (scene, _):
        scene.finish()
        assert scene.site.trace().count(f"WARNING {tmp_path}/var: {POWER}") == 1
        scene.add(COUNT)
        scene.finish()
        assert scene.site.trace().count(POWER) == 2


def test_a_maildir_on_two_file_systems(tmp_path: Path) -> None:
    rules = shim.file_system(tmp_path / "mail", cross=errno.EXDEV)
    with staged(tmp_path, case_of(Kind.MAILDIR), COUNT, rules) as (scene, _):
        assert scene.site.once(environ=rules).code == ExitCode.CANT_CREATE
        assert "tmp and new of the Maildir are on two file systems, or two mounts of one" in scene.site.said
        assert "mount the disk on the Maildir as a whole, not on one of its folders" in scene.site.said
        assert scene.place.unfinished() == []
        assert scene.interrupted() == []


def test_an_interrupted_delivery_where_link_has_ceased_to_work(tmp_path: Path) -> None:
    """The folder is on another file system now."""
    with staged(tmp_path, case_of(Kind.FOLDER), COUNT) as (scene, _):
        assert scene.killed(Orders(Step.DELIVERING.name))
        assert scene.interrupted()
        assert scene.site.once(environ=shim.poorest(tmp_path)).code == 0
        scene.look()
        scene.finish()
