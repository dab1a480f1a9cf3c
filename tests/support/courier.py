"""A private, real Courier POP3 server for tests, out of Debian's packages, which are unpacked and not installed.

Courier's paths are compiled in, so it runs in a chroot of its own: root is needed to enter it, and nothing in it runs
as root. Courier's own programs accept connections, speak before the login, and serve the maildrop. Whether a login is
right is judged by this module, in the place of Courier's authdaemond.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

HOST = "127.0.0.1"
#: Where scripts/test-servers unpacks the packages.
UNPACKED = Path("/var/cache/tui-popretr-tests/courier")

_ACCEPTING, _LOGIN, _SERVING = (
    "usr/sbin/couriertcpd",
    "usr/lib/courier/courier/courierpop3login",
    "usr/lib/courier/courier/courierpop3d",
)
_SOCKET = "run/courier/authdaemon/socket"
_LIBRARIES = ("/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu")
_START_TIMEOUT = 20.0
_LIBRARY = re.compile(r"(/\S+) \(0x")
_REQUEST = re.compile(rb"AUTH ([0-9]+)\n")


def unavailable() -> str | None:
    """Why there is no Courier that this module can run, or None where there is one."""
    if os.geteuid() != 0:
        return "Courier needs root, for a chroot of its own"
    if not (UNPACKED / _SERVING).exists():
        return f"Courier is not unpacked in {UNPACKED} (scripts/test-servers does it, on Debian and Ubuntu)"
    return None


def require() -> None:
    """Skip the test where there is no Courier; fail it there under CI=true, where none may be missing."""
    if reason := unavailable():
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)


class Courier:
    """A running Courier on `port`, without TLS, that takes USER/PASS, AUTH PLAIN and AUTH LOGIN.

    It offers TOP, UIDL, PIPELINING, LOGIN-DELAY 10 and UTF8. To a client that has not sent UTF8 before the login, RETR
    and TOP give another message in the place of one with octets above 127 in its header. Messages are deleted after the
    answer to QUIT: they may be there for a moment still. A rejected login is answered after five seconds.
    """

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="courier-"))
        self._root.chmod(0o755)  # the mail user comes this way
        self._mail = pwd.getpwnam("mail")
        self._passwords: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._filled = 0
        self.host = HOST
        self.port = 0

    def __enter__(self) -> Self:
        try:
            self._furnish()
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._end()

    # --- accounts and their mail --------------------------------------------------------------------------------------

    def add_user(self, name: str, password: str) -> None:
        """Make an account; it can log in at once."""
        self._passwords[name] = password
        for folder in ("", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"):
            self._own(self._home(name) / folder)

    def fill(self, name: str, messages: Iterable[bytes]) -> None:
        """Put messages into the account's maildrop, in this order. Courier keeps line ends as LF, and sends CRLF."""
        for message in messages:
            self._filled += 1
            path = self._home(name) / "Maildir/new" / f"{self._filled:010}.M0P0.test"
            path.write_bytes(message)
            os.chown(path, self._mail.pw_uid, self._mail.pw_gid)

    def messages(self, name: str) -> list[bytes]:
        """The messages of the account's maildrop as they are stored."""
        maildir = self._home(name) / "Maildir"
        found = [path for folder in ("cur", "new") for path in maildir.glob(f"{folder}/*")]
        messages = []
        for path in sorted(found, key=lambda path: path.name):
            with contextlib.suppress(FileNotFoundError):  # deleted just now
                messages.append(path.read_bytes())
        return messages

    def log_text(self) -> str:
        """What the server has logged so far."""
        path = self._root / "log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    # --- the chroot ---------------------------------------------------------------------------------------------------

    def _home(self, name: str) -> Path:
        return self._root / "home" / name

    def _own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True)
        os.chown(folder, self._mail.pw_uid, self._mail.pw_gid)

    def _furnish(self) -> None:
        shutil.copytree(UNPACKED, self._root, symlinks=True, dirs_exist_ok=True)
        programs = [self._root / each for each in (_ACCEPTING, _LOGIN, _SERVING)]
        if self._setpriv is not None:
            programs.append(self._root / "usr/bin/setpriv")
            _copy(Path(self._setpriv), programs[-1])
        for program in programs:
            for library in self._libraries_of(program):
                _copy(library, self._root / str(library).lstrip("/"))
        (self._root / "home").mkdir()
        (self._root / "dev").mkdir()
        (self._root / "dev/null").touch()  # as far as these programs use it
        (self._root / "dev/null").chmod(0o666)

    @property
    def _setpriv(self) -> str | None:
        return shutil.which("setpriv")

    def _libraries_of(self, program: Path) -> list[Path]:
        """The libraries of the system that a program needs."""
        inside = ":".join(f"{self._root}{folder}" for folder in _LIBRARIES)
        answer = subprocess.run(
            ["/usr/bin/ldd", program], env={"LD_LIBRARY_PATH": inside}, capture_output=True, text=True, check=True
        ).stdout
        if "not found" in answer:
            raise RuntimeError(f"Courier lacks a library:\n{answer}")
        return [Path(each) for each in _LIBRARY.findall(answer) if not each.startswith(f"{self._root}/")]

    def _start(self) -> None:
        self._judge = _Judge(self._root / _SOCKET, self._passwords, self._mail)
        for _ in range(5):
            with socket.create_server((HOST, 0)) as free:
                self.port = free.getsockname()[1]
            if self._try_to_start():
                return
        raise RuntimeError(f"Courier does not start:\n{self.log_text()}")

    def _try_to_start(self) -> bool:
        chroot = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if chroot is None:
            raise RuntimeError("there is no program chroot")
        command = [chroot, f"--userspec={self._mail.pw_uid}:{self._mail.pw_gid}", "--groups=", str(self._root)]
        if self._setpriv is not None and threading.current_thread() is threading.main_thread():
            command += ["/usr/bin/setpriv", "--pdeathsig", "TERM"]  # it shall not outlive killed tests
        command += [f"/{_ACCEPTING}", f"-address={HOST}", "-maxprocs=40", "-maxperip=40"]
        command += ["-nodnslookup"]
        if b"noidentlookup" in (self._root / _ACCEPTING).read_bytes():  # later versions look up no identity
            command += ["-noidentlookup"]
        command += [str(self.port), f"/{_LOGIN}", f"/{_SERVING}", "Maildir"]
        environment = {
            "LD_LIBRARY_PATH": ":".join(_LIBRARIES),
            "POP3AUTH": "PLAIN LOGIN",
            "POP3_PROXY": "0",
            "MIME_UNICODE_MESSAGE_TYPE": "message/global",
        }
        with (self._root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        deadline = time.monotonic() + _START_TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((HOST, self.port), _START_TIMEOUT) as connection,
            ):
                if connection.recv(3) == b"+OK":
                    return True
            time.sleep(0.02)
        self._stop()
        return False

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _end(self) -> None:
        self._stop()
        if hasattr(self, "_judge"):
            self._judge.close()
        shutil.rmtree(self._root, ignore_errors=True)


