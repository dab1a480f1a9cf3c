"""Orphans: unfinished files of an earlier process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection

from tui_popretr.delivery import names
from tui_popretr.delivery.errors import delivery_failed


def remove_left_behind(folder: str, tag_of: Callable[[str], str], journal_id: str, known: Collection[str]) -> list[str]:
    """Remove the unfinished files of earlier processes in a folder that are not `known`; return their paths.

    Only those with this journal's id in the name: the recovery of another journal would assume that a mail reader has
    moved the file. Raises DeliveryFailed.
    """
    removed = []
    try:
        for name in os.listdir(folder):
            path = f"{folder}/{name}"
            if names.is_left_behind(tag_of(name), journal_id) and path not in known:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                    removed.append(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise delivery_failed(error, "clean up", folder) from error
    return removed
