"""`info`: shows paths and versions, for people and for bug reports."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import ssl
import sys
from argparse import Namespace
from collections.abc import Iterator

from tui_popretr import __version__
from tui_popretr.cli.config_path import locate
from tui_popretr.config.reader import load
from tui_popretr.errors import ConfigurationError, ExitCode
from tui_popretr.text import visible

_PACKAGES = ("trio", "textual", "cryptography")


def run(arguments: Namespace) -> int:
    """Print paths and versions. A missing or wrong configuration is reported and is not an error."""
    rows = (("tui-popretr", __version__), *_paths(arguments.config, arguments.naf), *_versions())
    if arguments.json:
        from tui_popretr.cli.reports import print_report

        print_report({"info": dict(rows)})
        return ExitCode.OK
    for name, value in rows:
        print(f"{name + ':':16}{visible(value, 4096)}")
    return ExitCode.OK


def _paths(path: str | None, naf: str | None) -> Iterator[tuple[str, str]]:
    try:
        file = locate(path, naf)
    except ConfigurationError as problem:
        yield "configuration", str(problem)
        return
    settings = load(file.path, var=file.var, naf=file.naf).settings
    if settings is None:
        yield "configuration", f"{os.path.realpath(file.path)} (cannot be used; tui-popretr check says why)"
        return
    yield "configuration", settings.path
    yield "root", settings.paths.top
    yield "var", settings.paths.var
    yield "journal", settings.journal
    yield "control", settings.control_socket
    yield "logs", settings.paths.logs
    for name, log in (("audit", settings.audit), ("transcript", settings.transcript), ("trace", settings.trace)):
        if log is not None:
            yield name, log.path


def _versions() -> Iterator[tuple[str, str]]:
    yield "python", f"{platform.python_version()} ({sys.executable})"
    for package in _PACKAGES:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            yield package, "not installed"
    yield "openssl", ssl.OPENSSL_VERSION
    trusted = ssl.get_default_verify_paths()
    yield "trusted", ", ".join(filter(None, (trusted.cafile, trusted.capath))) or "no certificates are installed"
    yield "sqlite", sqlite3.sqlite_version
    yield "platform", platform.platform()
