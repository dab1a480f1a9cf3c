"""The private names of Textual that the dashboard uses."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App
from textual.widget import Widget

from tui_popretr.ui import textual_private
from tui_popretr.ui.textual_private import NAMES, TerminalDriver


@pytest.fixture
def handlers() -> Iterator[None]:
    """Restore the signal handlers that a driver sets."""
    numbers = (signal.SIGTSTP, signal.SIGCONT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_textual_has_the_private_names() -> None:
    async def instances() -> list[object]:
        app: App[int] = App()
        driver = TerminalDriver(app)
        parser = driver.key_parser()
        return [app, driver, Widget(), parser[0].__self__]  # type: ignore[attr-defined]

    for each in asyncio.run(instances()):
        names = next(names for kind, names in NAMES.items() if isinstance(each, kind))
        missing = [name for name in names if not hasattr(each, name)]
        assert missing == []


def test_only_one_module_uses_private_modules_and_overrides() -> None:
    overridden = [name for name, reason in NAMES[App].items() if reason.startswith("overridden")]
    folder = Path(textual_private.__file__).parent
    users = {
        path.name
        for path in folder.rglob("*.py")
        if re.search("|".join([r"textual\S*\._\w+ import", *overridden]), path.read_text(encoding="utf-8"))
    }
    assert users == {"textual_private.py"}
