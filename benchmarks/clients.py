"""The programs that are compared, each told in its own way to fetch all mail into Maildirs and delete it there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.process import Spent
from benchmarks.store import PASSWORD, Sessions

#: The name of the certificate.
SERVER: Final = "localhost"
OURS: Final = "tui-popretr"


@dataclass(frozen=True, slots=True)
class Task:
    """What to retrieve, and a folder for the client's configuration and state. `ca` means TLS from the first octet."""

    home: Path
    port: int
    accounts: tuple[str, ...]
    ca: Path | None = None

    def maildir(self, account: str) -> Path:
        """Where an account's mail goes. It is there, with its three folders."""
        return self.home / "mail" / account

    def write(self, name: str, text: str) -> Path:
        """Write a file of the configuration, private to the user."""
        path = self.home / name
        path.write_text(text)
        path.chmod(0o600)
        return path


@dataclass(frozen=True, slots=True)
class Client:
    """A program. `prepare` writes its configuration and returns the command.

    `together` says that it is several processes at once. `turns` is how often it has a turn at most: the slow ones
    would take most of the time. `as_us`: it runs as the user that runs the benchmark, also where that is root. `spend`
    runs it otherwise than by that command alone; it is given what tells of the sessions that the server has seen.
    """

    name: str
    prepare: Callable[[Task], list[str]] = field(repr=False)
    program: str
    together: bool = False
    turns: int = 1000
    as_us: bool = False
    spend: Callable[[Task, Callable[[], Sessions]], Spent] | None = field(default=None, repr=False)

    @property
    def installed(self) -> bool:
        """Whether it can be run here."""
        return shutil.which(self.program) is not None


# --- tui-popretr ------------------------------------------------------------------------------------------------------


def our_configuration(task: Task, clients: str = "", settings: str = "", frequency: str = "0") -> Path:
    """Write a configuration with the logs of a server in use: audit and transcript."""
    ssl = f'<ssl tspath="{task.ca}"/>' if task.ca else ""
    clients = clients or "".join(
        f'<client id="{account}" recip="{account}" freq="{frequency}"><server address="{SERVER}:{task.port}">'
        f"<username>{account}</username><password>{PASSWORD}</password><authtypes>SASL_PLAIN</authtypes></server>{ssl}"
        f"<maildir>{task.maildir(account)}</maildir></client>"
        for account in task.accounts
    )
    settings = settings or '<delay_start>0</delay_start><concurrency total="200" perserver="200"/>'
    return task.write(
        "tui-popretr.xml",
        f"<pop3download><dirpaths><root>{task.home}</root></dirpaths><audit>{task.home}/audit.log</audit>"
        f"<transcript>{task.home}/transcript.log</transcript>{settings}<clients>{clients}</clients></pop3download>",
    )


def _ours(program: str, task: Task) -> list[str]:
    return [program, "run", str(our_configuration(task)), "--headless", "--once"]


def ours(program: str | None = None) -> Client:
    """The program of this environment, or another one that is named."""
    program = program or os.path.join(os.path.dirname(sys.executable), OURS)
    # Root's Python is often where nobody else may look.
    return Client(OURS, partial(_ours, program), program, as_us=True)


# --- mpop -------------------------------------------------------------------------------------------------------------


def _mpop_configuration(task: Task) -> Path:
    tls = f"tls on\ntls_starttls off\ntls_trust_file {task.ca}" if task.ca else "tls off"
    return task.write(
        "mpoprc",
        "".join(
            f"account {account}\nhost {SERVER}\nport {task.port}\n{tls}\nauth plain\nuser {account}\n"
            f"password {PASSWORD}\nkeep off\ndelivery maildir {task.maildir(account)}\n"
            f"uidls_file {task.home}/uidls.{account}\n\n"
            for account in task.accounts
        ),
    )


def _mpop(task: Task) -> list[str]:
    return ["mpop", "-C", str(_mpop_configuration(task)), "-q", "-a"]


def _mpop_parallel(processes: int, task: Task) -> list[str]:
    return in_parallel(processes, task, ["mpop", "-C", str(_mpop_configuration(task)), "-q", "{}"])


def in_parallel(processes: int, task: Task, command: list[str]) -> list[str]:
    """Return a command that runs another one for each account, so many at a time; {} stands for the account."""
    accounts = task.write("accounts", "".join(f"{account}\n" for account in task.accounts))
    return ["xargs", "-a", str(accounts), "-P", str(processes), "-I", "{}", *command]


MPOP: Final = Client("mpop", _mpop, "mpop")


def mpop(processes: int) -> Client:
    """One process for each account, so many at a time."""
    return Client(f"mpop -P {processes}", partial(_mpop_parallel, processes), "mpop", together=True)


# --- fetchmail --------------------------------------------------------------------------------------------------------


def _fetchmail_configuration(task: Task, account: str) -> Path:
    # It has no Maildirs of its own. fetchsizelimit 0 asks for all sizes at once.
    tls = f'ssl sslproto "TLS1.2+" sslcertck sslcertfile "{task.ca}"' if task.ca else 'sslproto ""'
    task.write("procmailrc", "LOGFILE=/dev/null\n")
    return task.write(
        f"fetchmailrc.{account}",
        f'poll "{SERVER}" service {task.port} protocol pop3 auth password timeout 60\n'
        f'  username "{account}" password "{PASSWORD}" {tls} nokeep fetchall fetchsizelimit 0\n'
        f'  mda "procmail DEFAULT={task.maildir(account)}/ {task.home}/procmailrc"\n',
    )


def _fetchmail(processes: int, task: Task) -> list[str]:
    for account in task.accounts:
        _fetchmail_configuration(task, account)
    state = ["--pidfile", f"{task.home}/pid.{{}}", "--idfile", f"{task.home}/ids.{{}}"]
    command = ["fetchmail", "-f", f"{task.home}/fetchmailrc.{{}}", *state, "-s"]
    if processes:
        return in_parallel(processes, task, command)
    return [part.replace("{}", task.accounts[0]) for part in command]


FETCHMAIL: Final = Client("fetchmail", partial(_fetchmail, 0), "fetchmail", turns=3)
FETCHMAIL_8: Final = Client("fetchmail -P 8", partial(_fetchmail, 8), "fetchmail", together=True, turns=3)


# --- getmail6 ---------------------------------------------------------------------------------------------------------


def _getmail(task: Task) -> list[str]:
    command = ["getmail", "--getmaildir", str(task.home), "-q"]
    tls = f"SimplePOP3SSLRetriever\nca_certs = {task.ca}" if task.ca else "SimplePOP3Retriever"
    for account in task.accounts:
        path = task.write(
            f"getmailrc.{account}",
            f"[retriever]\ntype = {tls}\nserver = {SERVER}\nport = {task.port}\nusername = {account}\n"
            f"password = {PASSWORD}\ntimeout = 60\n\n[destination]\ntype = Maildir\n"
            f"path = {task.maildir(account)}/\n\n[options]\ndelete = true\nread_all = false\nverbose = 0\n",
        )
        command += ["--rcfile", str(path)]
    return command


GETMAIL: Final = Client("getmail6", _getmail, "getmail", turns=3)
