"""Writes configurations to disk and loads them, with a known environment and host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tui_popretr.config.model import ClientSettings, Settings
from tui_popretr.config.problems import Severity
from tui_popretr.config.reader import Loaded, load

SERVER = '<server address="127.0.0.1"><username>me</username><password>secret</password></server>'


def load_text(
    folder: Path, text: str, *, environ: Mapping[str, str] | None = None, name: str = "rc.xml", var: str | None = None
) -> Loaded:
    """Load `text` as the configuration FOLDER/NAME, readable by its owner only."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return load(str(path), environ=environ or {}, now_host="myhost", var=var)


def task(inside: str, *, before: str = "") -> str:
    """A bare configuration with these clients; `before` stands in front of them."""
    return f"<pop3download>{before}<clients>{inside}</clients></pop3download>"


def client(attributes: str = "", *, server: str = SERVER, more: str = "") -> str:
    """A client that is in order, with further attributes and elements."""
    return f'<client id="a" recip="user1" {attributes}>{server}{more}</client>'


def settings_of(loaded: Loaded) -> Settings:
    """The settings of a configuration that has no error."""
    assert loaded.settings is not None, [str(problem) for problem in loaded.problems]
    return loaded.settings


def only_client(folder: Path, text: str, *, environ: Mapping[str, str] | None = None) -> ClientSettings:
    """The one client of a bare configuration that holds `text` as its clients."""
    (found,) = settings_of(load_text(folder, task(text), environ=environ)).clients
    return found


def messages(loaded: Loaded, severity: Severity) -> list[str]:
    """The messages of that severity, by place."""
    return [problem.message for problem in loaded.problems if problem.severity is severity]


def errors(loaded: Loaded) -> list[str]:
    """The error messages; the settings are None exactly when there are any."""
    found = messages(loaded, Severity.ERROR)
    assert (loaded.settings is None) == bool(found)
    return found


def warnings(loaded: Loaded) -> list[str]:
    """The warnings of a configuration without errors."""
    assert not errors(loaded), errors(loaded)
    return messages(loaded, Severity.WARNING)


def error_of(folder: Path, text: str, *, environ: Mapping[str, str] | None = None) -> str:
    """The one error of a configuration."""
    (found,) = errors(load_text(folder, text, environ=environ))
    return found
