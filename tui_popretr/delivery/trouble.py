"""What the system's errors mean for a delivery, in words that name the path and say what to do."""

from __future__ import annotations

import os

from tui_popretr.errors import CannotCreate, DeliveryFailed, FileTrouble, file_trouble

_ADVICE = "is its disk mounted, and does something move it or clean it up? it is tried again at the next run"


def delivery_failed(error: OSError, doing: str, path: str) -> DeliveryFailed:
    """Return the error to raise: CannotCreate or DeliveryFailed. `doing` as in "cannot DOING PATH"."""
    trouble = file_trouble(error)
    folder = os.path.dirname(path)
    if isinstance(error, FileNotFoundError):
        words = "it is not there" if os.path.isdir(folder) else f"the folder {folder} is gone"
        trouble = FileTrouble(words, _ADVICE, misplaced=True)
    kind = CannotCreate if trouble.misplaced else DeliveryFailed
    return kind(f"cannot {doing} {path}: {trouble.words}", advice=trouble.advice)
