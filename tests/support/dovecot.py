"""A private, real Dovecot for tests: own folder, free loopback ports, started and stopped with the test session."""

from __future__ import annotations

import base64
import contextlib
import grp
import hashlib
import hmac
import json
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
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Literal, Self

import pytest
import trustme

HOST = "127.0.0.1"
#: A connection whose ends have the same address is safe without TLS for Dovecot; clients of this one come from HOST.
OTHER_HOST = "127.0.0.2"
MECHANISMS = "plain login cram-md5 apop scram-sha-1 scram-sha-256 external xoauth2 oauthbearer"

_START_TIMEOUT = 20.0  # seconds; a loaded machine needs some
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9._@-]*")  # names become file names
_TOKEN_KEY = b"a key for tests, no secret"
#: Where Debian's dovecot-imapd and a build of one's own have the program for IMAP. DOVECOT_IMAPD names another folder,
#: for a package that is unpacked and not installed.
_LIBEXEC = ("/usr/lib/dovecot", "/usr/libexec/dovecot", "/usr/local/libexec/dovecot")
_INTROSPECTED = "active_attribute = active\nactive_value = true\nusername_attribute = "


def unavailable() -> str | None:
    """Why there is no Dovecot that this module can run, or None where there is one."""
    program = _program()
    if program is None:
        return "Dovecot is not installed (Debian, Ubuntu: apt-get install dovecot-pop3d)"
    version = _version(program)
    if not _template(version).exists():
        return f"Dovecot is {version or 'of unknown version'}; configurations are here for 2.3 and 2.4"
    return None


def require() -> None:
    """Skip the test where there is no Dovecot; fail it there under CI=true, where none may be missing."""
    if reason := unavailable():
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def imap_unavailable() -> str | None:
    """Why there is no Dovecot with IMAP, or None where there is one."""
    if reason := unavailable():
        return reason
    if _imap_folder() is None:
        return "Dovecot's IMAP server is not installed (Debian, Ubuntu: apt-get install dovecot-imapd)"
    return None


def require_imap() -> None:
    """Skip the test where there is no Dovecot with IMAP; fail it there under CI=true."""
    if reason := imap_unavailable():
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def _imap_folder() -> str | None:
    folders = (os.environ.get("DOVECOT_IMAPD", ""), *_LIBEXEC)
    return next((folder for folder in folders if folder and Path(folder, "imap").exists()), None)


def installed_version() -> str:
    """The version of the Dovecot that is installed, such as 2.3."""
    program = _program()
    return _version(program) if program else ""


