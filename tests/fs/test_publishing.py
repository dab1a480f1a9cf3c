"""The final name in a folder whose file system has no hard links: never over anything that exists, and never half."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.delivery.making import WHEN, Place, finish, path_of, prepare
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.errors import CannotCreate, DeliveryFailed
from tui_popretr.fs.publishing import publish_by_link, publish_by_rename

ERRNOS = (errno.EACCES, errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL, errno.EIO)


def failing(problem: Exception) -> Callable[..., None]:
    def fail(*arguments: object, **options: object) -> None:
        raise problem

    return fail


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("folder", tmp_path / "mail")


@pytest.fixture
def draft(place: Place) -> FileDraft:
    """Ready to be published."""
    made = place.sink().open(7, WHEN)
    made.write(b"message")
    prepare(made)
    return made


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", failing(OSError(errno.EACCES, "no links here")))


@pytest.mark.parametrize("problem", [*(OSError(each, "x") for each in ERRNOS), NotImplementedError(), None], ids=repr)
def test_links_fail_for_whatever_reason(
    place: Place, monkeypatch: pytest.MonkeyPatch, problem: Exception | None
) -> None:
    if problem is None:
        monkeypatch.delattr(os, "link")
    else:
        monkeypatch.setattr(os, "link", failing(problem))
    finish(place.sink().open(7, WHEN))
    assert len(place.finished()) == 1
    assert place.unfinished() == []


def test_what_has_the_name_is_not_replaced(place: Place, draft: FileDraft, no_links: None) -> None:
    path_of(draft.final).write_bytes(b"")
    with pytest.raises(CannotCreate, match="already"):
        draft.publish()
    draft.abort()
    assert list(place.finished().values()) == [b""]


def test_a_taken_name_is_not_tried_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been made, and the answer lost."""
    (tmp_path / "tmp").write_bytes(b"message")
    monkeypatch.setattr(os, "link", failing(FileExistsError(errno.EEXIST, "x")))
    with pytest.raises(FileExistsError):
        publish_by_link(f"{tmp_path}/tmp", f"{tmp_path}/final")
    assert not (tmp_path / "final").exists()


def test_what_others_write_into_the_placeholder_is_not_replaced(
    place: Place, draft: FileDraft, no_links: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = os.close

    def close_and_write(descriptor: int) -> None:
        close(descriptor)
        path_of(draft.final).write_bytes(b"a stranger's")

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", close_and_write)
        with pytest.raises(CannotCreate, match="already"):
            draft.publish()
    draft.abort()
    assert list(place.finished().values()) == [b"a stranger's"]
    assert place.unfinished() == []


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["open", "rename"])
def test_real_errors_are_reported_and_leave_nothing(
    place: Place, draft: FileDraft, monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", failing(OSError(error, "x")))
        patch.setattr(os, call, failing(OSError(error, "x")))
        with pytest.raises(DeliveryFailed) as raised:
            draft.publish()
    words = {errno.ENOSPC: "full", errno.EROFS: "read-only", errno.EIO: "input/output", errno.EDQUOT: "quota"}
    assert words[error] in str(raised.value)
    draft.abort()
    assert list(place.all_files()) == []


def test_a_rename_that_happened_and_was_reported_to_have_failed(
    place: Place, draft: FileDraft, no_links: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def lose_the_answer(source: str, target: str) -> None:
        rename(source, target)
        raise OSError(errno.EIO, "x")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", lose_the_answer)
        draft.publish()
    assert list(place.finished().values()) == [b"message"]


def test_a_placeholder_is_no_message_where_inodes_are_made_up(
    place: Place, draft: FileDraft, no_links: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays where the file system refuses to remove it, too, and the message has failed."""
    lstat = os.lstat(path_of(draft.tmp))

    def same_inode(path: str) -> os.stat_result:
        return os.stat_result((*lstat[:6], os.stat(path).st_size, *lstat[7:]))

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", same_inode)
        patch.setattr(os, "rename", failing(OSError(errno.EIO, "x")))
        patch.setattr(os, "unlink", failing(OSError(errno.EIO, "x")))
        with pytest.raises(DeliveryFailed):
            draft.publish()
    assert path_of(draft.tmp).read_bytes() == b"message"


def test_what_is_gone_is_gone(tmp_path: Path, no_links: None) -> None:
    with pytest.raises(FileNotFoundError):
        publish_by_link(f"{tmp_path}/tmp", f"{tmp_path}/final")
    assert list(tmp_path.iterdir()) == []


def test_a_maildir_on_two_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("maildir", tmp_path / "mail")
    draft = place.sink().open(7, WHEN)
    prepare(draft)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", failing(OSError(errno.EXDEV, "Invalid cross-device link")))
        with pytest.raises(CannotCreate, match="tmp and new of the Maildir are on two file systems") as raised:
            draft.publish()
    assert raised.value.advice.startswith("both must be on one: mount the disk on the Maildir as a whole")
    draft.abort()
    assert list(place.all_files()) == []
    with pytest.raises(FileNotFoundError):
        publish_by_rename(path_of(draft.tmp).as_posix(), path_of(draft.final).as_posix())


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
@pytest.mark.parametrize("kind", ["maildir", "folder"])
def test_folders_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, error: int) -> None:
    real = os.fsync

    def sync(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(error, "x")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    place = Place(kind, tmp_path / "mail")
    finish(place.sink().open(7, WHEN))
    assert len(place.finished()) == 1


def no_count(path: str) -> os.stat_result:
    raise OSError(errno.ENOSYS, "x")


@pytest.mark.parametrize(
    "statvfs", [lambda path: os.statvfs_result((4096, 4096, 10**9, 0, 0, 0, 0, 0, 0, 255)), no_count]
)
@pytest.mark.parametrize("kind", ["maildir", "folder"])
def test_free_space_is_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, statvfs: Callable[[str], object]
) -> None:
    """One that says 0, and one that fails: writing decides."""
    monkeypatch.setattr(os, "statvfs", statvfs)
    place = Place(kind, tmp_path / "mail")
    place.sink().make_ready(100_000)
    assert list(place.all_files()) == []


@pytest.mark.parametrize("kind", ["maildir", "folder"])
def test_writing_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    nothing = os.statvfs_result((4096, 4096, 10**9, 0, 0, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: nothing)
    place = Place(kind, tmp_path / "mail")
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", failing(OSError(errno.ENOSPC, "x")))
        with pytest.raises(DeliveryFailed, match="the disk is full"):
            place.sink().make_ready(100_000)
