"""naf.xml, the file of Mailismus's framework. Only its `dirpaths` are used."""

from __future__ import annotations

import os

from tui_popretr.config.paths import FOLDERS
from tui_popretr.config.problems import Position
from tui_popretr.config.section import Context, Section
from tui_popretr.config.values import did_you_mean, quote
from tui_popretr.config.xmltree import MalformedXmlError, parse
from tui_popretr.errors import describe_os_error
from tui_popretr.fs.reading import read_whole

NAME = "naf.xml"
_LARGEST = 16 * 1024**2


def naf_of(path: str) -> str | None:
    """Return the naf.xml in the folder of a configuration; None if there is none."""
    found = os.path.join(os.path.dirname(os.path.realpath(path)), NAME)
    return found if os.path.lexists(found) else None


def read_naf(path: str, context: Context) -> Section | None:
    """Return the root element of the framework's file; None, with an error reported, if it cannot be used.

    It is an error because other folders mean another journal, so all mail would be retrieved again. A misspelt name in
    `dirpaths` has no effect in the framework either, so it is only a warning.
    """
    report = context.report
    try:
        root = parse(read_whole(path, _LARGEST).data, path)
    except (OSError, ValueError) as error:
        reason = describe_os_error(error) if isinstance(error, OSError) else "not a path"
        report.error(Position(path), f"the framework's file cannot be read: {reason}")
        return None
    except MalformedXmlError as error:
        report.error(error.place, str(error))
        return None
    if root.name != "naf":
        report.error(root.place, f"the root element is {quote(root.name)}, but the framework's file begins with <naf>")
        return None
    section = Section(root, context)
    if folders := section.child("dirpaths"):
        report.note(folders.place, "the folders are those of this file, where the configuration does not name its own")
        for node in folders.node.children:
            if node.name not in FOLDERS:
                hint = did_you_mean(node.name, FOLDERS)
                report.warning(node.place, f"unknown {quote(node.name)} in <dirpaths> is ignored{hint}")
    return section
