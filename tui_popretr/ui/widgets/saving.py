"""The questions before lines of a transcript are saved, and the saving."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial

from tui_popretr.errors import describe_os_error
from tui_popretr.logs.items import Item, logged
from tui_popretr.text import visible
from tui_popretr.ui import work
from tui_popretr.ui.model.saving import save
from tui_popretr.ui.widgets.prompt import Prompt


class SaveDialog:
    """Saves items as they are when it is made, however long the answers take."""

    def __init__(self, prompt: Prompt, items: Sequence[Item], notice: Callable[..., None]) -> None:
        """`notice` shows a text; `error`: of a failure."""
        self._prompt = prompt
        self._items = list(items)
        self._notice = notice
        self._path = ""

    def ask(self, path: str) -> None:
        """Ask for the path; `path` is proposed."""
        self._prompt.ask(f" save {len(self._items):,} lines to ", self._take_path, text=path)

    def _take_path(self, path: str | None) -> None:
        if path:
            self._path = path
            self._save(replace=False)

    def _take_consent(self, answer: str | None) -> None:
        if answer in ("y", "Y", "yes"):
            self._save(replace=True)

    def _save(self, *, replace: bool) -> None:
        work.start(self._prompt, "saving the transcript", self._write(replace=replace), self._failed)

    def _failed(self, why: str) -> None:
        self._notice(f"{self._path}: {why}", error=True)

    async def _write(self, *, replace: bool) -> None:
        try:
            count = await asyncio.to_thread(partial(save, self._path, map(logged, self._items), replace=replace))
        except FileExistsError:
            name = visible(os.path.basename(self._path))
            self._prompt.ask(f" {name} exists; replace it? (y/n) ", self._take_consent)
        except (OSError, ValueError) as error:
            self._failed(describe_os_error(error) if isinstance(error, OSError) else str(error))
        else:
            self._notice(f"{count:,} lines saved to {self._path}")
