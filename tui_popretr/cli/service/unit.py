"""The text of systemd's units: a service, or a service that runs once and its timer. docs/systemd.md explains them.

Type=notify and ExecReload=kill -HUP work with every systemd; Type=notify-reload needs version 253.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tui_popretr.cli.service.places import is_within

#: Seconds without a sign of life after which systemd starts the service again.
WATCHDOG: Final = 120
_STATE: Final = "/var/lib/"
_TEMPORARY: Final = ("/tmp", "/var/tmp")  # noqa: S108 - PrivateTmp= would hide what is there
_HOMES: Final = ("/home", "/root", "/run/user")

# Without namespaces, so that they work for a user's service on every kernel.
_FILTERS: Final = """\
NoNewPrivileges=yes
LockPersonality=yes
# The resolver asks the kernel for its addresses by netlink.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service"""

_SANDBOX: Final = """\
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=yes"""


@dataclass(frozen=True, slots=True)
class Service:
    """What a unit is made from. Paths are absolute."""

    program: tuple[str, ...]  # the first words of its command line
    arguments: tuple[str, ...]  # the configuration and its options
    folders: tuple[str, ...]  # that it writes to
    name: str = "tui-popretr"  # of the unit, without its suffix
    metrics: str | None = None  # the folder of the metrics' file, if it is elsewhere
    reads: tuple[str, ...] = ()  # further paths that it needs
    passwords: tuple[str, ...] = ()  # password files, given as a bare name
    commands: bool = False  # it runs the user's commands, which may read their home folder
    environment: tuple[tuple[str, str], ...] = ()
    system: bool = False
    user: str | None = None  # of a system service; None: root, or a dynamic user where that is possible
    gives_files: bool = False  # virtualusers="N": it gives files to other users
    every: float | None = None  # seconds between two runs of a timer; None: a service that keeps running

    @property
    def state(self) -> str | None:
        """The folder in /var/lib that has all that the service writes, if there is one."""
        if len(self.folders) != 1 or not self.folders[0].startswith(_STATE):
            return None
        return self.folders[0].removeprefix(_STATE).partition("/")[0] or None

    @property
    def dynamic(self) -> bool:
        """Whether systemd makes a user for the service."""
        return self.system and self.user is None and not self.gives_files and self.state is not None


def edit_command(unit: str, *, system: bool) -> str:
    """Return the command line that edits a drop-in of a unit."""
    return f"systemctl {'' if system else '--user '}edit {shlex.quote(unit)}"


def service_text(service: Service) -> str:
    """Return the text of the .service file."""
    return "\n".join(_service(service)) + "\n"


def timer_text(service: Service) -> str:
    """Return the text of the .timer file."""
    seconds = max(1, round(service.every or 0))
    return f"""\
# Starts the service of the same name. Made by: tui-popretr service --timer
[Unit]
Description=POP3 mail retrieval, at intervals

[Timer]
OnStartupSec=1min
# counted from the end of a run
OnUnitInactiveSec={seconds}s
AccuracySec=10s

[Install]
WantedBy=timers.target
"""


def _service(service: Service) -> Iterator[str]:
    once = service.every is not None
    edit = edit_command(service.name, system=service.system)
    yield f"# Made by: tui-popretr service{' --timer' if once else ''}. For changes use a drop-in: {edit}"
    yield "[Unit]"
    yield f"Description=POP3 mail {'retrieval' if once else 'retriever'}"
    if service.system:
        yield "Wants=network-online.target"
        yield "After=network-online.target nss-lookup.target"
        yield f"RequiresMountsFor={_words(service.folders)}"
    yield from ("", "[Service]")
    yield from _running(service, once=once)
    yield ""
    yield from _user(service)
    yield from _credentials(service)
    yield ""
    yield _FILTERS
    privileged = "" if service.gives_files else "@privileged "
    yield f"SystemCallFilter=~{privileged}@resources"
    yield "SystemCallErrorNumber=EPERM"
    yield from _file_system(service)
    if not once:
        yield from ("", "[Install]", f"WantedBy={'multi-user' if service.system else 'default'}.target")


