"""The delivery agents that people use, from Debian's packages: dovecot-lda, maildrop, procmail."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from string import Template

import pytest

from tests.delivery.command.handing import failure, handing
from tests.support import dovecot
from tui_popretr.errors import CommandDeferred, CommandFailed

#: Line ends as the session hands them to a command.
MESSAGE = b"Received: from pop.test\nSubject: x\nMessage-ID: <1@sender.test>\n\n.\n..\nFrom here\n\xff\n"
LARGE = MESSAGE + b"x" * 70 + b"\n" * 1 + b"y" * 998 + b"\n" + (b"z" * 70 + b"\n") * 30_000


def required(program: str, package: str, *folders: str) -> str:
    """Return a program's path. Skip the test where there is none; fail it there under CI=true, where none may be
    missing.
    """
    path = shutil.which(program, path=os.pathsep.join([*folders, os.environ.get("PATH", "")]))
    if path is None:
        reason = f"{program} is not installed (Debian, Ubuntu: apt-get install {package})"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others than root may pass through."""
    with tempfile.TemporaryDirectory(prefix="agents-", dir="/tmp") as path:
        os.chmod(path, 0o755)
        yield Path(path)


def deliver(argv: tuple[str, ...], folder: Path, *messages: bytes) -> list[str]:
    """Deliver messages; return the receipts."""
    with handing(argv, folder) as hand:
        hand.sink.make_ready(0)
        return [hand.send(message).receipt() for message in messages]


def new_in(maildir: Path) -> list[bytes]:
    return sorted((path.read_bytes() for path in maildir.glob("new/*")), key=len)


# --- dovecot-lda ------------------------------------------------------------------------------------------------------


@pytest.fixture
def lda(folder: Path) -> tuple[str, ...]:
    """A dovecot-lda that delivers into FOLDER/mail; not as root, who has no mailbox for it."""
    dovecot.require()
    path = required(
        "dovecot-lda", "dovecot-core", "/usr/lib/dovecot", "/usr/libexec/dovecot", "/usr/local/libexec/dovecot"
    )
    server = dovecot._program()
    assert server is not None
    identity = dovecot._Identity.of_this_process()
    template = Path(__file__).with_name(f"dovecot-lda-{dovecot._version(server)}.conf")
    configuration = folder / "dovecot.conf"
    configuration.write_text(Template(template.read_text()).substitute(folder=folder, identity=identity.settings))
    (folder / "mail").mkdir()
    os.chown(folder / "mail", identity.uid, identity.gid)
    drop: tuple[str, ...] = ()
    if os.geteuid() == 0:
        drop = ("setpriv", f"--reuid={identity.uid}", f"--regid={identity.gid}", "--clear-groups")
    return (*drop, path, "-c", str(configuration))


@pytest.mark.dovecot
def test_dovecot_lda_delivers(lda: tuple[str, ...], folder: Path) -> None:
    receipts = deliver(lda, folder, MESSAGE, LARGE)
    assert new_in(folder / "mail") == [MESSAGE, LARGE]
    assert all("msgid=<1@sender.test>" in receipt and "saved mail to INBOX" in receipt for receipt in receipts)


@pytest.mark.dovecot
def test_dovecot_lda_puts_off_what_it_cannot_store(lda: tuple[str, ...], folder: Path) -> None:
    (folder / "mail").rmdir()
    (folder / "mail").touch()
    error = failure(CommandDeferred, r"exit code 75 \(a temporary failure\): ", lda, folder)
    assert "INBOX" in str(error), "its reason"
    (folder / "mail").unlink()


# --- maildrop ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def maildrop() -> str:
    return required("maildrop", "maildrop")


def filter_file(folder: Path, text: str) -> str:
    path = folder / "filter"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def maildir(folder: Path, name: str) -> Path:
    for part in ("tmp", "new", "cur"):
        (folder / name / part).mkdir(parents=True)
    return folder / name


def test_maildrop_delivers(maildrop: str, folder: Path) -> None:
    inbox, large = maildir(folder, "inbox"), maildir(folder, "large")
    rules = filter_file(folder, f'if ($SIZE > 100000)\n  to "{large}"\nto "{inbox}"\n')
    assert deliver((maildrop, rules), folder, MESSAGE, LARGE) == ["", ""]
    assert (new_in(inbox), new_in(large)) == ([MESSAGE], [LARGE])


def test_maildrop_puts_off_what_it_cannot_store(maildrop: str, folder: Path) -> None:
    rules = filter_file(folder, f'to "{folder}/none/none"\n')
    failure(CommandDeferred, r"exit code 75 \(a temporary failure\): .*none", (maildrop, rules), folder)


def test_maildrop_refuses_what_its_rules_say(maildrop: str, folder: Path) -> None:
    rules = filter_file(folder, "EXITCODE=77\nexit\n")
    failure(CommandFailed, r"exit code 77 \(permission denied\)", (maildrop, rules), folder)


# --- procmail ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def procmail() -> str:
    return required("procmail", "procmail")


def test_procmail_delivers_into_a_maildir_and_an_mbox(procmail: str, folder: Path) -> None:
    rules = filter_file(folder, f"MAILDIR={folder}\nDEFAULT={folder}/inbox/\n:0:\n* > 100000\nlarge\n")
    assert deliver((procmail, "-t", "-f-", rules), folder, MESSAGE, LARGE) == ["", ""]
    assert new_in(folder / "inbox") == [MESSAGE]
    line, _, rest = (folder / "large").read_bytes().partition(b"\n")
    assert line.startswith(b"From "), "which -f- adds, since mbox needs it"
    assert rest == LARGE.replace(b"\nFrom here", b"\n>From here") + b"\n"


def test_procmail_refuses_what_its_rules_say(procmail: str, folder: Path) -> None:
    rules = filter_file(folder, "EXITCODE=67\nHOST=nobody\n")
    failure(CommandFailed, r"exit code 67 \(it knows no such user\)", (procmail, "-t", "-f-", rules), folder)
