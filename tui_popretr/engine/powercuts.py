"""The folders of a configuration whose file systems cannot fsync folders, so that a power cut may lose mail."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tui_popretr.config.model import FolderDestination, MaildirDestination, Settings, rejected_folder
from tui_popretr.fs.folders import fsync_folder, nearest_folder


def unsafe_folders(settings: Settings) -> list[str]:
    """Return these folders, one for each file system. Blocking."""
    unsafe = []
    seen = set()
    for place in _folders(settings):
        try:
            folder = nearest_folder(place)
            device = os.stat(folder).st_dev
            if device not in seen and not fsync_folder(folder):
                unsafe.append(place)
            seen.add(device)
        except (OSError, ValueError):  # an unusable folder is reported later
            continue
    return unsafe


def _folders(settings: Settings) -> Iterator[str]:
    yield os.path.dirname(settings.journal)
    for client in settings.clients:
        match client.destination:
            case MaildirDestination(path) | FolderDestination(path):
                yield path
        if (rejected := rejected_folder(client.destination)) is not None:
            yield rejected