def _running(service: Service, *, once: bool) -> Iterator[str]:
    options = ("--headless", "--once") if once else ("--headless",)
    yield f"Type={'oneshot' if once else 'notify'}"
    yield f"ExecStart={_words((*service.program, 'run', *service.arguments, *options), command=True)}"
    for name, value in service.environment:
        yield f"Environment={_word(f'{name}={value}')}"
    if once:
        yield "# The server is down, or the mailbox is in use: the next run tries again."
        yield "SuccessExitStatus=69 75"
        yield "TimeoutStartSec=infinity"
    else:
        yield "ExecReload=kill -HUP $MAINPID"
        yield f"WatchdogSec={WATCHDOG}"
        yield "# Recovery after a crash can take a while on a slow disk."
        yield "TimeoutStartSec=300"
        yield "Restart=on-failure"
        yield "RestartSec=30"
        yield "# Command line and configuration: trying again does not help."
        yield "RestartPreventExitStatus=64 78"
    yield "# Running sessions are finished and QUIT is sent within 10 seconds."
    yield "TimeoutStopSec=15"


def _user(service: Service) -> Iterator[str]:
    yield "UMask=0077"
    if not service.system:
        return
    if service.dynamic:
        yield "# systemd makes a user for the service; it owns this folder in /var/lib."
        yield "DynamicUser=yes"
        yield f"StateDirectory={_word(str(service.state))}"
        yield "StateDirectoryMode=0700"
        yield f"WorkingDirectory={_STATE}{_escaped(str(service.state))}"
    elif service.user is not None:
        yield f"User={service.user}"


def _credentials(service: Service) -> Iterator[str]:
    by_root = " as root" if service.system else ""
    yield f'# systemd reads these files{by_root}, for <password file="NAME"/>.'
    start = "" if service.dynamic and service.passwords else "#"
    if start:
        yield "# To use them, copy all of these lines without # into the [Service] section of a drop-in:"
    else:
        yield "# Keep all of these lines: with one of them, each NAME is looked for only among these files."
    example = os.path.join(os.path.dirname(service.arguments[0]), "isp.password")
    for path in service.passwords or (example,):
        yield f"{start}LoadCredential={_escaped(path.rpartition('/')[2])}:{_escaped(path)}"


def _file_system(service: Service) -> Iterator[str]:
    written = () if service.dynamic else tuple(map(_word, service.folders))
    if service.metrics is not None:
        written = (*written, _word(f"-{service.metrics}"))  # the service starts without it, too
    writable = f"ReadWritePaths={' '.join(written)}" if written else ""
    if not service.system:
        yield ""
        yield "# With these lines, only these folders can be written to. They need user namespaces for everyone."
        yield "# To use them, copy them without # into the [Service] section of a drop-in:"
        yield from ("#PrivateUsers=yes", "#ProtectSystem=strict", f"#{writable}")
        return
    paths = (*service.folders, *service.reads, *filter(None, [service.metrics]))
    at_home = service.commands or any(is_within(path, each) for path in paths for each in _HOMES)
    yield "ProtectSystem=strict"
    if writable:
        yield writable
    yield f"ProtectHome={'read-only' if at_home else 'yes'}"
    yield f"PrivateTmp={'no' if any(is_within(path, each) for path in paths for each in _TEMPORARY) else 'yes'}"
    yield _SANDBOX
    if service.gives_files:
        yield "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER"
    else:
        yield from ("CapabilityBoundingSet=", "AmbientCapabilities=", "PrivateUsers=yes")


# --- quoting (systemd.syntax(7), systemd.service(5)) ------------------------------------------------------------------


def _words(words: Sequence[str], *, command: bool = False) -> str:
    return " ".join(_word(word, command=command) for word in words)


def _word(word: str, *, command: bool = False) -> str:
    """Return a word as a unit file has it; in a `command` $ would begin a variable."""
    text = _escaped(word)
    if command:
        text = text.replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./~$-]+", text, re.ASCII):
        return text
    text = "".join(_QUOTED.get(each, each) for each in text)
    return f'"{text}"'


_QUOTED: Final = {'"': r"\"", "\\": r"\\", **{chr(code): f"\\x{code:02x}" for code in (*range(32), 127)}}


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
