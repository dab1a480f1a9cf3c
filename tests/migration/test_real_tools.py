"""The programs themselves: what each has retrieved from a real server and left there does not come again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program.process import client, run_program, write_configuration
from tests.support.dovecot import Dovecot
from tests.support.passwords import PASSWORD


def mail(number: int) -> bytes:
    return f"From: a@example.test\nMessage-ID: <{number}@example.test>\n\nnumber {number}\n".encode()


def require(program: str) -> None:
    """Skip the test where the program is not installed; fail it there under CI=true."""
    if shutil.which(program) is None:
        reason = f"{program} is not installed (scripts/test-servers installs it)"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def private(path: Path, text: str) -> None:
    """Write a file that only its owner may read: these programs insist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def fetchmail(home: Path, host: str, port: int, user: str) -> list[str]:
    private(
        home / ".fetchmailrc",
        f'poll "our isp" via {host} service {port} protocol pop3 uidl timeout 20\n'
        f'  user "{user}" password "{PASSWORD}" keep sslproto "" mda "cat >> {home}/retrieved"\n',
    )
    return ["fetchmail", "--nodetach", "--pidfile", f"{home}/fetchmail.pid"]


def getmail(home: Path, host: str, port: int, user: str) -> list[str]:
    private(
        home / ".getmail/getmailrc",
        f"[retriever]\ntype = SimplePOP3Retriever\nserver = {host}\nport = {port}\nusername = {user}\n"
        f"password = {PASSWORD}\n"
        "[destination]\ntype = MDA_external\npath = /bin/sh\nallow_root_commands = true\n"
        f'arguments = ("-c", "cat >> {home}/retrieved")\n'
        "[options]\nread_all = false\ndelete = false\n",
    )
    return ["getmail"]


def mpop(home: Path, host: str, port: int, user: str) -> list[str]:
    private(
        home / ".mpoprc",
        f"account isp\nhost {host}\nport {port}\nuser {user}\npassword {PASSWORD}\nauth user\ntls off\nkeep on\n"
        f'delivery mda "cat >> {home}/retrieved"\naccount default : isp\n',
    )
    return ["mpop"]


@pytest.mark.parametrize("tool", [fetchmail, getmail, mpop], ids=lambda tool: tool.__name__)
def test_a_switch_retrieves_nothing_again(
    dovecot: Dovecot, tmp_path: Path, tool: Callable[[Path, str, int, str], list[str]]
) -> None:
    name = tool.__name__
    require(name)
    user = f"from-{name}@isp-1.test"
    dovecot.add_user(user, PASSWORD)
    dovecot.fill(user, map(mail, range(3)))
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    command = tool(tmp_path, dovecot.host, dovecot.port, user)
    for _ in range(2):  # the second time it has to read what it remembers
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        # fetchmail ends with 1 where nothing was new
        assert done.returncode in (0, 1), done.stdout + done.stderr
        assert (tmp_path / "retrieved").read_text().count("number ") == 3
    assert dovecot.count(user) == 3

    dovecot.fill(user, map(mail, range(3, 5)))
    isp = client(
        "isp",
        f"{dovecot.host}:{dovecot.port}",
        user=user,
        password=PASSWORD,
        attributes='preserve="Y" newonly="Y"',
        more="<maildir>m</maildir>",
    )
    path = write_configuration(tmp_path / "c.xml", isp)
    done_importing = run_program(
        "import-seen", path, "--client", "isp", "--from", name, environ={"HOME": str(tmp_path)}
    )
    assert (done_importing.code, done_importing.err) == (0, "")
    assert done_importing.out.startswith(f"isp: 3 messages of {user}@{dovecot.host} in {tmp_path}/.")
    assert done_importing.out.endswith(": 3 marked as seen\n")
    assert run_program(path, "--headless", "--once").code == 0
    arrived = sorted(each.read_text().splitlines()[-1] for each in (tmp_path / "m/new").iterdir())
    assert arrived == ["number 3", "number 4"]
    assert dovecot.count(user) == 5
