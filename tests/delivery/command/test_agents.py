"""The delivery agents that people use, from Debian's packages: dovecot-lda, maildrop, procmail."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from string import Template
from xml.sax.saxutils import quoteattr

import pytest

from tests.delivery.command.handing import deliver, failure
from tests.program.site import Site, client
from tests.support import dovecot
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tui_popretr.config.reader import load
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


QUOTA = {
    "2.3": "mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=1k\n}\n",
    "2.4": (
        "mail_plugins {\n  quota = yes\n}\n"
        'quota "User quota" {\n  quota_storage_size = 1k\n  quota_storage_grace = 0\n}\n'
    ),
}


@pytest.fixture
def full_lda(lda: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """A dovecot-lda whose mailbox has no room for LARGE."""
    configure(folder, QUOTA)
    return lda


def configure(folder: Path, settings: dict[str, str]) -> None:
    """Add settings, by version, to what Dovecot is configured with."""
    server = dovecot._program()
    assert server is not None
    with (folder / "dovecot.conf").open("a") as configuration:
        configuration.write(Template(settings[dovecot._version(server)]).substitute(folder=folder))


def run_once(command: tuple[str, ...], tmp_path: Path) -> tuple[ServedMaildrop, list[str], str]:
    """Retrieve a message that is larger than the quota; return its maildrop, the warnings of check and the error."""
    box = ServedMaildrop("me", PASSWORD)
    box.add(b"From: x@sender.test\r\n\r\n" + b"x" * 70 + b"\r\n" * 5000)
    site = Site(tmp_path)
    with running_server([box]) as pop:
        mda = f"<mda command={quoteattr(shlex.join(command))}/>"
        site.configure(client("me", pop.address, password=PASSWORD, inside=mda))
        warnings = [each.message for each in load(str(site.path)).problems if "dovecot-lda" in each.message]
        result = site.run().results["me"]
    return box, warnings, result.error


@pytest.mark.dovecot
def test_over_quota_dovecot_lda_with_e_leaves_the_message(
    full_lda: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    failure(
        CommandFailed, r"exit code 77 \(permission denied\): .*Quota exceeded", (*full_lda, "-e"), folder, message=LARGE
    )
    box, warnings, error = run_once((*full_lda, "-e"), tmp_path)
    assert len(box.messages) == 1
    assert "exit code 77" in error
    assert warnings == []


@pytest.mark.dovecot
def test_over_quota_dovecot_lda_without_e_loses_the_message(
    full_lda: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    """That is why check warns of it: nothing in what it says or how it ends tells that nothing was stored."""
    box, warnings, error = run_once(full_lda, tmp_path)
    assert error == ""
    assert box.messages == []
    assert new_in(folder / "mail") == []
    (warning,) = warnings
    assert "deleted from the server; add -e" in warning


SIEVE = {
    "2.3": "protocol lda {\n  mail_plugins = sieve\n}\nplugin {\n"
    "  sieve = file:$folder/scripts;active=$folder/active.sieve\n}\n",
    "2.4": "protocol lda {\n  mail_plugins {\n    sieve = yes\n  }\n}\nsieve_script personal {\n  driver = file\n"
    "  path = $folder/scripts\n  active_path = $folder/active.sieve\n}\n",
}


@pytest.mark.dovecot
@pytest.mark.parametrize("options", [(), ("-e",)])
def test_what_sieve_rejects_is_never_stored(lda: tuple[str, ...], folder: Path, options: tuple[str, ...]) -> None:
    """As check says: the exit code is 0 in either case."""
    if not list(Path("/usr/lib/dovecot").glob("**/lib*_sieve_plugin.so")):
        reason = "Sieve for Dovecot is not installed (Debian, Ubuntu: apt-get install dovecot-sieve)"
        (pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip)(reason)
    configure(folder, SIEVE)
    (folder / "active.sieve").write_text('require ["reject"];\nreject "no";\n')
    (folder / "scripts").mkdir(0o755)
    (receipt,) = deliver((*lda, *options), folder, MESSAGE)
    assert "reject action: not sending reject message to <>" in receipt
    assert new_in(folder / "mail") == []


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
