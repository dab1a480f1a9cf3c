"""The user's editor, on the configuration at the place of a client."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from typing import Final

from textual.app import App, SuspendNotSupported

from tui_popretr.config.xmltree import MalformedXmlError, Node, parse

#: Editors with another way to name the line.
_GOTO: Final = frozenset({"code", "codium", "code-insiders"})
_MOST: Final = 64 * 1024 * 1024


def edit(app: App[int], path: str, client: str | None) -> tuple[str, bool]:
    """Open a file at the line of a client, in place of the app until the editor ends.

    Return what is wrong, "" if nothing is, and whether the file has changed.
    """
    before = content(path)
    try:
        words = command(os.environ, path, line_of(path, before, client))
        with app.suspend():
            problem = run(words)
    except (ValueError, SuspendNotSupported) as error:
        problem = f"no editor can be started: {error}"
    return problem, content(path) != before


def command(environ: Mapping[str, str], path: str, line: int) -> list[str]:
    """Return the command that opens a file at a line. Raises ValueError if VISUAL or EDITOR cannot be understood."""
    words = shlex.split(environ.get("VISUAL", "").strip() or environ.get("EDITOR", "").strip() or "vi")
    if os.path.basename(words[0]) in _GOTO:
        return [*words, "--wait", "--goto", f"{path}:{line}"]
    return [*words, f"+{line}", path]


def run(words: list[str]) -> str:
    """Run an editor until it ends; return what is wrong, "" if nothing is."""
    try:
        ended = subprocess.run(words, check=False).returncode  # noqa: S603 - the user's own command
    except (OSError, ValueError) as problem:
        return f"the editor {words[0]} cannot be started: {getattr(problem, 'strerror', None) or problem}"
    return f"the editor ended with code {ended}" if ended else ""


def content(path: str) -> bytes | None:
    """Return the content of a file, to see whether it changes; None if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(_MOST)
    except OSError:
        return None


def line_of(path: str, data: bytes | None, client: str | None) -> int:
    """Return the line of a client in a configuration; 1 if it is not found."""
    if data is None or client is None:
        return 1
    try:
        root = parse(data, path)
    except MalformedXmlError as problem:
        return problem.place.line
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.name == "client" and _id_of(node) == client:
            return node.place.line
        waiting += node.children
    return 1


def _id_of(node: Node) -> str | None:
    known = node.attributes.get("id")
    return None if known is None else known.text
