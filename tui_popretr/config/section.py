"""Access to one element: values of the declared types, and reports of mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from tui_popretr.config import values
from tui_popretr.config.problems import Position, Report
from tui_popretr.config.setting import Setting, declarations
from tui_popretr.config.values import InvalidValueError
from tui_popretr.config.variables import expand
from tui_popretr.config.xmltree import UNKNOWN, Node
from tui_popretr.secret import Secret

T = TypeVar("T")
D = TypeVar("D")

NO_VALUE = "-"
ENABLED = Setting("enabled", values.boolean, "Y")
SPACE = Setting("xml:space", values.choice({"preserve": True, "default": False}), "default")


@dataclass(slots=True, eq=False, repr=False)
class Context:
    """What all sections of one configuration share."""

    report: Report
    environ: Mapping[str, str]
    path: str = ""  # of the configuration, absolute
    secrets: list[Position] = field(default_factory=list)  # places of secrets in the file
    resolve: Callable[[str], str] = values.path  # makes a path absolute; set when the folders are known


class Value(NamedTuple):
    """A value as text: trimmed, with environment variables replaced. Empty if it was empty or wrong."""

    label: str  # its name in messages
    text: str
    place: Position
    literal: bool  # without environment variables


class Section:
    """One element.

    The methods that read a value return the default if it is absent, empty or wrong; a wrong value is reported at its
    place. A single `-` gives None if the default is None, otherwise it is an error.
    """

    def __init__(self, node: Node, context: Context) -> None:
        self.node = node
        self.context = context

    @property
    def place(self) -> Position:
        return self.node.place

    @property
    def has_errors(self) -> bool:
        """Whether this element has an error. Consequences of an error are not reported."""
        return self.context.report.has_error_between(self.node.place, self.node.end)

    def uncertain(self, *elements: str) -> bool:
        """Whether the value of one of these child elements is unknown because of an error."""
        if self.node.intended.intersection((UNKNOWN, *elements)):
            return True
        spans = [(child.place, child.end) for child in self.node.children if child.name in elements]
        return any(self.context.report.has_error_between(*span) for span in spans)

    def uncertain_attribute(self, *names: str) -> bool:
        """Whether the value of one of these attributes is unknown because of an error."""
        found = self.node.attributes
        at_them = any(
            self.context.report.has_error_between(found[name].place, found[name].place)
            for name in names
            if name in found
        )
        return at_them or not self.node.intended.isdisjoint(names)

    def misplaced(self, *names: str) -> bool:
        """Whether one of these names is in the wrong place within this element."""
        return _misplaced(self.node, frozenset(names))

    def place_of(self, name: str) -> Position:
        """Return the place of an attribute, or of this element if it is absent."""
        found = self.node.attributes.get(name)
        return found.place if found else self.place

    def error(self, message: str, place: Position | None = None) -> None:
        self.context.report.error(place or self.place, message)

    def warning(self, message: str, place: Position | None = None) -> None:
        self.context.report.warning(place or self.place, message)

    # --- elements ---------------------------------------------------------------------------------------------------

    def child(self, name: str) -> Section | None:
        """Return the first child element of that name; None if there is none."""
        for node in self.node.children:
            if node.name == name:
                return Section(node, self.context)
        return None

    def child_or_empty(self, name: str) -> Section:
        """Return the child element of that name, or an empty one."""
        return self.child(name) or Section(Node(name, self.place, {}, self.place), self.context)

    def active(self, name: str) -> Section | None:
        """Return the child element of that name unless it is absent or has enabled="N"."""
        section = self.child(name)
        return section if section and section.enabled() else None

    def children(self, name: str) -> list[Section]:
        return [Section(node, self.context) for node in self.node.children if node.name == name]

    def enabled(self) -> bool:
        """Return the `enabled` attribute; True if there is none."""
        return bool(self.value(ENABLED))

    # --- values -----------------------------------------------------------------------------------------------------

    def read(self, kind: type[T], **known: object) -> T:
        """Return a class of the model with the declared settings of this element; `known` are its other fields."""
        for name, what in declarations(kind).items():
            if name not in known:
                known[name] = self.value(what) if isinstance(what, Setting) else self.read(what)
        return kind(**known)

    def field(self, kind: type, name: str, **changes: Any) -> Any:
        """Return the value of one setting of a class, with changes to its declaration."""
        declared = declarations(kind)[name]
        return self.value(replace(declared, **changes) if changes else declared)

    def value(self, setting: Setting) -> Any:
        """Return the value of a setting."""
        if setting.parse is Secret:
            return self._secret_attribute(setting.name)
        value = (self.element_value if setting.is_element else self.attribute_value)(setting.name)
        if setting.required:
            return self._required(setting, value)
        parse, default = setting.parse, setting.value
        if parse is values.path:
            parse = self.context.resolve
            default = None if default is None else parse(default)
        found: Any = self.parsed(value, parse, default)
        if value and setting.shortest and found is not None and found < setting.shortest:
            self.warning(f"{setting.name} is under {setting.shortest:g} s (a bare number is milliseconds)", value.place)
        return found

    def element(self, name: str, parse: Callable[[str], T], default: D) -> T | D:
        """Return the value of a child element's text whose default is not declared."""
        return self.parsed(self.element_value(name), parse, default)

    def text(self, parse: Callable[[str], T], default: D) -> T | D:
        """Return the value of this element's own text."""
        return self.parsed(self.own_value(), parse, default)

    def _secret_attribute(self, name: str) -> Secret | None:
        """Return a secret attribute. For spaces at its ends see credential()."""
        found = self.node.attributes.get(name)
        if found is None:
            return None
        keep = self._keeps_spaces()
        if not keep and _ends_in_spaces(found.text):
            self.warning(
                f'the spaces at the ends of {name} are dropped; if they belong to it, add xml:space="preserve" to'
                f" <{self.node.name}>",
                found.place,
            )
        value = self._value(name, found.text, found.place, keep=keep)
        return self.secret(value, self.parsed(value, values.one_line, None))

    def credential(self, *, octets: bool = False) -> Value:
        """Return this element's own text as a username or password.

        Spaces at its ends are kept with xml:space="preserve", else dropped with a warning. With `octets`, values from
        the environment need not be UTF-8.
        """
        raw, keep = self.node.text, self._keeps_spaces()
        if not keep and _ends_in_spaces(raw):
            self.warning(
                f"the spaces at the ends of <{self.node.name}> are dropped; if they belong to it, write"
                f' <{self.node.name} xml:space="preserve">'
            )
        return self._value(f"<{self.node.name}>", raw, self.node.place, keep=keep, octets=octets)

    def _keeps_spaces(self) -> bool:
        return bool(self.value(SPACE))

    def secret(self, value: Value | None, text: str | None) -> Secret | None:
        """Return a parsed value as a secret, and record its place if the file contains it."""
        if not value or not text:
            return None
        if value.literal:
            self.context.secrets.append(value.place)
        return Secret(text)

    # --- values as text ---------------------------------------------------------------------------------------------

    def attribute_value(self, name: str) -> Value | None:
        found = self.node.attributes.get(name)
        return self._value(name, found.text, found.place) if found else None

    def element_value(self, name: str) -> Value | None:
        child = self.child(name)
        return child.own_value() if child else None

    def own_value(self) -> Value:
        return self._value(f"<{self.node.name}>", self.node.text, self.node.place)

    def _value(self, label: str, raw: str, place: Position, *, keep: bool = False, octets: bool = False) -> Value:
        if not keep:
            raw = raw.strip()
        try:
            text = expand(raw, self.context.environ, octets=octets)
        except InvalidValueError as error:
            self.error(f"{label}: {error}", place)
            text = ""
        return Value(label, text, place, literal="${" not in raw)

    def parsed(self, value: Value | None, parse: Callable[[str], T], default: D) -> T | D:
        """Return the parsed value of a text."""
        if value is None or not value.text:
            return default
        if value.text == NO_VALUE:
            if default is not None:
                self.error(f"{value.label} needs a value; leave it out for its default", value.place)
            return default
        try:
            return parse(value.text)
        except InvalidValueError as error:
            self.error(f"{value.label}: {error}", value.place)
            return default

    def _required(self, setting: Setting, value: Value | None) -> Any:
        if value is None or value.text == NO_VALUE or (not value.text and not self._reported(value)):
            if setting.name not in self.node.intended:
                what = setting.label if setting.is_element else f"attribute {setting.name}"
                self.error(f"{what} is missing in <{self.node.name}>", value.place if value else None)
            return None
        return self.parsed(value, setting.parse, None)

    def _reported(self, value: Value) -> bool:
        return self.context.report.has_error_between(value.place, value.place)


def _ends_in_spaces(text: str) -> bool:
    """Whether a text begins or ends with spaces. Spaces with a line break among them are layout and do not count."""
    before, behind = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return any(each and not re.search("[\r\n]", each) for each in (before, behind)) and not text.isspace()


def _misplaced(node: Node, names: frozenset[str]) -> bool:
    return not node.misplaced.isdisjoint(names) or any(_misplaced(child, names) for child in node.children)
