"""A private, real Postfix: own folder, own queue, a loopback port; started and stopped with the tests that need it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import trustme

from tests.support.waiting import PATIENCE, wait_for
from tui_popretr.config.model import SmtpDestination

DOMAIN = "receiver.test"
SENDER = f"popretr@{DOMAIN}"
#: A system user. Its mail is delivered by local(8), which detects loops.
LOCAL_USER = f"mail@local.{DOMAIN}"
SIZE_LIMIT = 2_000_000

_MAIN = """\
compatibility_level = 3.6
config_directory = {folder}/conf
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = {domain}
mydestination = local.{domain}
local_recipient_maps =
mail_spool_directory = {folder}/spool/
biff = no
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
default_transport = error:no mail leaves this machine
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/conf/users
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
message_size_limit = {limit}
alias_maps =
alias_database =
smtpd_tls_security_level = may
smtpd_tls_chain_files = {folder}/conf/tls.pem
smtpd_tls_received_header = yes
smtpd_timeout = {timeout}
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
local unix - n n - - local
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


def _program() -> str | None:
    return shutil.which("postfix", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


def require() -> None:
    """Skip the test where there is no Postfix; fail it there under CI=true, where none may be missing."""
    if _program() is None:
        reason = "Postfix is not installed (Debian, Ubuntu: apt-get install postfix)"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)


class Postfix:
    """Takes mail on `port` for its users, into Maildirs, and from there nowhere. Needs root. STARTTLS is offered.

    `timeout`: seconds of silence after which it closes a connection with 421; `settings`: further lines of main.cf.
    """

    def __init__(self, *users: str, timeout: int = 300, settings: str = "") -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="postfix-", dir="/tmp"))
        self._folder.chmod(0o755)
        self._timeout = timeout
        self._settings = settings
        self.port = 0
        for name in ("conf", "queue", "data", "mail", "spool"):
            (self._folder / name).mkdir(0o755)
        shutil.chown(self._folder / "data", "postfix")
        shutil.chown(self._folder / "mail", "mail")
        shutil.chown(self._folder / "spool", "mail")
        (self._folder / "conf" / "users").write_text("".join(f"{user}@{DOMAIN} {user}/\n" for user in users))
        pem = trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem
        pem.write_to_path(str(self._folder / "conf" / "tls.pem"))
        (self._folder / "conf" / "tls.pem").chmod(0o600)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def destination(self, *users: str, starttls: bool = False) -> SmtpDestination:
        """Return the settings that lead to these users of DOMAIN, or of another one where they have one."""
        recipients = tuple(user if "@" in user else f"{user}@{DOMAIN}" for user in users)
        return SmtpDestination(SENDER, recipients, host="127.0.0.1", port=self.port, starttls=starttls)

    def mailbox(self, user: str, count: int) -> list[bytes]:
        """Return a user's messages, with LF, when there are so many; what is still in the queue is waited for."""
        folder = self._folder / ("spool/mail" if user == LOCAL_USER else f"mail/{user}") / "new"
        wait_for(lambda: folder.is_dir() and len(list(folder.iterdir())) >= count, f"{count} messages for {user}")
        return [path.read_bytes() for path in sorted(folder.iterdir())]

    @property
    def configuration(self) -> Path:
        """The folder of main.cf, as MAIL_CONFIG has it."""
        return self._folder / "conf"

    def log_text(self) -> str:
        """What it has logged so far."""
        path = self._folder / "log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    # ------------------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        program = _program()
        assert program is not None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        mail = pwd.getpwnam("mail")
        configuration = self._folder / "conf"
        (configuration / "main.cf").write_text(
            _MAIN.format(
                folder=self._folder,
                domain=DOMAIN,
                uid=mail.pw_uid,
                gid=mail.pw_gid,
                limit=SIZE_LIMIT,
                timeout=self._timeout,
            )
            + self._settings
        )
        (configuration / "master.cf").write_text(_MASTER.format(port=self.port))
        done = subprocess.run(
            [program, "-c", str(configuration), "start"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode or not self._greets():
            raise RuntimeError(f"Postfix does not start:\n{done.stdout}{done.stderr}{self.log_text()}")

    def _greets(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, smtplib.SMTPException), smtplib.SMTP("127.0.0.1", self.port, timeout=5):
                return True
            time.sleep(0.02)
        return False

    def _stop(self) -> None:
        path = self._folder / "queue" / "pid" / "master.pid"
        if path.exists():
            process = int(path.read_text())
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
                wait_for(lambda: not Path(f"/proc/{process}").exists(), "the end of Postfix")
