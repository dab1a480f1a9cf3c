"""Writes docs/tui-popretr.xml.5, the manual page of the configuration, from the declarations of tui_popretr.config.

Names, types and defaults are those of the declarations; the sentences are those of the tables in docs/configuration.md.
Run as a module from the project's folder: python -m scripts.manpage_xml
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scripts.configuration_tables import Row, rows
from scripts.manpage import joined, roff
from tui_popretr import __version__
from tui_popretr.config import addresses, choices, values
from tui_popretr.config.grammar import ROOTS, Shape
from tui_popretr.config.setting import Setting
from tui_popretr.secret import Secret

PAGE = Path(__file__).parents[1] / "docs" / "tui-popretr.xml.5"

#: The types whose readers are functions of their own; the words of a choice are those of the declaration.
TYPES: dict[Callable[..., Any], str] = {
    values.boolean: "Y or N",
    values.duration: "time",
    values.positive_duration: "time",
    values.size: "size",
    values.positive_size: "size",
    values.size_limit: "size",
    values.path: "path",
    values.relative_path: "relative path",
    values.file_mode: "octal mode",
    values.folder_mode: "octal mode",
    values.fingerprints: "list",
    values.command_line: "command",
    choices.auth_types: "list",
    choices.imap_auth_types: "list",
    choices.imap_flags: "list",
    choices.labels: "list",
    choices.capa: "N, Y or never",
    choices.pipelining: "auto or N",
    addresses.server_address: "host or host:port",
    addresses.mail_address: "mail address",
    addresses.web_address: "web address",
    Secret: "secret",
}

#: What the document explains in its text.
SENTENCES = {
    ("", "enabled"): "N: the element has no effect, as if it were not in the file",
    ("", "xml:space"): "preserve: spaces at the ends of a username or password belong to it",
    ("server", "password"): "the password, or an attribute that says where it is",
    ("smtp", "password"): "as in server",
    ("smtp", "oauth"): "as in server",
    ("imap", "password"): "as in server",
    ("imap", "oauth"): "as in server",
    ("imap", "ssl"): "as in client; without it TLS is on",
    ("password", "env"): "environment variable that contains the password",
    ("password", "file"): "file whose first line is the password; a bare name is looked up in systemd's credentials",
    ("password", "command"): "command that prints the password in its first line",
    ("clientsecret", "env"): "environment variable that contains the secret",
    ("clientsecret", "file"): "file whose first line is the secret; a bare name is looked up in systemd's credentials",
    ("clientsecret", "command"): "command that prints the secret in its first line",
    ("authtypes", "initrsp"): "send the initial response in the AUTH command",
    ("pop3download", "audit"): "log with a line for each message delivered; the text is the path",
    ("pop3download", "transcript"): "log of the dialogue with the servers; the text is the path",
    ("pop3download", "trace"): "the program's own log; the text is the path",
    ("pop3download", "concurrency"): "limits for the number of sessions at the same time",
    ("client", "eol"): "line ends of delivered files; native for Maildirs and commands, crlf for a downloads_directory",
    ("clients", "client"): "an account that is polled; may be repeated",
    ("hooks", "hook"): "a command that runs when something happens to a client; may be repeated",
    ("pop3download", "metrics"): "file of metrics for Prometheus; the text is the path",
}

_HEAD = """\
.SH NAME
tui\\-popretr.xml \\- configuration of tui\\-popretr(1)
.SH SYNOPSIS
.nf
<pop3download>
  <clients>
    <client id="isp" recip="me">
      <server address="pop.example.net">
        <username>me@example.net</username>
        <password file="isp.password"/>
      </server>
      <ssl/>
      <maildir>~/Maildir</maildir>
    </client>
  </clients>