class _Judge:
    """Answers in authdaemond's place whether a login is right: one request and one answer a connection."""

    def __init__(self, path: Path, passwords: dict[str, str], mail: pwd.struct_passwd) -> None:
        path.parent.mkdir(parents=True)
        self._passwords, self._mail = passwords, mail
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        path.chmod(0o666)
        self._socket.listen()
        self._thread = threading.Thread(target=self._judge, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._socket.close()
        self._thread.join(10)

    def _judge(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                connection.settimeout(10)
                connection.sendall(self._answer(_request(connection)))

    def _answer(self, request: bytes) -> bytes:
        """`request` has a line each: the service, the kind of login, the user and the password."""
        fields = request.decode("utf-8", "surrogateescape").split("\n")
        if len(fields) < 4 or fields[1] != "login" or self._passwords.get(fields[2]) != fields[3]:
            return b"FAIL\n"
        name = fields[2]
        ids = f"UID={self._mail.pw_uid}\nGID={self._mail.pw_gid}\n"
        return f"{ids}HOME=/home/{name}\nADDRESS={name}\nMAILDIR=Maildir\n.\n".encode()


def _request(connection: socket.socket) -> bytes:
    received = b""
    while True:
        received += (some := connection.recv(4096))
        match = _REQUEST.search(received)
        if match is not None and len(received) - match.end() >= int(match[1]):
            return received[match.end() :]
        if not some:
            return b""


def _copy(source: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source.resolve(), target)
