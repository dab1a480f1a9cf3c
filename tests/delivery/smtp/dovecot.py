"""A private, real Dovecot that speaks LMTP, on a loopback port and a Unix socket."""

from __future__ import annotations

import os
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Self

import pytest

from tests.support import dovecot
from tests.support.waiting import PATIENCE
from tui_popretr.config.model import SmtpDestination

DOMAIN = "receiver.test"
SENDER = f"popretr@{DOMAIN}"


def _template(program: str) -> Path:
    return Path(__file__).with_name(f"dovecot-{dovecot._version(program)}.conf")


def require() -> None:
    """Skip the test where there is no Dovecot with LMTP; fail it there under CI=true, where none may be missing."""
    dovecot.require()
    if not any(Path(folder, "dovecot/lmtp").exists() for folder in ("/usr/lib", "/usr/libexec", "/usr/local/libexec")):
        reason = "Dovecot's LMTP server is not installed (Debian, Ubuntu: apt-get install dovecot-lmtpd)"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)


class LmtpServer:
    """Takes mail for its users, on `port` and the socket `path`, into Maildirs."""

    def __init__(self, *users: str) -> None:
        # Unix sockets live in here, whose paths have room for about 100 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="lmtp-", dir="/tmp"))
        self._folder.chmod(0o755)
        self._identity = dovecot._Identity.of_this_process()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.path = str(self._folder / "lmtp")
        for name in ("mail", "home"):
            self._make_folder(self._folder / name)
        (self._folder / "users").write_text("".join(f"{user}:{{PLAIN}}x::::::\n" for user in users))

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def destination(self, *users: str, unix: bool = False) -> SmtpDestination:
        """Return the settings that lead to these users."""
        recipients = tuple(f"{user}@{DOMAIN}" for user in users)
        if unix:
            return SmtpDestination(SENDER, recipients, port=24, socket_path=self.path, lmtp=True)
        return SmtpDestination(SENDER, recipients, host="127.0.0.1", port=self.port, lmtp=True)

    def mailbox(self, user: str) -> list[bytes]:
        """A user's messages, with LF. What LMTP has accepted is there."""
        return [path.read_bytes() for path in sorted((self._folder / "mail" / user / "new").glob("*"))]

    def obstruct(self, user: str) -> None:
        """Let nothing be stored for a user."""
        (self._folder / "mail" / user).write_text("in the way")

    def mend(self, user: str) -> None:
        """The user gets mail again."""
        (self._folder / "mail" / user).unlink()

    def log_text(self) -> str:
        """What it has logged so far."""
        path = self._folder / "log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    # ------------------------------------------------------------------------------------------------------------------

    def _make_folder(self, path: Path) -> None:
        path.mkdir(0o700)
        os.chown(path, self._identity.uid, self._identity.gid)

    def _start(self) -> None:
        program = dovecot._program()
        assert program is not None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        configuration = self._folder / "dovecot.conf"
        configuration.write_text(
            Template(_template(program).read_text()).substitute(
                folder=self._folder,
                port=self.port,
                identity=self._identity.settings,
                no_chroot=self._identity.no_chroot,
                uid=self._identity.uid,
                gid=self._identity.gid,
            )
        )
        command = [program, "-F", "-c", str(configuration)]
        if setpriv := shutil.which("setpriv"):  # it shall not outlive killed tests
            command = [setpriv, "--pdeathsig", "TERM", *command]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                with smtplib.LMTP("127.0.0.1", self.port, timeout=PATIENCE):
                    return
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)
        raise RuntimeError(f"Dovecot does not start:\n{self.log_text()}")
