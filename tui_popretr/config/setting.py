"""The declaration of an attribute or element: one per name, at the field of model.py that holds its value.

The names that grammar.py accepts, the readers (Section.read), the sentences of `check` and the dashboard's settings
(describe.py) and the test of docs/configuration.md use these declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
_KEY = "declared"


@dataclass(frozen=True, slots=True)
class Setting:
    """An attribute `name`, or an element `<name>` that contains text."""

    label: str  # with the angle brackets of an element
    parse: Callable[[str], Any]  # Secret and values.path are special: see Section.value
    default: str | None = None  # as a user would write it; None: no value
    required: bool = False
    shortest: float = 0.0  # a shorter time in seconds is a warning
    show: Callable[[Any], str] | None = None  # the value's text on the dashboard, empty to hide it; None: never shown
    phrase: Callable[[Any], str] | None = None  # what `check` says about a value other than the default
    called: str = ""  # its name on the dashboard, if other than `name`
    name: str = field(init=False)
    is_element: bool = field(init=False)
    value: Any = field(init=False)  # the default as a value

    def __post_init__(self) -> None:
        # Once, and not at each reading: a configuration can have thousands of clients.
        object.__setattr__(self, "name", self.label.strip("<>"))
        object.__setattr__(self, "is_element", self.label.startswith("<"))
        object.__setattr__(self, "value", None if self.default is None else self.parse(self.default))


def setting(label: str, parse: Callable[[str], T], default: str | None = None, **more: Any) -> T:
    """Declare the setting of a dataclass field that has a default; see Setting for the arguments.

    Annotate the field `T | None` if the default is None.
    """
    found = Setting(label, parse, default, **more)
    return field(default=found.value, metadata=declared(found))  # type: ignore[no-any-return]


def required(label: str, parse: Callable[[str], Any]) -> dict[str, Setting]:
    """Return the metadata of a dataclass field without a default: the setting must be given."""
    return declared(Setting(label, parse, required=True))


def declared(what: Setting) -> dict[str, Setting]:
    """Return the metadata of a dataclass field whose value is not simply the parsed text."""
    return {_KEY: what}


def part(kind: Callable[[], T]) -> T:
    """Declare a dataclass field whose settings are those of another class, in the same element."""
    return field(default=kind(), metadata={_KEY: kind})


def declarations(kind: Any) -> Mapping[str, Any]:
    """Return the declared fields of a dataclass or of its instance by name: the Setting, or the class of a part."""
    return _declarations(kind if isinstance(kind, type) else type(kind))


@cache
def _declarations(kind: Any) -> Mapping[str, Any]:
    return {each.name: each.metadata[_KEY] for each in fields(kind) if _KEY in each.metadata}


def settings_of(kind: type) -> Iterator[Setting]:
    """Yield the settings of a dataclass and its parts."""
    for found in declarations(kind).values():
        yield from [found] if isinstance(found, Setting) else settings_of(found)
