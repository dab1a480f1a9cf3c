"""Reading a configuration is light: it happens at every start, headless too."""

from __future__ import annotations

import subprocess
import sys


def test_the_reader_loads_no_heavy_module() -> None:
    code = "import sys, tui_popretr.config.reader, tui_popretr.config.describe; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "tui_popretr.config.reader" in loaded
    heavy = {"asyncio", "trio", "textual", "ssl", "urllib.request", "cryptography", "difflib", "sqlite3", "humanize"}
    assert not loaded & heavy
