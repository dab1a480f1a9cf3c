"""The demo's folder: what lies where in it, how it is made and how it is removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass

from tui_popretr.demo.accounts import DemoAccount
from tui_popretr.errors import CannotCreate, describe_os_error

PREFIX = "tui-popretr-demo-"
# as the configuration names them, relative to the folder
CONFIGURATION, AUTHORITY = "demo.xml", "demo-ca.pem"
MAIL, DOWNLOADS, LOGS, VAR = "mail", "downloads", "logs", "var"
AUDIT, TRANSCRIPT, TRACE = "audit.log", "transcript.log", "program.log"


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """The places in a folder that holds nothing but one demo. `path` is absolute."""

    path: str
    made: bool  # by us; else it was there before

    @property
    def configuration(self) -> str:
        return os.path.join(self.path, CONFIGURATION)

    @property
    def authority(self) -> str:
        """The certificate authority that the demo's server is trusted by."""
        return os.path.join(self.path, AUTHORITY)

    @property
    def audit(self) -> str:
        return os.path.join(self.path, LOGS, AUDIT)

    @property
    def transcript(self) -> str:
        return os.path.join(self.path, LOGS, TRANSCRIPT)

    @property
    def trace(self) -> str:
        """The program's own log."""
        return os.path.join(self.path, LOGS, TRACE)

    def mail_of(self, account: DemoAccount) -> str:
        """The folder that an account's new mail lies in: of a Maildir, its `new`."""
        if account.downloads:
            return os.path.join(self.path, DOWNLOADS, account.owner)
        return os.path.join(self.path, MAIL, account.owner, "Maildir", "new")

    def remove(self) -> None:
        """Remove what a demo has made; what somebody else put there stays, and the folder itself if it is not ours."""
        for name in (MAIL, DOWNLOADS, LOGS, VAR):
            shutil.rmtree(os.path.join(self.path, name), ignore_errors=True)
        for name in (CONFIGURATION, AUTHORITY):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.path, name))
        if self.made:
            with contextlib.suppress(OSError):
                os.rmdir(self.path)


def make_folder(path: str | None) -> DemoFolder:
    """Return a folder for a demo: `path`, new or empty, or else a fresh one among the system's temporary files.

    Raises CannotCreate, also where `path` is a folder with something in it.
    """
    try:
        if path is None:
            return DemoFolder(os.path.realpath(tempfile.mkdtemp(prefix=PREFIX)), made=True)
        path = os.path.realpath(path)
        made = not os.path.isdir(path)
        os.makedirs(path, mode=0o700, exist_ok=True)
        if os.listdir(path):
            raise CannotCreate(
                f"the folder {path} is not empty", advice="name a new or empty one, or leave --folder out"
            )
    except OSError as error:
        name = error.filename or path or tempfile.gettempdir()
        raise CannotCreate(
            f"no folder for the demo: {name}: {describe_os_error(error)}", advice="name another with --folder"
        ) from error
    return DemoFolder(path, made)
