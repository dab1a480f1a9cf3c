"""Reads a configuration file. The result is typed settings, or all problems with their places."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tui_popretr.config import checks, values
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.client import read_client
from tui_popretr.config.destination import Local, read_local
from tui_popretr.config.grammar import check_names
from tui_popretr.config.hooks import read_hooks, read_metrics
from tui_popretr.config.logfiles import LOGS, read_log
from tui_popretr.config.model import ClientSettings, Concurrency, Settings
from tui_popretr.config.naf import naf_of, read_naf
from tui_popretr.config.paths import LONGEST_SOCKET_PATH, PathResolver, read_paths
from tui_popretr.config.problems import Position, Problem, Report, Severity
from tui_popretr.config.section import NO_VALUE, Context, Section
from tui_popretr.config.setting import settings_of
from tui_popretr.config.values import quote
from tui_popretr.config.variables import expand, names_in
from tui_popretr.config.xmltree import MalformedXmlError, Node, parse
from tui_popretr.errors import describe_os_error
from tui_popretr.fs.reading import read_whole
from tui_popretr.secret import Secret
from tui_popretr.text import visible

__all__ = ["Loaded", "Problem", "Severity", "load"]

_LARGEST = 16 * 1024**2
# Passwords of key stores.
_PASSWORD_ATTRIBUTES = frozenset(setting.name for setting in settings_of(TlsPolicy) if setting.parse is Secret)
# Elements whose text, or the variable that they name, is a secret.
_SECRET_ELEMENTS = frozenset({"password", "clientsecret"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of reading a configuration file. `settings` is None if and only if there is an error.

    `control_socket` is its path, also if there are errors elsewhere; None where the file cannot be read as a whole.
    """

    settings: Settings | None
    problems: tuple[Problem, ...]  # by place
    control_socket: str | None = None


def load(
    path: str,
    *,
    environ: Mapping[str, str] | None = None,
    now_host: str | None = None,
    var: str | None = None,
    naf: str | None = None,
    clients: bool = True,
) -> Loaded:
    """Read the configuration at `path`, the directory files that it names, and naf.xml for the folders.

    Never raises for what is in the files or for a file that is not there. `environ` stands in for the process's
    environment, `now_host` for the machine's name, `var` for the default of the var folder, `naf` for the naf.xml that
    may be in the folder of the configuration. Without `clients` they are not read, only the rest is: thousands of them
    take a second.
    """
    report = Report(path)
    context = Context(report, os.environ if environ is None else environ)
    settings = _load(path, context, now_host, var, naf, clients)
    control = None if settings is None else settings.control_socket
    return Loaded(None if report.has_errors else settings, report.problems(), control)


def _load(
    path: str, context: Context, host: str | None, var: str | None, naf: str | None, clients: bool
) -> Settings | None:
    report = context.report
    try:
        data, mode = read_whole(path, _LARGEST)
    except (OSError, ValueError) as error:
        reason = describe_os_error(error) if isinstance(error, OSError) else "not a path"
        report.error(Position(path), f"the configuration cannot be read: {reason}")
        return None
    context.path = os.path.realpath(path)
    try:
        root = parse(data, path, empty=None if clients else "clients")
    except MalformedXmlError as error:
        report.error(error.place, str(error))
        return None
    if not check_names(root, report):
        return None
    whole = Section(root, context)
    naf = naf or naf_of(path)
    framework = read_naf(naf, context) if naf else None
    resolver = read_paths(whole, framework, environ=context.environ, var=var, host=host)
    context.resolve = resolver.path
    local = read_local(whole, resolver)
    task = whole if root.name == "pop3download" else whole.child("pop3download")
    if task is None:
        report.error(root.place, "<pop3download> is missing: there is nothing to retrieve")
        return None
    settings = _read_task(task, resolver, local, clients)
    checks.check_secrecy(whole, mode)
    return settings


def _read_task(task: Section, resolver: PathResolver, local: Local, complete: bool) -> Settings:
    timeout: float = task.field(Settings, "timeout")
    clients, disabled = _read_clients(task, local._replace(timeout=timeout)) if complete else ((), ())
    group = task.child("clients")
    known = {*(client.id for client in clients), *disabled}
    all_known = complete and (group is None or not (group.has_errors or group.uncertain()))
    return task.read(
        Settings,
        path=task.context.path,
        paths=resolver.paths,
        clients=clients,
        disabled=disabled,
        timeout=timeout,
        concurrency=task.child_or_empty("concurrency").read(Concurrency),
        control_socket=_read_control_socket(task),
        hooks=read_hooks(task, known, complete=all_known),
        metrics=read_metrics(task),
        password_variables=frozenset(_password_variables(task.node, task.context.environ)),
        **{name: read_log(task, name, resolver) for name in LOGS},
    )


def _read_control_socket(task: Section) -> str:
    """Return the path of the control socket; NO_VALUE: there shall be none."""
    given = task.child("control")
    if given and given.own_value().text == NO_VALUE:
        return NO_VALUE
    path: str = task.field(Settings, "control_socket")
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        what = f"the path of the control socket, {visible(path, 4096)}, is longer than {LONGEST_SOCKET_PATH} octets"
        if given:
            given.error(f"{what}; choose a shorter one")
        else:
            task.warning(f"{what}, so there will be none; name a shorter one in <control>")
    return path


def _password_variables(node: Node, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the environment variables that passwords come from, also those of disabled clients."""
    texts = [node.attributes[name].text for name in _PASSWORD_ATTRIBUTES if name in node.attributes]
    if node.name in _SECRET_ELEMENTS:
        texts.append(node.text)
        if variable := node.attributes.get("env"):
            with contextlib.suppress(values.InvalidValueError):
                yield expand(variable.text.strip(), environ)
    for text in texts:
        yield from names_in(text)
    for child in node.children:
        yield from _password_variables(child, environ)


def _read_clients(task: Section, local: Local) -> tuple[tuple[ClientSettings, ...], tuple[str, ...]]:
    """Return the enabled clients, and the ids of the disabled ones. Of the latter only the names are checked."""
    group = task.child("clients")
    found: list[tuple[Section, ClientSettings]] = []
    disabled: list[str] = []
    places: dict[str, Position] = {}
    any_enabled = False
    for section in group.children("client") if group else ():
        if not section.enabled():
            disabled.append(section.field(ClientSettings, "id", parse=values.text_of, required=False, default=""))
            continue
        any_enabled = True
        client_id = section.field(ClientSettings, "id")
        if client_id:
            place = section.place_of("id")
            first = places.setdefault(client_id, place)
            if first is not place:
                section.error(f"the id {quote(client_id)} is taken already; see line {first.line}", place)
        client = read_client(section, client_id, local)
        if client:
            checks.check_client(section, client)
            found.append((section, client))
    checks.check_maildrops(found)
    if not any_enabled and not (group or task).has_errors:
        (group or task).warning("no client is enabled, so there is nothing to retrieve")
    return tuple(client for _, client in found), tuple(client_id for client_id in disabled if client_id)