</pop3download>
.fi
.SH DESCRIPTION
One XML file has all settings. Run
.B tui\\-popretr check
after each change: it reports every mistake with its line and column.
.PP
The root element is
.BR pop3download .
In a file of Mailismus it is
.BR mailserver ,
which contains
.BR pop3download ;
.BR dirpaths ,
.BR application ,
.B directory
and
.B message_store
are then directly in
.BR mailserver .
.PP
An empty value means the default, and a single \\- means no value. ${NAME} stands for an environment variable, and
${NAME:text} for the text if the variable is not set.
.TP
.B Y or N
also YES, TRUE, ON, 1 and NO, FALSE, OFF, 0
.TP
.B time
4m, 1h30m, 2d, 500ms; a bare number is milliseconds
.TP
.B size
500, 64K, 25M, 2G, in units of 1024
.TP
.B list
items separated by |
.TP
.B path
absolute, below ~, or relative to root; %DIRTOP%, %DIRCONF%, %DIRVAR%, %DIRLOG% and %DIRTMP% stand for the folders of
.BR dirpaths ,
and %U% for the client's recip
.SH ELEMENTS
"""

_TAIL = """\
.SH FILES
.TP
.I ~/.config/tui\\-popretr/tui\\-popretr.xml
the user's own configuration
.TP
.I /etc/tui\\-popretr.xml
the configuration if there is none of the user's
.SH SEE ALSO
.BR tui\\-popretr (1),
docs/configuration.md of the program's sources
"""


def page() -> str:
    """Return the manual page."""
    lines = [
        '.\\" Made from the declarations of tui_popretr.config by: python -m scripts.manpage_xml',
        f'.TH TUI-POPRETR.XML 5 "" "tui-popretr {__version__}" "File Formats"',
        ".ad l",
        ".nh",
        _HEAD.rstrip(),
        *_elements("pop3download", ROOTS["pop3download"], "", list(rows())),
        _TAIL.rstrip(),
    ]
    return joined(lines)


def _elements(name: str, shape: Shape, parent: str, table: list[Row]) -> Iterator[str]:
    """Yield the section of an element, and those of the elements in it that are more than a text.

    `name` may be several names of the same shape, separated by commas.
    """
    first = name.partition(",")[0]
    yield f".SS {roff(name)}{f' (in {roff(parent)})' if parent else ''}"
    if parent and name == first:
        yield _shown(sentence(parent, name, table))
    declared = {setting.name: setting for setting in shape.settings}
    for attribute in sorted(shape.attributes, key=list(declared).index):
        yield from _entry(first, attribute, declared[attribute], f"\\fB{roff(attribute)}\\fR=", table)
    for inner in shape.elements:
        yield from _entry(first, inner, declared.get(inner), f"\\fB<{roff(inner)}>\\fR", table)
    same: dict[int, list[str]] = {}
    for inner, each in shape.elements.items():
        same.setdefault(id(each), []).append(inner)
    for inner, each in shape.elements.items():
        names = same[id(each)]
        if (each.attributes or each.elements) and inner == names[0]:
            yield from _elements(", ".join(names), each, first, table)


def _entry(owner: str, name: str, setting: Setting | None, shown: str, table: list[Row]) -> Iterator[str]:
    details = []
    if setting is not None:
        details.append(type_name(setting))
        default = "must be given" if setting.required else _default(owner, setting, table)
        details += [default] if default else []
    yield ".TP"
    yield f"{shown} ({_shown('; '.join(details))})" if details else shown
    yield _shown(sentence(owner, name, table))


def type_name(setting: Setting) -> str:
    """Return the type of a setting in words."""
    if setting.parse in TYPES:
        return TYPES[setting.parse]
    if words := inspect.getclosurevars(setting.parse).nonlocals.get("words"):
        unique: dict[object, str] = {}
        for word, value in words.items():
            unique.setdefault(value, word)
        return " | ".join(unique.values())
    return "number" if "count" in setting.parse.__qualname__ else "text"


def _default(owner: str, setting: Setting, table: list[Row]) -> str:
    if setting.default:
        return f"default {setting.default}"
    found = next((row.default for row in table if row.owner == owner and setting.name in row.names and row.default), "")
    return f"default: {found}" if found else ""


def sentence(owner: str, name: str, table: list[Row]) -> str:
    """Return what is said about a name in an element; the row that is only about this name comes first."""
    found = sorted((row for row in table if row.owner == owner and name in row.names), key=lambda row: len(row.names))
    return SENTENCES.get((owner, name)) or (found[0].meaning if found else SENTENCES.get(("", name), ""))


def _plain(markdown: str) -> str:
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown)
    return re.sub(r"[`*]", "", text).replace(", see below", "").replace("\\|", "|")


def _shown(markdown: str) -> str:
    return roff(_plain(markdown))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="ascii")
    sys.stdout.write(f"written: {PAGE}\n")
