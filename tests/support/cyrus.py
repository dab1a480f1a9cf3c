"""A private, real Cyrus IMAP server for the nightly tests, out of packages that are unpacked and not installed.

Whether a password is right is judged by this module, in the place of saslauthd. For SCRAM, which needs the password
itself, add_user() puts it into a sasldb.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest
import trustme

HOST: Final = "127.0.0.1"
#: Where scripts/unpack-cyrus unpacks the packages. CYRUS_UNPACKED names another folder.
UNPACKED: Final = Path(os.environ.get("CYRUS_UNPACKED", "/var/cache/tui-popretr-tests/cyrus"))

_START_TIMEOUT: Final = 20.0
_SASLPASSWD: Final = UNPACKED / "usr/sbin/saslpasswd2"
_BIN: Final = UNPACKED / "usr/lib/cyrus/bin"
#: Cyrus 3.6 always offers STARTTLS, 3.10 with allowstarttls. munge8bit would put an X for each octet of a header that
#: is not ASCII.
_SETTINGS: Final = """\
servername: localhost
configdirectory: {folder}/conf
tls_server_cert: {folder}/conf/server.pem
tls_server_key: {folder}/conf/server.pem
partition-default: {folder}/spool
defaultpartition: default
cyrus_user: mail
sasl_pwcheck_method: saslauthd
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/conf/sasldb
sasl_mech_list: PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256
sasl_saslauthd_path: {folder}/run/mux
allowplaintext: yes
proc_path: {folder}/run/proc
mboxname_lockpath: {folder}/run/lock
lmtpsocket: {folder}/run/lmtp
idlesocket: {folder}/run/idle
notifysocket: {folder}/run/notify
autocreate_quota: 0
munge8bit: no
allowstarttls: on
unixhierarchysep: yes
altnamespace: yes
sievedir: {folder}/sieve
duplicate_db_path: {folder}/db/deliver
statuscache_db_path: {folder}/db/status
"""
_SERVICES: Final = """\
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {folder}/imapd.conf" listen="{host}:{port}" prefork=1
  imaps cmd="{bin}/imapd -s -C {folder}/imapd.conf" listen="{host}:{tls_port}" prefork=1
}}
EVENTS {{
}}
"""


def require() -> None:
    """Skip the test where there is no Cyrus; fail it there under CI=true, where none may be missing."""
    reason = None
    if os.geteuid() != 0:
        reason = "Cyrus needs root: it gives up its rights by itself"
    elif not ((_BIN / "imapd").exists() and _SASLPASSWD.exists()):
        reason = f"Cyrus is not unpacked in {UNPACKED} (scripts/unpack-cyrus does it, on Debian and Ubuntu)"
    if reason:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)


class Cyrus:
    """A running Cyrus on `port` (STARTTLS offered) and over implicit TLS on `tls_port`.

    Every user with the password can log in, and has an INBOX then; by SCRAM only those made with add_user(). The
    certificate is for localhost and 127.0.0.1.
    """

    def __init__(self, password: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="cyrus-", dir="/tmp"))  # Unix sockets live in here
        self._password = password
        self._mail = pwd.getpwnam("mail")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.tls_port = 0

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
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if hasattr(self, "_judge"):
            with contextlib.suppress(OSError):
                self._judge.shutdown(socket.SHUT_RDWR)  # wakes the thread
            self._judge.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def ca(self) -> Path:
        """The PEM file of the authority that signed the server's certificate."""
        return self._folder / "ca.pem"

    def add_user(self, name: str) -> None:
        """Make an account that can log in by SCRAM too."""
        database = self._folder / "conf/sasldb"
        command = [str(_SASLPASSWD), "-p", "-c", "-f", str(database), "-u", "localhost", name]
        subprocess.run(command, input=self._password.encode(), env=_environment(), check=True, capture_output=True)
        os.chown(database, self._mail.pw_uid, self._mail.pw_gid)

    def _make_certificates(self) -> None:
        authority = trustme.CA(organization_name="tui-popretr tests")
        authority.cert_pem.write_to_path(self.ca)
        path = self._folder / "conf/server.pem"
        authority.issue_cert("localhost", HOST, common_name="localhost").private_key_and_cert_chain_pem.write_to_path(
            path
        )
        os.chown(path, self._mail.pw_uid, self._mail.pw_gid)

    def _start(self) -> None:
        for name in ("", "conf", "spool", "run", "db"):
            (self._folder / name).mkdir(exist_ok=True)
            os.chown(self._folder / name, self._mail.pw_uid, self._mail.pw_gid)
        self._make_certificates()
        with socket.create_server((HOST, 0)) as free, socket.create_server((HOST, 0)) as other:
            self.port, self.tls_port = (each.getsockname()[1] for each in (free, other))
        words = {"folder": self._folder, "bin": _BIN, "host": HOST, "port": self.port, "tls_port": self.tls_port}
        (self._folder / "imapd.conf").write_text(_SETTINGS.format(**words))
        (self._folder / "cyrus.conf").write_text(_SERVICES.format(**words))
        self._judge = socket.socket(socket.AF_UNIX)
        self._judge.bind(str(self._folder / "run/mux"))
        (self._folder / "run/mux").chmod(0o666)
        self._judge.listen()
        threading.Thread(target=self._answer_logins, daemon=True).start()
        command = [str(_BIN / "master"), "-D", "-C", f"{self._folder}/imapd.conf", "-M", f"{self._folder}/cyrus.conf"]
        command += ["-p", f"{self._folder}/run/master.pid"]
        if setpriv := shutil.which("setpriv"):  # it shall not outlive killed tests
            command = [setpriv, "--pdeathsig", "TERM", *command]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=_environment(),
            )
        deadline = time.monotonic() + _START_TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((HOST, self.port), _START_TIMEOUT) as connection,
            ):
                if connection.recv(4) == b"* OK":
                    return
            time.sleep(0.02)
        raise RuntimeError(f"Cyrus does not start:\n{(self._folder / 'log').read_text(errors='backslashreplace')}")

    def _answer_logins(self) -> None:
        """Answer in saslauthd's place: user, password, service and realm, each with its length before it."""
        while True:
            try:
                connection, _ = self._judge.accept()
            except OSError:
                return
            with contextlib.suppress(OSError, struct.error), connection, connection.makefile("rb") as file:
                connection.settimeout(10)
                words = [file.read(*struct.unpack("!H", file.read(2))) for _ in range(4)]
                answer = b"OK" if words[1] == self._password.encode() else b"NO"
                connection.sendall(struct.pack("!H", len(answer)) + answer)


def _environment() -> dict[str, str]:
    """Where the programs find the libraries and mechanisms that are not installed."""
    libraries = sorted((UNPACKED / "usr/lib").glob("*-linux-gnu"))
    plugins = [path / "sasl2" for path in (*libraries, *Path("/usr/lib").glob("*-linux-gnu"))]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "SASL_PATH": ":".join(str(path) for path in plugins if path.is_dir()),
    }