def _program() -> str | None:
    return shutil.which("dovecot", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"]))


def _version(program: str) -> str:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    numbers = re.match(r"\d+\.\d+", answer)
    return numbers[0] if numbers else ""


def _template(version: str, of: str = "") -> Path:
    return Path(__file__).with_name(f"dovecot-{of}{version}.conf")


@dataclass(frozen=True, slots=True)
class _Identity:
    """Whom Dovecot's processes run as, and who owns the mail."""

    uid: int
    gid: int
    settings: str
    no_chroot: str

    @classmethod
    def of_this_process(cls) -> _Identity:
        if os.geteuid() == 0:  # Dovecot refuses to read mail as root
            mail = pwd.getpwnam("mail")
            return cls(mail.pw_uid, mail.pw_gid, "", "")
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
        settings = f"default_internal_user = {user}\ndefault_login_user = {user}\ndefault_internal_group = {group}"
        return cls(os.geteuid(), os.getegid(), settings, "chroot =")


class Dovecot:
    """A running Dovecot (2.3 or 2.4) with POP3 on `port` (STLS offered) and over implicit TLS on `tls_port`.

    Every mechanism of MECHANISMS works for accounts made with add_user(), EXTERNAL with client_cert_for(name) and the
    OAuth ones with token(name). The certificate is for localhost, 127.0.0.1 and 127.0.0.2. PIPELINING is offered;
    failed logins are not delayed. tls="required" allows no login without TLS (and listens on 127.0.0.2), tls="no"
    offers none. `more` are settings in Dovecot's own words, `inside` is where its folder is made. With `introspection`,
    tokens are not those of token(): each is sent to this address (RFC 7662), which knows the account as `owner`.
    With `imap`, it serves the same mail by IMAP on `imap_port` (STARTTLS offered) and on `imaps_port` (implicit TLS).

    What RETR gives for the stored bytes, measured with 2.3.19 and 2.4.1:

    - a bare LF becomes CR LF, CR LF stays, a bare CR stays;
    - NUL, 8-bit bytes, lines of 1 MB and trailing empty lines stay;
    - a missing final newline is added, as CR LF; an empty file comes as one empty line.

    as_retrieved() says this in code. Sizes in LIST, STAT and RETR's status line are those of the stored message with
    CR LF for its bare LFs, so without a newline that was added.
    """

    def __init__(
        self,
        *,
        mechanisms: str = MECHANISMS,
        tls: Literal["yes", "required", "no"] = "yes",
        inside: str = "/tmp",
        more: str = "",
        introspection: str = "",
        owner: str = "username",
        imap: bool = False,
    ) -> None:
        # Unix sockets live in here, whose paths have room for about 100 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="dovecot-", dir=inside))
        self._folder.chmod(0o755)  # the mail user comes this way
        self._mechanisms = mechanisms
        self._tls = tls
        self._more = more
        self._introspection = introspection
        self._owner = owner
        self._imap = imap
        self._identity = _Identity.of_this_process()
        self._process: subprocess.Popen[bytes] | None = None
        self._filled = 0
        self.port = 0
        self.tls_port = 0
        self.imap_port = 0
        self.imaps_port = 0
        for name in ("mail", "index", "home"):
            self._make_folder(self._folder / name)
        self._make_certificates()
        self._make_token_key()
        (self._folder / "accounts").mkdir()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- the server ---------------------------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """The address it listens on."""
        return OTHER_HOST if self._tls == "required" else HOST

    @property
    def ca(self) -> Path:
        """The PEM file of the authority that signed the server's certificate."""
        return self._folder / "ca.pem"

    @property
    def client_cert(self) -> Path:
        """A PEM file with certificate and key that logs in as "certuser" by EXTERNAL."""
        return self.client_cert_for("certuser")

    def client_cert_for(self, name: str) -> Path:
        """Return a PEM file with certificate and key that logs in as `name` by EXTERNAL."""
        path = self._folder / f"client-{name}.pem"
        if not path.exists():
            issued = self._authority.issue_cert(f"{name}@client.test", common_name=name)
            issued.private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def token(self, name: str, **more: str | int) -> str:
        """Return an access token (a signed JWT) with which `name` logs in by XOAUTH2 or OAUTHBEARER.

        `more` are other claims; an `exp` of the past makes a token that has expired.
        """
        now = int(time.time())
        claims = {"sub": name, "iat": now - 5, "nbf": now - 5, "exp": now + 3600, **more}
        signed = b".".join(_base64url(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "HS256"}, claims))
        return b".".join([signed, _base64url(hmac.digest(_TOKEN_KEY, signed, hashlib.sha256))]).decode()

    def start(self) -> None:
        """Start the server and wait for its greetings; the ports of an earlier start are kept.

        Raises RuntimeError with the server's log where it does not come up.
        """
        if self._process is not None:
            return
        for _ in range(5):
            if self._try_to_start():
                return
            if "in use" not in self.log_text():
                break
            self.port = 0  # another program has taken one of the ports since they were found free
        raise RuntimeError(f"Dovecot does not start:\n{self.log_text()}")

    def stop(self) -> None:
        """Stop the server; mail and accounts stay."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """Stop and start it again, on the same ports, with the same mail."""
        self.stop()
        self.start()

    def log_text(self) -> str:
        """What the server has logged so far."""
        path = self._folder / "log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    # --- accounts and their mail --------------------------------------------------------------------------------------

    def add_user(self, name: str, password: str) -> None:
        """Make an account; it can log in at once. Raises ValueError where the name is taken or not fit for one."""
        if not _ACCOUNT.fullmatch(name):
            raise ValueError(f"not an account name: {name!r}")
        # A file each: Dovecot looks at most once a second whether a file that it has read was changed.
        path = self._folder / "accounts" / name
        if path.exists():
            raise ValueError(f"there is an account {name!r} already")
        # encoded, because a colon in the password would end its field
        encoded = base64.b64encode(password.encode()).decode()
        path.write_text(f"{name}:{{PLAIN.b64}}{encoded}\n")

    def fill(self, name: str, messages: Iterable[bytes]) -> None:
        """Put messages into the account's maildrop, in this order, as they are."""
        maildir = self._folder / "mail" / name
        if not maildir.exists():
            self._make_folder(maildir)
            for sub in ("cur", "new", "tmp"):
                self._make_folder(maildir / sub)
        for message in messages:
            self._filled += 1
            virtual = len(message) + message.count(b"\n") - message.count(b"\r\n")
            unique = f"{self._filled:010}.test,S={len(message)},W={virtual}"
            path = maildir / "tmp" / unique
            path.write_bytes(message)
            os.chown(path, self._identity.uid, self._identity.gid)
            path.rename(maildir / "cur" / f"{unique}:2,")

    def count(self, name: str) -> int:
        """How many messages the account's maildrop holds."""
        return len(self._files(name))

    def messages(self, name: str) -> list[bytes]:
        """The messages of the account's maildrop as they are stored, in the order of their numbers."""
        return [path.read_bytes() for path in self._files(name)]

    # ------------------------------------------------------------------------------------------------------------------

    def _files(self, name: str) -> list[Path]:
        maildir = self._folder / "mail" / name
        found = [path for sub in ("cur", "new") for path in maildir.glob(f"{sub}/*")]
        return sorted(found, key=lambda path: path.name)

    def _make_folder(self, path: Path) -> None:
        path.mkdir(0o700)
        os.chown(path, self._identity.uid, self._identity.gid)

    def _make_certificates(self) -> None:
        self._authority = trustme.CA(organization_name="tui-popretr tests")
        self._authority.cert_pem.write_to_path(self.ca)
        issued = self._authority.issue_cert("localhost", HOST, OTHER_HOST, common_name="localhost")
        issued.private_key_and_cert_chain_pem.write_to_path(self._folder / "server.pem")

    def _make_token_key(self) -> None:
        keys = self._folder / "keys" / "default" / "HS256"
        keys.mkdir(parents=True)
        (keys / "default").write_bytes(base64.b64encode(_TOKEN_KEY))
        local = f"introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={self._folder}/keys/\n"
        remote = f"introspection_mode = post\nintrospection_url = {self._introspection}\n{_INTROSPECTED}{self._owner}\n"
        (self._folder / "oauth2.conf").write_text(
            remote if self._introspection else f"{local}username_attribute = sub\n"
        )

    def _oauth(self) -> str:
        """The settings of oauth2 for Dovecot 2.4."""
        if self._introspection:
            url = f"introspection_url = {self._introspection}"
            return f"introspection_mode = post\n  {url}\n  {_INTROSPECTED}{self._owner}"
        return (
            "introspection_mode = local\n  username_attribute = sub\n  oauth2_local_validation {\n"
            f"    dict fs {{\n      fs posix {{\n        prefix = {self._folder}/keys/\n      }}\n    }}\n  }}"
        )

    def _try_to_start(self) -> bool:
        program = _program()
        if program is None:
            raise RuntimeError("Dovecot is not installed")
        if not self.port:
            self.port, self.tls_port, self.imap_port, self.imaps_port = _free_ports(self.host)
        configuration = self._folder / "dovecot.conf"
        configuration.write_text(self._configuration(_version(program)))
        command = [program, "-F", "-c", str(configuration)]
        # It shall not outlive killed tests. The signal comes with the end of the thread that started it, so that a
        # passing worker thread must not ask for it.
        setpriv = shutil.which("setpriv")
        if setpriv and threading.current_thread() is threading.main_thread():
            command = [setpriv, "--pdeathsig", "TERM", *command]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        if self._greets():
            return True
        self.stop()
        return False

    def _configuration(self, version: str) -> str:
        words = {
            "host": self.host,
            "port": self.port,
            "tls_port": self.tls_port,
            "imap_port": self.imap_port,
            "imaps_port": self.imaps_port,
            "libexec": _imap_folder(),
            "folder": self._folder,
            "identity": self._identity.settings,
            "no_chroot": self._identity.no_chroot,
            "uid": self._identity.uid,
            "gid": self._identity.gid,
            "mechanisms": self._mechanisms,
            "oauth": self._oauth(),
            "tls": self._tls,
            "only_tls": "yes" if self._tls == "required" else "no",
            "in_clear": "no" if self._tls == "required" else "yes",
        }
        parts = [_template(version), *([_template(version, "imap-")] if self._imap else [])]
        return "".join(Template(part.read_text()).substitute(words) for part in parts) + self._more

    def _greets(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + _START_TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                with socket.create_connection((self.host, self.port), timeout=_START_TIMEOUT) as connection:
                    if connection.recv(3) == b"+OK":
                        return True
            except OSError:
                pass
            time.sleep(0.02)
        return False


def as_retrieved(stored: bytes) -> bytes:
    """Return what Dovecot's RETR gives for a stored message, without dot-stuffing and the final dot line."""
    sent = re.sub(rb"(?<!\r)\n", b"\r\n", stored)
    return sent if sent.endswith(b"\r\n") else sent + b"\r\n"


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _free_ports(host: str) -> list[int]:
    with contextlib.ExitStack() as stack:
        return [stack.enter_context(socket.create_server((host, 0))).getsockname()[1] for _ in range(4)]
