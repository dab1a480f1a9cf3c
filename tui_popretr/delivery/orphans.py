"""Unfinished files that a dead process left behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection

from tui_popretr.delivery import names
from tui_popretr.delivery.errors import delivery_failed


def remove_left_behind(folder: str, tag_of: Callable[[str], str], journal_id: str, known: Collection[str]) -> list[str]:
    """Remove the unfinished files in a folder that are ours, of no living process, in no record; return their paths.

    Only ours, by the journal's id in the name: another journal's recovery would take a file that is gone for one that a
    reader took. Raises DeliveryFailed.
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
