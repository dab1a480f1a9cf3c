"""The names that each element of a configuration accepts, and hints about all other names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.destination import EOL
from tui_popretr.config.directory import DirectorySettings
from tui_popretr.config.logfiles import LOGS
from tui_popretr.config.login import INITIAL_RESPONSE
from tui_popretr.config.model import (
    ClientSettings,
    CommandDestination,
    Concurrency,
    GmailDestination,
    HookSettings,
    ImapDestination,
    LogSettings,
    MessageStore,
    MetricsSettings,
    Modes,
    Settings,
    SmtpDestination,
)
from tui_popretr.config.oauth import OAuth
from tui_popretr.config.paths import ANNOUNCE_HOST, FOLDERS, PRODUCT_NAME
from tui_popretr.config.problems import Position, Report
from tui_popretr.config.section import ENABLED, SPACE
from tui_popretr.config.setting import Setting, settings_of
from tui_popretr.config.sources import SOURCES
from tui_popretr.config.tls import STORE_TYPES
from tui_popretr.config.values import quote, suggestion
from tui_popretr.config.xmltree import UNKNOWN, Node
from tui_popretr.wording import plural

# Tuning parameters of Mailismus: accepted everywhere, as element or attribute.
_TUNING = re.compile(r"niobuffers|nosmtp|dotstuffing|exclusive|delay_close|class|filename_\w+|chmod_\w+|\w*bufsiz")
_NONE: Mapping[str, Any] = MappingProxyType({})


class Shape(NamedTuple):
    """The attributes, child elements and text that an element accepts.

    `repeated`: the element may occur several times. `ignored`: names of attributes and elements that have no effect.
    `stale`: present names, by their names in older Mailismus files. `near`: correct names, by likely mistakes.
    `instead`: a hint for text in an element that accepts none. `settings`: the declarations of the attributes and of
    the elements that contain only text.
    """

    attributes: frozenset[str] = frozenset()
    elements: Mapping[str, Shape] = _NONE
    text: bool = False
    repeated: bool = False
    ignored: frozenset[str] = frozenset()
    stale: Mapping[str, str] = _NONE
    near: Mapping[str, str] = _NONE
    instead: str = ""
    settings: tuple[Setting, ...] = ()


def _shape(*declared: type | Setting, inner: Mapping[str, Shape] = _NONE, **more: Any) -> Shape:
    """Return the shape of an element with these settings. The elements `inner` contain more than text."""
    settings = [each for one in declared for each in ([one] if isinstance(one, Setting) else settings_of(one))]
    attributes = frozenset(each.name for each in settings if not each.is_element)
    texts = {each.name: _TEXT for each in settings if each.is_element}
    return Shape(attributes, {**texts, **inner}, settings=tuple(settings), **more)


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TEXT = Shape(text=True)
_SECRET = _shape(SPACE, *SOURCES, text=True)
_LOGIN = {
    "username": _shape(SPACE, text=True),
    "password": _SECRET,
    "oauth": _shape(OAuth, inner={"clientsecret": _SECRET}),
}
_SSL = _shape(ENABLED, SPACE, TlsPolicy, *STORE_TYPES, ignored=_names("mandatory clientauth cache expiry shake"))
_FILES = _shape(Modes, text=True)
_CLIENT = _shape(
    ENABLED,
    ClientSettings,
    EOL,
    inner={
        "server": _shape(
            Server, inner={**_LOGIN, "authtypes": _shape(INITIAL_RESPONSE, text=True)}, stale={"addr": "address"}
        ),
        "ssl": _SSL,
        "smtp": _shape(
            ENABLED,
            SmtpDestination,
            inner=_LOGIN,
            instead="the mail server belongs in <address>, and the recipient is the client's recip",
        ),
        "imap": _shape(
            ENABLED,
            ImapDestination,
            inner={**_LOGIN, "ssl": _SSL},
            instead="the mail server belongs in <address>, and the folder in <folder>",
        ),
        "gmail": _shape(
            ENABLED,
            GmailDestination,
            inner={"oauth": _LOGIN["oauth"]},
            near={"username": "account", "address": "account"},
            instead="the address of the account belongs in <account>",
        ),
        "mda": _shape(CommandDestination),
        "maildir": _FILES,
        "downloads_directory": _FILES,
    },
    repeated=True,
    stale={"localuser": "recip"},
    near=dict.fromkeys(("folder", "directory", "dir", "path"), "downloads_directory"),
)
_TASK = _shape(
    Settings,
    inner={
        **dict.fromkeys(LOGS, _shape(ENABLED, LogSettings, text=True, ignored=_names("pid tid tname delta"))),
        "concurrency": _shape(Concurrency),
        "hooks": Shape(elements={"hook": _shape(HookSettings, text=True, repeated=True)}),
        "metrics": _shape(MetricsSettings, text=True),
        "clients": Shape(elements={"client": _CLIENT}),
    },
)
_SHARED = {
    "dirpaths": Shape(elements=dict.fromkeys(FOLDERS, _TEXT)),
    "application": _shape(ANNOUNCE_HOST, PRODUCT_NAME, ignored=_names("database")),
    "directory": _shape(ENABLED, DirectorySettings),
    "message_store": _shape(ENABLED, MessageStore, stale={"rootpath": "userpath"}),
}

#: The accepted root elements.
ROOTS: Mapping[str, Shape] = {
    "mailserver": Shape(elements={**_SHARED, "pop3download": _TASK}, ignored=_names("mta imap pop3server")),
    "pop3download": _TASK._replace(elements={**_SHARED, **_TASK.elements}),
}


def check_names(root: Node, report: Report) -> bool:
    """Report unknown, stale, misplaced, repeated and ignored names. Return False if the root element is another."""
    shape = ROOTS.get(root.name)
    if shape is None:
        message = (
            f"the root element is {quote(root.name)}, but a configuration begins with <mailserver> or <pop3download>"
        )
        if root.name == "naf":
            message += "; name the mailserver.xml that goes with this file"
        report.error(root.place, message)
        return False
    _Checker(report, Shape(elements={root.name: shape})).run(root, shape)
    return True


class _Checker:
    def __init__(self, report: Report, whole: Shape) -> None:
        self._report = report
        self._whole = whole
        self._ignored: dict[tuple[str, str], list[Position]] = {}

    def run(self, root: Node, shape: Shape) -> None:
        self._check(root, shape)
        for (_, what), places in self._ignored.items():
            more = len(places) - 1
            again = f" (and {plural(more, 'more time')} in this file)" if more else ""
            self._report.note(places[0], f"{what} has no effect here and is ignored{again}")

    def _check(self, node: Node, shape: Shape) -> None:
        for name, attribute in node.attributes.items():
            if name not in shape.attributes:
                self._unexpected(node, shape, name, attribute.place, is_attribute=True)
        first: dict[str, Node] = {}
        for child in node.children:
            expected = shape.elements.get(child.name)
            if expected is None:
                self._unexpected(node, shape, child.name, child.place, is_attribute=False)
                continue
            earlier = first.setdefault(child.name, child)
            if earlier is not child and not expected.repeated:
                self._report.error(
                    child.place, f"<{child.name}> occurs a second time in <{node.name}>; see line {earlier.place.line}"
                )
            self._check(child, expected)
        if not shape.text and node.text.strip():
            # not shown: it may be a password in the wrong place
            instead = f"; {shape.instead}" if shape.instead else ""
            self._report.error(
                node.place, f"<{node.name}> contains text, but only elements are expected in it{instead}"
            )

    def _unexpected(self, node: Node, shape: Shape, name: str, place: Position, *, is_attribute: bool) -> None:
        shown = quote(name)[1:-1]
        what = f"attribute {shown}" if is_attribute else f"<{shown}>"
        if name in shape.ignored or _TUNING.fullmatch(name):
            self._ignored.setdefault((node.name, what), []).append(place)
            return
        intended, hint = self._hint(node, shape, name, is_attribute=is_attribute)
        if intended == name and name not in shape.attributes and name not in shape.elements:
            node.misplaced.add(name)
        elif intended:
            node.intended.add(intended)
        elif not is_attribute:
            node.intended.add(UNKNOWN)
        self._report.error(place, f"unknown {what} in <{node.name}>{hint}")

    def _hint(self, node: Node, shape: Shape, name: str, *, is_attribute: bool) -> tuple[str | None, str]:
        """Return the intended name, which may be one of another element, and the hint."""
        if present := shape.stale.get(name):
            return present, f"; it is called {present} today"
        if not is_attribute and (correct := shape.near.get(name)):
            return correct, f"; did you mean '{correct}'?"
        if is_attribute and name in shape.elements:
            return name, f"; it is an element: <{name}>...</{name}>"
        if not is_attribute and name in shape.attributes:
            return name, f'; it is an attribute: <{node.name} {name}="...">'
        home = next(_homes(self._whole, name, is_attribute=is_attribute), None)
        if home:
            return name, f"; it belongs in <{home}>"
        near = suggestion(name, shape.attributes if is_attribute else shape.elements)
        if near is None:
            near = suggestion(name, shape.elements if is_attribute else shape.attributes)
            if near is None:
                return None, ""
            kind = "an element" if is_attribute else "an attribute"
            return near, f"; did you mean '{near}', which is {kind}?"
        return near, f"; did you mean '{near}'?"


def _homes(shape: Shape, name: str, *, is_attribute: bool) -> Iterator[str]:
    """Yield the elements in which a name is known."""
    for child, inner in shape.elements.items():
        if name in (inner.attributes if is_attribute else inner.elements):
            yield child
        yield from _homes(inner, name, is_attribute=is_attribute)
