"""Environment variables in values: ${NAME} and ${NAME:default}. Errors are values.InvalidValueError."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tui_popretr.config.values import InvalidValueError, is_unicode

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)[:}]")


def variable_name(text: str) -> str:
    """The name of an environment variable."""
    if not _NAME.fullmatch(text):
        # not quoted: it may be the password itself, put in the wrong place
        raise InvalidValueError("the value of env is not the name of an environment variable")
    return text


def names_in(text: str) -> Iterator[str]:
    """Yield the names of the environment variables in a text."""
    yield from _USE.findall(text)


def expand(text: str, environ: Mapping[str, str], *, octets: bool = False) -> str:
    """Return text with ${NAME} and ${NAME:default} replaced from the environment, and ${$} by a literal `${`.

    With `octets`, a variable that is not UTF-8 is accepted, with lone surrogates as in os.environ.
    """
    pieces: list[str] = []
    rest = text
    while (start := rest.find("${")) >= 0:
        end = rest.find("}", start)
        if end < 0:
            raise InvalidValueError("a ${ is not closed by }; write ${$} for a literal ${")
        pieces.append(rest[:start])
        pieces.append(_variable(rest[start + 2 : end], environ, octets))
        rest = rest[end + 1 :]
    return "".join([*pieces, rest])


def _variable(inside: str, environ: Mapping[str, str], octets: bool) -> str:
    if inside == "$":
        return "${"
    if "${" in inside:
        raise InvalidValueError("a ${...} cannot stand inside another; write ${$} for a literal ${")
    name, colon, default = inside.partition(":")
    if not _NAME.fullmatch(name):
        raise InvalidValueError("${...} does not hold the name of an environment variable; write ${$} for a literal ${")
    value = environ.get(name)
    if value is None:
        if not colon:
            raise InvalidValueError(
                f"the environment variable {name} is not set; give it a default as in ${{{name}:default}} or set it"
            )
        return default
    if not octets and not is_unicode(value):
        raise InvalidValueError(f"the environment variable {name} is not valid UTF-8")
    return value
