"""Errors of the system as DeliveryFailed: texts that name the path and say what to do."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from tui_popretr.errors import RETRIED, CannotCreate, DeliveryFailed, FileUnusable, file_unusable, out_of_threads

_ADVICE = f"is its disk mounted, and does something move it or clean it up? {RETRIED}"

_TWO_FILE_SYSTEMS = FileUnusable(
    "tmp and new of the Maildir are on two file systems, or two mounts of one",
    "both must be on one: mount the disk on the Maildir as a whole, not on one of its folders",
    misplaced=True,
)


def delivery_failed(error: OSError, doing: str, path: str) -> DeliveryFailed:
    """Return the error to raise: CannotCreate or DeliveryFailed. `doing` as in "cannot DOING PATH"."""
    trouble = file_unusable(error)
    folder = os.path.dirname(path)
    if isinstance(error, FileNotFoundError):
        words = "it is not there" if os.path.isdir(folder) else f"the folder {folder} is gone"
        trouble = FileUnusable(words, _ADVICE, misplaced=True)
    elif error.errno == errno.EXDEV:
        trouble = _TWO_FILE_SYSTEMS
    kind = CannotCreate if trouble.misplaced else DeliveryFailed
    return kind(f"cannot {doing} {path}: {trouble.words}", advice=trouble.advice)


@contextlib.contextmanager
def starting_threads(kind: type[DeliveryFailed], what: str) -> Iterator[None]:
    """Raise `kind` if a thread cannot be started in this block. `what` as in "cannot send to SERVER"."""
    try:
        yield
    except RuntimeError as problem:
        if (limit := out_of_threads(problem)) is None:
            raise
        raise kind(f"{what}: {limit}", advice=limit.advice) from problem
