"""Finds the daemon of a configuration, and connects to its control socket."""

from __future__ import annotations

import os
import pwd
import shlex
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from tui_popretr.cli.config_path import ConfigurationFile, locate
from tui_popretr.config.paths import NO_SOCKET
from tui_popretr.config.reader import load
from tui_popretr.control.client import ControlClient, DaemonError, NoDaemonError, RequestRefusedError
from tui_popretr.errors import ConfigurationError, DaemonUnavailable, UsageError
from tui_popretr.text import visible


@contextmanager
def daemon_of(arguments: Namespace) -> Iterator[ControlClient]:
    """Connect to the daemon of the configuration that the arguments name, and close the connection at the end.

    Raises ConfigurationError, DaemonUnavailable also when the connection breaks, and UsageError for a refused request.
    """
    file = locate(arguments.config, arguments.naf)
    try:
        with connect(file) as client:
            yield client
    except RequestRefusedError as problem:
        raise UsageError(visible(str(problem), 4096), advice="tui-popretr status lists the clients") from None
    except DaemonError as problem:
        raise DaemonUnavailable(visible(str(problem), 4096), advice="") from None


def connect(file: ConfigurationFile) -> ControlClient:
    """Connect to the daemon of a configuration. Raises ConfigurationError, DaemonUnavailable and DaemonError."""
    path, shown = socket_path(file), visible(file.path, 4096)
    if path == NO_SOCKET:
        raise DaemonUnavailable(
            f"{shown} has no control socket", advice="remove <control>-</control> and restart the daemon"
        )
    try:
        client = ControlClient(path)
    except NoDaemonError:
        if user := _other_user(file.path):
            again = visible(shlex.join(["sudo", "-u", user, "tui-popretr", "status", file.path]), 4096)
            raise DaemonUnavailable(
                f"root finds no daemon for {shown}, which belongs to {visible(user)}",
                advice=f"ask as {visible(user)}, whose folders may have the control socket: {again}",
            ) from None
        start = visible(shlex.join(["tui-popretr", file.path, "--headless"]), 4096)
        advice = f"start one: {start} (if one runs, its log says why it has no control socket)"
        raise DaemonUnavailable(f"no daemon runs with {shown}", advice=advice) from None
    if client.hello.config != os.path.realpath(file.path):
        client.close()
        raise DaemonUnavailable(
            f"the daemon at {visible(path, 4096)} runs with {visible(client.hello.config, 4096)}",
            advice="give each configuration a <control> of its own",
        )
    return client


def socket_path(file: ConfigurationFile) -> str:
    """Return the path of a configuration's control socket. Raises ConfigurationError.

    Other mistakes in the configuration do not matter: the daemon has read an earlier version.
    """
    path = load(file.path, var=file.var, naf=file.naf, clients=False).control_socket
    if path is None:
        raise ConfigurationError(
            f"{visible(file.path, 4096)} does not say where the control socket is", advice="see tui-popretr check"
        )
    return path


def _other_user(path: str) -> str:
    """Return the owner of a configuration if root has named one that belongs to another user, else "".

    The control socket is by default below the home folder of the user, so root looks for another one.
    """
    if os.geteuid() != 0:
        return ""
    try:
        uid = os.stat(path).st_uid
        return "" if uid == 0 else pwd.getpwuid(uid).pw_name
    except (OSError, KeyError):
        return ""
