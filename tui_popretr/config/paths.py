"""Paths: the %DIR..% folders and their defaults, tokens, `~`, and relative paths."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import partial

from tui_popretr import __version__
from tui_popretr.config import values
from tui_popretr.config.model import Paths
from tui_popretr.config.section import Section
from tui_popretr.config.setting import Setting
from tui_popretr.config.values import InvalidValueError, did_you_mean, quote
from tui_popretr.home import UnknownHomeError, expand

STANDARD_STREAMS = ("%stdout%", "%stderr%")
#: `<control>-</control>`: no socket.
NO_SOCKET = "-"
#: A Unix socket's path has at most this many octets (unix(7): sun_path with its final NUL).
LONGEST_SOCKET_PATH = 107
TIME_TOKENS = frozenset({"DT", "Y", "M", "D", "h", "m", "s", "PID"})
ANNOUNCE_HOST = Setting("<announcehost>", values.header_word)
PRODUCT_NAME = Setting("<prodname>", values.header_comment)
#: The elements of <dirpaths>, and the tokens that stand for them in paths.
FOLDERS = {"root": "DIRTOP", "config": "DIRCONF", "var": "DIRVAR", "logs": "DIRLOG", "tmp": "DIRTMP"}
_TOKEN = re.compile("%([A-Za-z]+)%")


class PathResolver:
    """Makes the paths of a configuration absolute."""

    def __init__(self, paths: Paths, environ: Mapping[str, str]) -> None:
        self.paths = paths
        self._environ = environ
        self._tokens = {
            "DIRTOP": paths.top,
            "DIRCONF": paths.config,
            "DIRVAR": paths.var,
            "DIRLOG": paths.logs,
            "DIRTMP": paths.tmp,
            "SYSNAME": paths.system_name,
            "PRODNAME": paths.product_name,
        }

    def path(self, text: str) -> str:
        """Return the absolute, normalised path. Raises InvalidValueError for an unknown %TOKEN% or ~user."""
        return _absolute(text, self.paths.top, self._tokens, self._environ)

    def log_path(self, text: str) -> str:
        """Return the path of a log with its time tokens; or %stdout% or %stderr%."""
        if text in STANDARD_STREAMS:
            return text
        if text.endswith("/"):
            raise InvalidValueError(f"{quote(text)} is a folder; name a file")
        return _absolute(text, self.paths.top, self._tokens, self._environ, keep=TIME_TOKENS)

    def path_of(self, recip: str) -> Callable[[str], str]:
        """Return a parser of paths in which %U% stands for `recip`."""

        def parse(text: str) -> str:
            return _absolute(text, self.paths.top, {**self._tokens, "U": recip}, self._environ)

        return parse


def read_paths(
    whole: Section, naf: Section | None = None, *, environ: Mapping[str, str], var: str | None, host: str | None
) -> PathResolver:
    """Read `application`, and `dirpaths` of the configuration and of the framework's file.

    The folders of the configuration come first. `var` replaces the default of the var folder, `host` the host name.
    In each file, root is relative to its own default: the file's folder, or its parent if that folder is called `conf`.
    """
    system_name = host or os.uname().nodename
    names = {"SYSNAME": system_name}

    application = whole.child("application")
    announce_host, product_name = system_name, f"tui-popretr {__version__}"
    if application:
        announce_host = application.element(ANNOUNCE_HOST.name, _named(names, ANNOUNCE_HOST.parse), announce_host)
        product_name = application.element(PRODUCT_NAME.name, _named(names, PRODUCT_NAME.parse), product_name)
    names["PRODNAME"] = product_name

    # The folders of a later file replace those of an earlier one.
    sources = [(file.child("dirpaths"), _home(file)) for file in (naf, whole) if file]
    top = ""

    def folder_of(name: str, default: str) -> str:
        path = default
        for dirpaths, home in sources:
            if dirpaths:
                parse = partial(_absolute, top=top or home, tokens=names, environ=environ)
                path = dirpaths.element(name, parse, path)
        names[FOLDERS[name]] = path
        return path

    top = folder_of("root", sources[0][1])
    config = folder_of("config", os.path.join(top, "conf"))
    var = folder_of("var", os.path.abspath(var) if var else os.path.join(top, "var"))
    logs = folder_of("logs", os.path.join(var, "logs"))
    tmp = folder_of("tmp", os.path.join(var, "tmp"))
    return PathResolver(Paths(top, config, var, logs, tmp, system_name, announce_host, product_name), environ)


def _home(file: Section) -> str:
    folder = os.path.dirname(os.path.realpath(file.place.path))
    return os.path.dirname(folder) if os.path.basename(folder) == "conf" else folder


def _named(names: Mapping[str, str], parse: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: parse(_replace(text, names))


def _replace(text: str, tokens: Mapping[str, str], keep: frozenset[str] = frozenset()) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in keep:
            return match[0]
        if name not in tokens:
            raise InvalidValueError(f"the token {match[0]} is unknown here{did_you_mean(name, {*tokens, *keep})}")
        return tokens[name]

    return _TOKEN.sub(value, text)


def _absolute(
    text: str, top: str, tokens: Mapping[str, str], environ: Mapping[str, str], keep: frozenset[str] = frozenset()
) -> str:
    if re.search("[\x00-\x1f\x7f]", text):
        raise InvalidValueError("a line break or another control character is not allowed in a path")
    if text.startswith("~"):
        user, slash, rest = text.partition("/")
        try:
            home = expand(user, environ)
        except UnknownHomeError as error:
            raise InvalidValueError(str(error)) from None
        return os.path.normpath(os.path.join(home, _replace(rest, tokens, keep)) if slash else home)
    return os.path.normpath(os.path.join(top, _replace(text, tokens, keep)))
